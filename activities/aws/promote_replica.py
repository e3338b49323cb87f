"""Make a read replica a database of its own, which cannot be taken back."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.aws._account import AccountName, Region, target
from activities.aws._databases import INSTANCE, LOOK_AT_INSTANCES, WELL, Instance, look_at_instance
from activities.aws._lag import READ_METRICS, lag_of
from halon.contracts.base import Duration, JsonObject, format_duration
from halon.contracts.plan import Effect, Row, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env

_PART = "promotion"


class Replica(State):
    """A replica, and how far it is behind."""

    instance: Instance
    lag: timedelta | None


class PromoteReplica(Change[Replica]):
    """Make a read replica of RDS a database of its own: it no longer follows its source, and takes writes.

    What the source had and the replica had not is lost to it, so a replica that is more than `max_lag` behind, or that
    CloudWatch knows no lag of, is refused. RDS restarts it, which takes some minutes. Those who use the source must be
    moved by other steps, and the source be stopped from taking writes, or there are two truths. A reader of an Aurora
    cluster is no such replica: see `aws.fail_over_database`.
    """

    effect: ClassVar[Effect] = Effect.DESTROY
    permissions: ClassVar[tuple[Permission, ...]] = (
        LOOK_AT_INSTANCES,
        READ_METRICS,
        Permission("aws", ("rds:AddTagsToResource", "rds:PromoteReadReplica"), INSTANCE, "to promote it, marked"),
    )
    example: ClassVar[JsonObject] = {"instance": "orders-replica-1", "max_lag": "30s"}
    undoable: ClassVar[bool] = False

    instance: Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-zA-Z][a-zA-Z0-9-]*$")]
    """The replica's identifier."""
    max_lag: Duration = timedelta(seconds=30)
    """How far it may be behind."""
    even_if_behind: bool = False
    """Promote it however far it is behind, also when CloudWatch does not know: what it has not is lost."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the replica."""
        return target(self.account, self.region, "rds", self.instance)

    async def observe(self, env: Env) -> Replica:
        """Look at the replica and its lag."""
        place = (self.account, self.region)
        instance, lag = await asyncio.gather(
            look_at_instance(env, *place, self.instance), lag_of(env, place, self.instance, "")
        )
        return Replica(instance=instance, lag=lag)

    def plan(self, state: Replica, now: datetime) -> Proposal | Nothing | Refusal:
        """Say what it leaves, unless it is too far behind."""
        instance = state.instance
        if instance.cluster:
            return Refusal(f"{instance.title} belongs to cluster {instance.cluster}: fail that over instead")
        if not instance.source:
            return Nothing(f"{instance.title} is no replica")
        if instance.status != WELL:
            return Refusal(f"{instance.title} is {instance.status}: RDS promotes nothing now")
        behind = "an unknown time" if state.lag is None else format_duration(state.lag)
        if not self.even_if_behind and (state.lag is None or state.lag > self.max_lag):
            return Refusal(f"{instance.title} is {behind} behind {instance.source}: what it has not would be lost")
        return Proposal(
            summary=f"Promote {instance.title}, which follows {instance.source}, to a database of its own",
            before={"source": instance.source},
            after={"source": ""},
            rows=[Row(field="follows", before=instance.source, after=None)],
            notes=[f"it is {behind} behind", f"{instance.source} goes on taking writes, unless something stops it"],
        )

    def owned(self, state: Replica) -> JsonObject:
        """What it follows."""
        return {"source": state.instance.source}

    def mark(self, state: Replica) -> str:
        """The key of the promotion."""
        return state.instance.intent(_PART).mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Replica, key: str) -> None:
        """Write the mark, then promote.

        Raises:
            TransientError: RDS is busy with another change.
        """
        if state.instance.under_way(_PART, key, self.owned(state)):
            return
        await state.instance.announce(env, _PART, key, self.owned(state))
        await state.instance.call(env, "promote_read_replica", DBInstanceIdentifier=self.instance)

    def settled(self, state: Replica, after: JsonObject) -> Settlement:
        """Whether it follows nothing and is well."""
        instance = state.instance
        told = f"it follows {instance.source or 'nothing'} and is {instance.status}"
        done = self.owned(state) == after and instance.status == WELL
        return Settlement(state="settled" if done else "waiting", reason=told)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """Say why not."""
        return NoUndo("RDS cannot make it a replica again: replication is built anew, from a new replica")
