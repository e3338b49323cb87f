"""One story from the trouble to the closed incident: what happens to the target, who says what, and who interferes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from engine import crash_looping, until
from scenes import CRASHLOOP, MOMENTS, SUSPECT, Broken, Moment, Scene
from seen import HALON, parts_of, writes_of
from stage import NOT_NOW, Stage, persistent
from temporalio.common import WorkflowIDConflictPolicy

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.run import INCIDENT_WORKFLOW
from halon.core.grouping import group_id
from halon.core.library import incident_input
from halon.demo.cluster.objects import Json, clone

LOOK = 0.02
_BEGINS_WITHIN = 30
STARTER = "mallory@example.com"


class Story:
    """Plays one scene."""

    def __init__(self, scene: Scene, stage: Stage) -> None:
        self.scene = scene
        self._stage = stage
        self.moments: dict[Moment, asyncio.Event] = {moment: asyncio.Event() for moment in MOMENTS}
        self.before: dict[str, Any] = {}
        """The target's parts once the trouble is there."""
        self.accepted = False
        """Whether its alert has its 2xx, or Temporal the run that a person starts."""
        self.group = f"{scene.script.playbook}-{scene.namespace}-{scene.number}"
        """The group of its incident; an alert has another one, which its labels say."""
        self._alert: dict[str, Any] = {}
        self._sending = asyncio.Lock()

    @property
    def by_hand(self) -> bool:
        """Whether a person starts it: its playbook has no trigger."""
        return self.scene.script.playbook == SUSPECT

    async def set_up(self) -> None:
        """Bring the target into trouble."""
        scene, broken = self.scene, self.scene.script.broken
        good, bad = _releases(broken, scene.name)
        serves = broken not in {"always_crashes", "hopeless"}
        await self._release(good)
        await self._until(lambda found: not serves or _serves(found, scene.replicas))
        if bad != good:
            await self._until(_taken_up)
            await self._release(bad)
        pod = await self._pod(bad)
        if broken == "wedged":
            await self._wedge()
            await self._until(lambda found: not _serves(found, scene.replicas))
        await self._until(_taken_up)
        self._alert = self._firing(pod)
        if not self.by_hand:
            self.group = self._group()

    async def play(self) -> None:
        """Raise the alert, and do what the script and the dice say meanwhile. Goes on until it is cancelled."""
        scene = self.scene
        self.before = parts_of(self._deployment())
        async with asyncio.TaskGroup() as meanwhile:
            meanwhile.create_task(self._watch())
            if scene.touched is not None:
                meanwhile.create_task(self._later(scene.touched, 0.0, self._touch))
            if scene.script.deed is not None:
                meanwhile.create_task(self._later(scene.script.at, scene.delay, self._do))
            self.moments["begin"].set()
            await self._raise()
            self.accepted = True
            self.moments["accepted"].set()
            for _ in range(scene.repeats):
                await self.repeat()
            await asyncio.Event().wait()

    async def repeat(self) -> None:
        """Have the sender send the alert again, which is no news."""
        if not self.by_hand:
            await self._send({})

    async def _send(self, news: dict[str, object]) -> None:
        """One after the other, as Alertmanager does: what it says last of an alert is how it stands."""
        async with self._sending:
            self._alert |= news
            await self._stage.engine.send(self._alert)

    def comes(self, moment: Moment) -> None:
        """Note that a moment has come that others see."""
        self.moments[moment].set()

    async def _raise(self) -> None:
        if not self.by_hand:
            await self._send({})
            return
        installed, scene = self._stage.installed, self.scene
        playbooks = installed.catalogue.playbooks
        inputs = {"namespace": scene.namespace, "deployment": scene.name, "replicas": scene.left}
        given = incident_input(
            self.group, playbooks[scene.script.playbook], playbooks, installed.registry.effects
        ).model_copy(update={"started_by": STARTER, "inputs": inputs})

        async def begin() -> None:
            await self._stage.client.start_workflow(
                INCIDENT_WORKFLOW,
                given,
                id=self.group,
                task_queue=self._stage.engine.settings.temporal.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )

        await persistent(begin)

    async def _watch(self) -> None:
        """See when the cluster has accepted a write of Halon's."""
        while not self._written():  # noqa: ASYNC110  # the journal has nobody to tell
            await asyncio.sleep(LOOK)
        self.moments["written"].set()

    def _written(self) -> bool:
        journal = self._stage.cluster.journal
        return any(one.user == HALON and one.target == self.scene.target for one in writes_of(journal))

    async def _later(self, moment: Moment, delay: float, deed: Callable[[], Awaitable[None]]) -> None:
        await self.moments[moment].wait()
        await asyncio.sleep(delay)
        await deed()

    async def _touch(self) -> None:
        scene = self.scene
        await self._stage.patch(scene.namespace, scene.name, {"metadata": {"labels": {"seen-by": "ben"}}})

    async def _do(self) -> None:
        """What somebody does about it."""
        scene = self.scene
        if scene.script.deed == "resolve":
            await self._send({"status": "resolved", "endsAt": datetime.now(UTC).isoformat()})
            return
        if scene.script.deed == "rescale":
            await self._stage.patch(scene.namespace, scene.name, {"spec": {"replicas": scene.replicas + 1}})
        # One that has ended meanwhile cannot be cancelled.
        with contextlib.suppress(*NOT_NOW):
            await persistent(lambda: self._stage.client.get_workflow_handle(self.group).cancel(), within=5)

    async def _release(self, image: str) -> None:
        scene = self.scene
        labels = {"app": scene.name}
        spec = {
            "replicas": scene.replicas,
            "progressDeadlineSeconds": scene.script.patience,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}},
        }
        metadata = {"name": scene.name, "namespace": scene.namespace}
        manifest: Json = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
        await self._stage.cluster.apply(manifest)

    async def _wedge(self) -> None:
        """Have every pod say that it does not serve, as after a lost connection that nothing opens again."""
        for pod in self._stage.cluster.list("v1", "Pod", self.scene.namespace):
            status = clone(pod["status"])
            for condition in status["conditions"]:
                if condition["type"] in {"Ready", "ContainersReady"}:
                    condition["status"] = "False"
            for container in status["containerStatuses"]:
                container["ready"] = False
            identity = {"name": pod["metadata"]["name"], "namespace": self.scene.namespace}
            await self._stage.cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": identity, "status": status})

    async def _pod(self, image: str) -> str:
        """Give a pod of this image, once its container has started."""

        async def look() -> str:
            for pod in self._stage.cluster.list("v1", "Pod", self.scene.namespace):
                statuses = pod.get("status", {}).get("containerStatuses", [])
                if pod["spec"]["containers"][0]["image"] == image and any(one.get("containerID") for one in statuses):
                    return str(pod["metadata"]["name"])
            return ""

        return await until(look, within=_BEGINS_WITHIN, pause=LOOK)

    async def _until(self, holds: Callable[[Json], bool]) -> None:
        async def look() -> bool:
            return holds(self._deployment())

        await until(look, within=_BEGINS_WITHIN, pause=LOOK)

    def _group(self) -> str:
        """Name the group as the gateway will: what the alert's labels say."""
        now = datetime.now(UTC)
        labels = self._alert["labels"]
        alert = Alert(
            source="alertmanager",
            name=labels["alertname"],
            fingerprint=self._alert["fingerprint"],
            status=AlertStatus.FIRING,
            labels=labels,
            starts_at=now,
        )
        return group_id(self._stage.installed.catalogue.playbooks[self.scene.script.playbook], alert, now)

    def _deployment(self) -> Json:
        found = self._stage.cluster.read("apps/v1", "Deployment", self.scene.name, self.scene.namespace)
        assert found is not None
        return found

    def _firing(self, pod: str) -> dict[str, Any]:
        scene = self.scene
        alert = crash_looping(scene.namespace, pod, "main")
        if scene.script.playbook != CRASHLOOP:
            labels = {"namespace": scene.namespace, "deployment": scene.name, "severity": "warning"}
            alert["labels"] = {"alertname": "KubeDeploymentReplicasMismatch", **labels}
        return alert | {"fingerprint": f"{scene.namespace}-{scene.number}"}


def _releases(broken: Broken, name: str) -> tuple[str, str]:
    """The release before, and the one that the trouble is with."""
    return {
        "crashes": (f"{name}:1.0", f"{name}:2.0-crash"),
        "always_crashes": (f"{name}:1.0-crash", f"{name}:2.0-crash"),
        "wedged": (f"{name}:1.0", f"{name}:1.0"),
        "hopeless": (f"{name}:1.0-unready", f"{name}:1.0-unready"),
        "harmful": (f"{name}:1.0", f"{name}:1.0"),
    }[broken]


def _taken_up(found: Json) -> bool:
    """Whether the controller has seen the newest spec."""
    return bool(found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"])


def _serves(found: Json, replicas: int) -> bool:
    return _taken_up(found) and found["status"].get("availableReplicas", 0) == replicas
