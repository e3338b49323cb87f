"""Delete a pod, so that its controller makes a new one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from activities.kubernetes._object import ClusterName, Name, Namespace, cluster_of
from activities.kubernetes._pod import GET, Uid, pod_of, pod_target
from halon.clients.kubernetes.api import PODS
from halon.clients.kubernetes.objects import Pod
from halon.clients.kubernetes.pods import QUARANTINE, REPLACING, Maker, called, replaced
from halon.clients.kubernetes.sets import is_ready
from halon.contracts.base import JsonObject
from halon.contracts.plan import Effect, Row, Settlement
from halon.errors import Conflict, NotFound
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env

_MOST_PODS = 500
"""Pods of one controller that are looked at."""


class Seen(State):
    """A pod, and what makes it again."""

    pod: Pod | None
    """None when it is gone."""
    maker: Maker | None = None
    """Its controller, of a kind that makes a new pod at once; None for another kind, and when that is gone too."""
    pods: tuple[Pod, ...] = ()
    """The pods of that controller."""


class DeletePod(Change[Seen]):
    """Delete a pod, and wait until it is gone and its controller has made a new one that is ready.

    The plan pins the very pod: one that came later under its name is never deleted. A pod without a controller is
    refused unless `bare` allows it, for nothing makes it again; so are a static one, which the API cannot stop, and one
    in quarantine unless `quarantined` allows it. Disruption budgets are not asked: `kubernetes.drain` does that. It
    waits for the new pod of a ReplicaSet, a StatefulSet or a DaemonSet; for other controllers only until this one is
    gone.
    """

    effect: ClassVar[Effect] = Effect.DESTROY
    undoable: ClassVar[bool] = False
    marks: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        GET,
        Permission("kubernetes", ("delete",), "/pods", "to delete it", name="{name}"),
        Permission("kubernetes", ("list",), "/pods", "to see whether the new one is ready"),
        *(
            Permission("kubernetes", ("get",), f"apps/{one.plural}", "to see what makes it again")
            for one in REPLACING.values()
        ),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart-5d4f-x7"}

    namespace: Namespace
    """The pod's namespace."""
    name: Name
    """The pod's name."""
    uid: Uid = ""
    """Which pod of this name it must be, as `kubernetes.get_pod` tells it. The plan pins it."""
    controller: Annotated[
        str, StringConstraints(max_length=400, pattern=r"^([A-Za-z0-9.-]+/[a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$")
    ] = ""
    """What must control it, as `ReplicaSet/cart-5d4f`. The plan pins it."""
    grace_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    """So long it has to stop; without it, as long as its own spec says."""
    bare: bool = False
    """Delete it also when it has no controller, so that nothing makes it again."""
    quarantined: bool = False
    """Delete it also when it is in quarantine, once its evidence is kept."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the pod."""
        return pod_target(self.cluster, self.namespace, self.name)

    async def observe(self, env: Env) -> Seen:
        """Look at the pod, at what controls it, and at the other pods of that."""
        pod = await pod_of(env, self.cluster, self.namespace, self.name, self.uid)
        kind, _, name = (called(pod.metadata.controller) if pod else self.controller).partition("/")
        if kind not in REPLACING:
            return Seen(pod=pod)
        api = cluster_of(env, self.cluster)
        try:
            maker = await api.get(Maker, REPLACING[kind], self.namespace, name)
        except NotFound:
            return Seen(pod=pod)
        pods = await api.pods(self.namespace, str(maker.spec.selector), most=_MOST_PODS)
        return Seen(pod=pod, maker=maker, pods=pods)

    def plan(self, state: Seen, now: datetime) -> Proposal | Nothing | Refusal:
        """See whether it may go."""
        pod, title = state.pod, f"pod {self.namespace}/{self.name}"
        if pod is None:
            return Nothing(f"{title} with the uid {self.uid} is gone" if self.uid else f"there is no {title}")
        if pod.metadata.deletion_timestamp is not None:
            return Nothing(f"{title} is being deleted already")
        objection = self._objection(pod)
        if objection:
            return Refusal(f"{title} is not deleted: {objection}")
        controller = called(pod.metadata.controller)
        return Proposal(
            summary=f"Delete {title}" + (f", which {controller} makes again" if state.maker else ""),
            before=self.owned(state),
            after={"uid": "", "controller": controller},
            rows=[Row(field="pod", before=pod.metadata.uid, after="deleted")],
            notes=self._notes(state, pod, controller),
            pinned={"uid": pod.metadata.uid, "controller": controller},
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Seen) -> Sequence[str]:
        """Let the API server check the deletion."""
        await self._delete(env, state, dry_run=True)
        return ()

    def owned(self, state: Seen) -> JsonObject:
        """Which pod it is, and whose; one that is being deleted counts as gone."""
        pod = state.pod
        if pod is None or pod.metadata.deletion_timestamp is not None:
            return {"uid": "", "controller": self.controller}
        return {"uid": pod.metadata.uid, "controller": called(pod.metadata.controller)}

    def mark(self, state: Seen) -> str:
        """Nothing is left that could carry one."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: Seen, key: str) -> None:
        """Delete it.

        Raises:
            Conflict: it is gone, or another one has its name.
        """
        await self._delete(env, state)

    def settled(self, state: Seen, after: JsonObject) -> Settlement:
        """Whether it is gone, and the new one is ready."""
        title = f"pod {self.namespace}/{self.name}"
        if state.pod is not None and state.pod.metadata.deletion_timestamp is None:
            return Settlement(state="broken", reason=f"{title} is there as before")
        if state.pod is not None:
            held = ", ".join(state.pod.metadata.finalizers)
            why = f", and the finalizers {held} must be taken off it" if held else ""
            return Settlement(state="waiting", reason=f"{title} is stopping{why}")
        if state.maker is None:
            return Settlement(state="settled", reason=f"{title} is gone")
        judged = replaced(state.maker, self.controller, state.pods)
        return judged.model_copy(update={"reason": f"{title} is gone; {judged.reason}"})

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """There is none."""
        return NoUndo("a pod that was deleted does not come back; its controller, if it has one, makes a new one")

    async def _delete(self, env: Env, state: Seen, *, dry_run: bool = False) -> None:
        if state.pod is None:
            raise Conflict(f"pod {self.namespace}/{self.name} is gone")
        api = cluster_of(env, self.cluster)
        await api.delete(PODS, state.pod.metadata, grace=self.grace_seconds, dry_run=dry_run)

    def _objection(self, pod: Pod) -> str:
        controller = called(pod.metadata.controller)
        if pod.static:
            return "it is static: its node runs it from a file, whatever the API says"
        if QUARANTINE in pod.metadata.labels and not self.quarantined:
            return "it is in quarantine, kept for forensics: `quarantined: true` deletes it"
        if self.controller and controller != self.controller:
            return f"{controller or 'nothing'} controls it, not {self.controller}"
        if not controller and not self.bare:
            return "it has no controller, so nothing makes it again: `bare: true` deletes it"
        return ""

    def _notes(self, state: Seen, pod: Pod, controller: str) -> list[str]:
        if state.maker is None:
            return [f"nobody waits for a new one: {controller or 'nothing'} controls it"]
        notes: list[str] = []
        serving = [one for one in state.maker.made(state.pods) if is_ready(one)]
        if [one.metadata.uid for one in serving] == [pod.metadata.uid]:
            notes.append(f"it is the only ready pod of {controller}: none serves until the new one does")
        if any(one.empty_dir is not None for one in pod.spec.volumes):
            notes.append("data in its emptyDir is lost")
        return notes
