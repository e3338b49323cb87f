"""Look at a database of RDS."""

from typing import ClassVar

from pydantic import model_validator

from activities.aws._account import AccountName, Region, target
from activities.aws._databases import (
    LOOK_AT_CLUSTERS,
    LOOK_AT_INSTANCES,
    WELL,
    DatabaseId,
    look_at_cluster,
    look_at_instance,
)
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env


class MemberSeen(Output):
    """One instance of a cluster."""

    name: str
    writer: bool
    status: str


class DatabaseSeen(Output):
    """A database."""

    name: str
    """Its identifier."""
    engine: str
    """Such as `aurora-postgresql`."""
    status: str
    """RDS's own word, such as `available`, `failing-over`, `storage-full`."""
    available: bool
    """Whether that is `available`."""
    writer: str
    """A cluster's instance that writes; empty for an instance, and for a cluster without a writer."""
    readers: int
    """How many available readers a cluster has."""
    members: tuple[MemberSeen, ...]
    """A cluster's instances, the writer first, then in the order in which they would take over."""
    zone: str
    """An instance's availability zone; empty for a cluster."""
    standby: str
    """The zone of an instance's standby; empty when it has none."""
    source: str
    """What an instance replicates; empty when it is no replica."""


class DescribeDatabase(Read[DatabaseSeen]):
    """Look at a database of RDS: its state, and where it could fail over to."""

    permissions: ClassVar[tuple[Permission, ...]] = (LOOK_AT_CLUSTERS, LOOK_AT_INSTANCES)
    example: ClassVar[JsonObject] = {"cluster": "orders"}

    cluster: DatabaseId = ""
    """The cluster's identifier; either this or `instance`."""
    instance: DatabaseId = ""
    """The instance's identifier."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "DescribeDatabase":
        if bool(self.cluster) == bool(self.instance):
            raise ValueError("give either `cluster` or `instance`")
        return self

    def target(self) -> str:
        """Name the database."""
        return target(self.account, self.region, "rds", self.cluster or self.instance)

    async def run(self, env: Env) -> DatabaseSeen:
        """Look."""
        place = (self.account, self.region)
        if self.cluster:
            cluster = await look_at_cluster(env, *place, self.cluster)
            return DatabaseSeen(
                name=cluster.name,
                engine=cluster.engine,
                status=cluster.status,
                available=cluster.status == WELL,
                writer=cluster.writer,
                readers=sum(1 for one in cluster.members if not one.writer and one.status == WELL),
                members=tuple(
                    MemberSeen(name=one.name, writer=one.writer, status=one.status) for one in cluster.members
                ),
                zone="",
                standby="",
                source="",
            )
        found = await look_at_instance(env, *place, self.instance)
        return DatabaseSeen(
            name=found.name,
            engine=found.engine,
            status=found.status,
            available=found.status == WELL,
            writer="",
            readers=0,
            members=(),
            zone=found.zone,
            standby=found.standby,
            source=found.source,
        )
