"""Fail over a database of RDS to its standby, or a cluster to one of its readers."""

from datetime import datetime
from typing import ClassVar

from pydantic import model_validator

from activities.aws._account import AccountName, Region, target
from activities.aws._databases import (
    CLUSTER,
    INSTANCE,
    LOOK_AT_CLUSTERS,
    LOOK_AT_INSTANCES,
    WELL,
    Cluster,
    DatabaseId,
    Instance,
    look_at_cluster,
    look_at_instance,
)
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env

_PART = "failover"


class Standing(State):
    """A database, and where it could go."""

    database: Cluster | Instance


class FailOverDatabase(Change[Standing]):
    """Fail over a database: an Aurora or Multi-AZ cluster to one of its readers, a Multi-AZ instance to its standby.

    It is out for half a minute to some minutes, connections break, and transactions that are not committed are lost. A
    cluster goes to the reader of the best promotion tier, unless `to` names another; how far a reader is behind is not
    looked at here: see `aws.get_replication_lag`. RDS may show an instance's new zone only after minutes.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        LOOK_AT_CLUSTERS,
        LOOK_AT_INSTANCES,
        Permission("aws", ("rds:DescribeEvents",), "*", "to see whether RDS has begun already"),
        Permission(
            "aws", ("rds:AddTagsToResource", "rds:FailoverDBCluster"), CLUSTER, "to fail a cluster over, marked"
        ),
        Permission("aws", ("rds:FailoverDBCluster",), "arn:aws:rds:{region}:{account}:db:*", "to choose the reader"),
        Permission(
            "aws", ("rds:AddTagsToResource", "rds:RebootDBInstance"), INSTANCE, "to fail an instance over, marked"
        ),
    )
    example: ClassVar[JsonObject] = {"cluster": "orders"}
    undoable: ClassVar[bool] = False

    cluster: DatabaseId = ""
    """The cluster's identifier; either this or `instance`."""
    instance: DatabaseId = ""
    """The identifier of an instance that stands alone and has a standby."""
    to: DatabaseId = ""
    """The reader of the cluster that shall write; without it, the one of the best promotion tier."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "FailOverDatabase":
        if bool(self.cluster) == bool(self.instance):
            raise ValueError("give either `cluster` or `instance`")
        if self.to and self.instance:
            raise ValueError("`to` belongs to a `cluster`: an instance goes to its standby")
        return self

    def target(self) -> str:
        """Name the database."""
        return target(self.account, self.region, "rds", self.cluster or self.instance)

    async def observe(self, env: Env) -> Standing:
        """Look at the database."""
        if self.cluster:
            return Standing(database=await look_at_cluster(env, self.account, self.region, self.cluster))
        return Standing(database=await look_at_instance(env, self.account, self.region, self.instance))

    def plan(self, state: Standing, now: datetime) -> Proposal | Nothing | Refusal:
        """Say where it goes."""
        database = state.database
        if database.status != WELL:
            return Refusal(f"{database.title} is {database.status}: RDS takes no failover now")
        if isinstance(database, Instance):
            return self._of_instance(database)
        return self._of_cluster(database)

    def _of_instance(self, instance: Instance) -> Proposal | Refusal:
        if instance.cluster:
            return Refusal(f"{instance.title} belongs to cluster {instance.cluster}: give `cluster`")
        if not instance.multi_az or not instance.standby:
            return Refusal(f"{instance.title} has no standby")
        return Proposal(
            summary=f"Fail over {instance.title} from {instance.zone} to its standby in {instance.standby}",
            before={"zone": instance.zone},
            after={"zone": instance.standby},
            rows=[Row(field="zone", before=instance.zone, after=instance.standby)],
            notes=[_OUTAGE],
        )

    def _of_cluster(self, cluster: Cluster) -> Proposal | Nothing | Refusal:
        if self.to and self.to == cluster.writer:
            return Nothing(f"{self.to} writes for {cluster.title} already")
        readers = [one for one in cluster.members if not one.writer]
        if self.to and self.to not in {one.name for one in readers}:
            return Refusal(f"{cluster.title} has no reader {self.to}")
        fit = [one for one in readers if one.status == WELL and self.to in {"", one.name}]
        if not fit:
            there = ", ".join(f"{one.name} ({one.status or 'unknown'})" for one in readers) or "none"
            return Refusal(f"{cluster.title} has no reader that could take over; its readers: {there}")
        return Proposal(
            summary=f"Fail over {cluster.title} from {cluster.writer or 'no writer'} to {fit[0].name}",
            before={"writer": cluster.writer},
            after={"writer": fit[0].name},
            rows=[Row(field="writer", before=cluster.writer, after=fit[0].name)],
            notes=[_OUTAGE],
        )

    def owned(self, state: Standing) -> JsonObject:
        """Where it writes."""
        database = state.database
        return {"zone": database.zone} if isinstance(database, Instance) else {"writer": database.writer}

    def mark(self, state: Standing) -> str:
        """The key of the last failover."""
        return state.database.intent(_PART).mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Standing, key: str) -> None:
        """Write the mark, then fail over; what an earlier attempt has begun, by RDS's own events, is not begun again.

        Raises:
            TransientError: RDS is busy with another change.
        """
        database, owned = state.database, self.owned(state)
        if database.under_way(_PART, key, owned):
            return
        announced = database.intent(_PART)
        if announced.stands(key, owned) and await database.told(env, "failover", announced.more):
            return
        await database.announce(env, _PART, key, owned)
        if isinstance(database, Instance):
            which = {"DBInstanceIdentifier": database.name, "ForceFailover": True}
            await database.call(env, "reboot_db_instance", **which)
        else:
            which = {"DBClusterIdentifier": database.name, "TargetDBInstanceIdentifier": after["writer"]}
            await database.call(env, "failover_db_cluster", **which)

    def settled(self, state: Standing, after: JsonObject) -> Settlement:
        """Whether it writes where it should, and is well."""
        database, there = state.database, self.owned(state)
        where = next(iter(there.values()))
        told = f"{database.title} writes in {where or 'no place'} and is {database.status}"
        done = there == after and database.status == WELL
        return Settlement(state="settled" if done else "waiting", reason=told)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """Say why not."""
        return NoUndo("going back is another failover, with another outage: decide on it when the first place is well")


_OUTAGE = "connections break, and it is out for half a minute to some minutes"
