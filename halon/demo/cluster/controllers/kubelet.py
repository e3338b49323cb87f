"""The kubelet of every node: runs pods' containers, writes their status, stops them, and keeps their logs."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from halon.demo.cluster.controllers.containers import Container, Phase
from halon.demo.cluster.objects import (
    Json,
    child,
    clone,
    is_deleting,
    name_of,
    namespace_of,
    objects,
    timestamp,
    uid_of,
)
from halon.demo.cluster.resources import NODES, PODS
from halon.demo.cluster.status import bad_request
from halon.demo.cluster.world import World, set_condition


@dataclass(slots=True)
class _Run:
    """A pod on a node."""

    address: str
    started: str
    containers: dict[str, Container] = field(default_factory=dict[str, Container])
    ends: datetime | None = None
    has_ended: bool = False

    def due(self) -> list[datetime]:
        if self.has_ended:
            return []
        moments = [self.ends] if self.ends else [container.due for container in self.containers.values()]
        return [moment for moment in moments if moment is not None]


class Kubelet:
    """Runs the pods of all nodes. A status that a client wrote stands until the pod's next own change."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._runs: dict[str, _Run] = {}
        self._addresses = 0

    def reconcile(self) -> datetime | None:
        """Start, step and stop what is due."""
        pods = self._world.store.items(PODS)
        present = {uid_of(pod) for pod in pods}
        self._runs = {uid: run for uid, run in self._runs.items() if uid in present}
        for pod in pods:
            if self._world.store.get(NODES, "", str(child(pod, "spec").get("nodeName") or "")) is not None:
                self._reconcile(pod)
        return min((moment for run in self._runs.values() for moment in run.due()), default=None)

    def _reconcile(self, pod: Json) -> None:
        now = self._world.now()
        run = self._runs.get(uid_of(pod))
        if run is None:
            run = self._runs[uid_of(pod)] = self._begin(pod, now)
            self._write(pod, run)
            return
        if is_deleting(pod):
            self._stop(pod, run, now)
            return
        moved = self._follow_images(pod, run, now)
        for container in run.containers.values():
            if container.due is not None and container.due <= now:
                moved = True
                for notice in container.step(now, self._world.timing):
                    self._world.record(PODS, pod, notice.kind, notice.reason, notice.message, "kubelet")
        if moved:
            self._write(pod, run)

    def _begin(self, pod: Json, now: datetime) -> _Run:
        self._addresses += 1
        high, low = divmod(self._addresses, 254)
        run = _Run(f"10.244.{high % 256}.{low + 1}", timestamp(now))
        restart = str(child(pod, "spec").get("restartPolicy") or "Always")
        due = now + self._world.timing.start
        for spec in objects(pod, "spec", "containers"):
            name = str(spec.get("name"))
            run.containers[name] = Container(name, str(spec.get("image")), restart, due)
        return run

    def _follow_images(self, pod: Json, run: _Run, now: datetime) -> bool:
        moved = False
        for spec in objects(pod, "spec", "containers"):
            container, image = run.containers.get(str(spec.get("name"))), str(spec.get("image"))
            if container is not None and container.image != image:
                container.replace_image(image, now, self._world.timing)
                moved = True
        return moved

    def _stop(self, pod: Json, run: _Run, now: datetime) -> None:
        """Let a deleted pod go when its containers have stopped; it keeps its finalizers, if it has any."""
        if run.ends is None:
            grace = timedelta(seconds=int(child(pod, "metadata").get("deletionGracePeriodSeconds") or 0))
            run.ends = now + min(grace, self._world.timing.stop)
            for container in run.containers.values():
                message = f"Stopping container {container.name}"
                self._world.record(PODS, pod, "Normal", "Killing", message, "kubelet")
        if run.ends <= now and not child(pod, "metadata").get("finalizers"):
            self._world.store.remove(PODS, namespace_of(pod), name_of(pod))
            del self._runs[uid_of(pod)]
        elif run.ends <= now:
            run.has_ended = True

    def _write(self, pod: Json, run: _Run) -> None:
        now, status = self._world.stamp(), clone(child(pod, "status"))
        containers = list(run.containers.values())
        unready = [container.name for container in containers if container.phase is not Phase.READY]
        status["containerStatuses"] = [container.status() for container in containers]
        status["phase"] = self._phase(containers)
        status["startTime"] = run.started
        status["hostIP"], status["hostIPs"] = "127.0.0.1", [{"ip": "127.0.0.1"}]
        if any(container.started for container in containers):
            status["podIP"], status["podIPs"] = run.address, [{"ip": run.address}]
        reason: Json = {}
        if unready:
            message = f"containers with unready status: [{' '.join(unready)}]"
            reason = {"reason": "ContainersNotReady", "message": message}
        for kind in ("PodReadyToStartContainers", "Initialized", "PodScheduled"):
            set_condition(status, {"type": kind, "status": "True"}, now)
        for kind in ("ContainersReady", "Ready"):
            conditions = [item for item in status["conditions"] if item.get("type") == kind]
            for condition in conditions:
                condition.pop("reason", None)
                condition.pop("message", None)
            set_condition(status, {"type": kind, "status": "False" if unready else "True", **reason}, now)
        self._world.write_status(PODS, pod, status)

    def _phase(self, containers: list[Container]) -> str:
        if all(container.phase is Phase.ENDED for container in containers):
            return "Succeeded" if all(container.succeeded for container in containers) else "Failed"
        return "Running" if all(container.started for container in containers) else "Pending"

    def log(self, pod: Json, container_name: str, *, previous: bool) -> list[tuple[datetime, str]]:
        """Return the lines that a container wrote in its present run, or in the one before.

        Raises:
            ApiError: there is no such container, or none has run yet (400).
        """
        run = self._runs.get(uid_of(pod))
        names = [str(spec.get("name")) for spec in objects(pod, "spec", "containers")]
        if not container_name and len(names) > 1:
            listed = " ".join(names)
            raise bad_request(f"a container name must be specified for pod {name_of(pod)}, choose one of: [{listed}]")
        name = container_name or names[0]
        if name not in names:
            raise bad_request(f"container {name} is not valid for pod {name_of(pod)}")
        container = run.containers.get(name) if run else None
        if previous:
            lines = container.previous_log if container else None
            if container and container.phase is Phase.BACKING_OFF:
                lines = container.log
            if lines is None:
                raise bad_request(f'previous terminated container "{name}" in pod "{name_of(pod)}" not found')
            return lines
        if container is None or container.started is None:
            raise bad_request(f'container "{name}" in pod "{name_of(pod)}" is waiting to start: ContainerCreating')
        return container.log
