"""Let a cordoned node take pods again."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from activities.kubernetes import cordon
from activities.kubernetes._node import GET, PATCH, Seen, leaving, mark, read, target, uncordoning, write
from activities.kubernetes._object import ClusterName, Name
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env


class Uncordon(Change[Seen]):
    """Let a cordoned node take pods again. Pods that were drained from it come back only as the scheduler likes."""

    permissions: ClassVar[tuple[Permission, ...]] = (GET, PATCH)
    example: ClassVar[JsonObject] = {"name": "node-a"}

    name: Name
    """The node's name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the node."""
        return target(self.cluster, self.name)

    async def observe(self, env: Env) -> Seen:
        """Look at the node."""
        return Seen(node=await read(env, self.cluster, self.name))

    def plan(self, state: Seen, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and say what else keeps pods away."""
        if not state.node.spec.unschedulable:
            return Nothing(f"{state.title} takes pods already")
        notes = [] if state.node.ready else [f"{state.title} is not ready: it takes no pods until it is"]
        taint = leaving(state.node)
        if taint:
            notes.append(f"its taint {taint} says that an autoscaler is about to remove it")
        return Proposal(
            summary=f"Uncordon {state.title}: it takes pods again",
            before=state.owned,
            after=state.wanting(unschedulable=False),
            rows=[Row(field="unschedulable", before=True, after=False)],
            notes=notes,
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Seen) -> Sequence[str]:
        """Let the API server check the patch."""
        await write(env, self.cluster, state.node, uncordoning(state.node, ""), dry_run=True)
        return ()

    def owned(self, state: Seen) -> JsonObject:
        """Which machine it is, and whether it takes pods."""
        return state.owned

    def mark(self, state: Seen) -> str:
        """The key of the last change to that."""
        return mark(state.node)

    async def apply(self, env: Env, after: JsonObject, state: Seen, key: str) -> None:
        """Write it."""
        await write(env, self.cluster, state.node, uncordoning(state.node, key))

    def settled(self, state: Seen, after: JsonObject) -> Settlement:
        """Whether it is still so."""
        if state.owned == after:
            return Settlement(state="settled", reason=f"{state.title} takes pods again")
        return Settlement(state="broken", reason=f"somebody cordoned {state.title}, or replaced it, meanwhile")

    def undo(self, before: JsonObject, after: JsonObject) -> "cordon.Cordon":
        """Cordon it again, however few others there are: that is how it was."""
        return cordon.Cordon(name=self.name, cluster=self.cluster, leaves=0)
