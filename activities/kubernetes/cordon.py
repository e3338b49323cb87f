"""Let a node take no new pods."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from activities.kubernetes import uncordon
from activities.kubernetes._node import COUNT, GET, PATCH, Seen, cordoning, mark, others, read, refuse, target, write
from activities.kubernetes._object import ClusterName, Name
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env


class Cordon(Change[Seen]):
    """Let a node take no new pods; those that are on it stay.

    It is refused when fewer than `leaves` other nodes would be left to take pods, so that a playbook that runs for one
    node after the other cannot take a cluster out of use.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (GET, COUNT, PATCH)
    example: ClassVar[JsonObject] = {"name": "node-a"}

    name: Name
    """The node's name."""
    leaves: Annotated[int, Field(ge=0, le=1000)] = 1
    """So many other nodes must be ready and take pods; with 0 nobody counts them."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the node."""
        return target(self.cluster, self.name)

    async def observe(self, env: Env) -> Seen:
        """Look at the node, and count the others."""
        node = await read(env, self.cluster, self.name)
        return Seen(node=node, others=await others(env, self.cluster, self.name) if self.leaves else 0)

    def plan(self, state: Seen, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and see whether others are left."""
        if state.node.spec.unschedulable:
            return Nothing(f"{state.title} is cordoned already")
        objection = state.too_few(self.leaves)
        if objection:
            return Refusal(f"{state.title} stays as it is: {objection}")
        return Proposal(
            summary=f"Cordon {state.title}: it takes no new pods, and keeps those it has",
            before=state.owned,
            after=state.wanting(unschedulable=True),
            rows=[Row(field="unschedulable", before=False, after=True)],
            notes=[f"{state.others} other nodes are ready and take pods"] if self.leaves else [],
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Seen) -> Sequence[str]:
        """Let the API server check the patch."""
        await write(env, self.cluster, state.node, cordoning(state.node, ""), dry_run=True)
        return ()

    def owned(self, state: Seen) -> JsonObject:
        """Which machine it is, and whether it takes pods."""
        return state.owned

    def mark(self, state: Seen) -> str:
        """The key of the last change to that."""
        return mark(state.node)

    async def apply(self, env: Env, after: JsonObject, state: Seen, key: str) -> None:
        """Write it.

        Raises:
            PermanentError: too few other nodes are left by now.
        """
        refuse(state.too_few(self.leaves))
        await write(env, self.cluster, state.node, cordoning(state.node, key))

    def settled(self, state: Seen, after: JsonObject) -> Settlement:
        """Whether it is still so."""
        if state.owned == after:
            return Settlement(state="settled", reason=f"{state.title} is cordoned")
        return Settlement(state="broken", reason=f"somebody uncordoned {state.title}, or replaced it, meanwhile")

    def undo(self, before: JsonObject, after: JsonObject) -> "uncordon.Uncordon":
        """Let it take pods again."""
        return uncordon.Uncordon(name=self.name, cluster=self.cluster)
