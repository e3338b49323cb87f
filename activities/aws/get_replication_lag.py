"""Ask how far the replicas of a database are behind."""

import asyncio
from datetime import timedelta
from typing import ClassVar

from pydantic import model_validator

from activities.aws._account import AccountName, Region, target
from activities.aws._databases import (
    LOOK_AT_CLUSTERS,
    LOOK_AT_INSTANCES,
    DatabaseId,
    look_at_cluster,
    look_at_instance,
)
from activities.aws._lag import READ_METRICS, lag_of
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env


class ReplicaLag(Output):
    """How far one replica is behind."""

    instance: str
    lag: Duration | None


class ReplicationLag(Output):
    """How far the replicas are behind, by their newest measurements of the last five minutes."""

    lag: Duration | None
    """The largest lag. Null when any replica has no measurement, or does not replicate: that is no lag of nothing."""
    no_data: bool
    """True when `lag` is null; a verification then waits, and never passes."""
    replicas: tuple[ReplicaLag, ...]
    """Each replica, in order of name."""


class GetReplicationLag(Read[ReplicationLag]):
    """Ask how far a replica is behind, or every reader of a cluster.

    It is what CloudWatch measured last, as `ReplicaLag` or, of Aurora, `AuroraReplicaLag`. A replica without such a
    measurement makes the answer `no_data`, and so does a cluster without readers.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (LOOK_AT_CLUSTERS, LOOK_AT_INSTANCES, READ_METRICS)
    example: ClassVar[JsonObject] = {"instance": "orders-replica-1"}

    cluster: DatabaseId = ""
    """A cluster, for all of its readers; either this or `instance`."""
    instance: DatabaseId = ""
    """One replica."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "GetReplicationLag":
        if bool(self.cluster) == bool(self.instance):
            raise ValueError("give either `cluster` or `instance`")
        return self

    def target(self) -> str:
        """Name the database."""
        return target(self.account, self.region, "rds", self.cluster or self.instance)

    async def run(self, env: Env) -> ReplicationLag:
        """Ask."""
        place = (self.account, self.region)
        if self.cluster:
            cluster = await look_at_cluster(env, *place, self.cluster)
            names, engine = sorted(one.name for one in cluster.members if not one.writer), cluster.engine
        else:
            instance = await look_at_instance(env, *place, self.instance)
            names, engine = [instance.name], instance.engine
        lags = await asyncio.gather(*(lag_of(env, place, name, engine) for name in names))
        known = [one for one in lags if one is not None]
        whole = bool(lags) and len(known) == len(lags)
        return ReplicationLag(
            lag=max(known, default=timedelta()) if whole else None,
            no_data=not whole,
            replicas=tuple(ReplicaLag(instance=name, lag=lag) for name, lag in zip(names, lags, strict=True)),
        )
