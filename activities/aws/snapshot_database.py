"""Take a snapshot of a database of RDS."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import StringConstraints, model_validator

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import listed
from activities.aws._databases import (
    CLUSTER,
    INSTANCE,
    LOOK_AT_CLUSTERS,
    LOOK_AT_INSTANCES,
    Database,
    DatabaseId,
    look_at_cluster,
    look_at_instance,
)
from activities.aws._intent import tag_name, tags_of
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.errors import NotFound
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env

_PART = "snapshot"
_READY = frozenset({"available", "storage-optimization"})


class Kept(State):
    """A database, and the snapshot of this name."""

    database: Database
    of: str
    """Which database the snapshot of this name is of; empty when there is none."""
    status: str
    progress: int
    """Percent."""
    key: str
    """Halon's mark on the snapshot."""


class SnapshotDatabase(Change[Kept]):
    """Take a snapshot of a database of RDS, an instance or a cluster, and wait until it is complete.

    The name is the caller's, and makes it once: a snapshot of this name that is there already is the one that is
    wanted. It stays until somebody deletes it, and costs its storage. Without a standby it may pause meanwhile.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        LOOK_AT_CLUSTERS,
        LOOK_AT_INSTANCES,
        Permission("aws", ("rds:DescribeDBSnapshots", "rds:DescribeDBClusterSnapshots"), "*", "to see what is there"),
        Permission("aws", ("rds:CreateDBSnapshot",), INSTANCE, "to take one of an instance"),
        Permission("aws", ("rds:CreateDBClusterSnapshot",), CLUSTER, "to take one of a cluster"),
        Permission(
            "aws",
            ("rds:AddTagsToResource", "rds:CreateDBSnapshot"),
            "arn:aws:rds:{region}:{account}:snapshot:{snapshot}",
            "to name and mark it",
        ),
        Permission(
            "aws",
            ("rds:AddTagsToResource", "rds:CreateDBClusterSnapshot"),
            "arn:aws:rds:{region}:{account}:cluster-snapshot:{snapshot}",
            "to name and mark it",
        ),
    )
    example: ClassVar[JsonObject] = {"cluster": "orders", "snapshot": "halon-orders-before-failover"}
    undoable: ClassVar[bool] = False

    cluster: DatabaseId = ""
    """The cluster's identifier; either this or `instance`."""
    instance: DatabaseId = ""
    """The identifier of an instance that stands alone."""
    snapshot: Annotated[str, StringConstraints(max_length=255, pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
    """The snapshot's name: lower-case letters, digits and single hyphens. With the incident's id in it, it is new."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "SnapshotDatabase":
        if bool(self.cluster) == bool(self.instance):
            raise ValueError("give either `cluster` or `instance`")
        return self

    def target(self) -> str:
        """Name the database."""
        return target(self.account, self.region, "rds", self.cluster or self.instance)

    async def observe(self, env: Env) -> Kept:
        """Look at the database and at the snapshot of this name."""
        database, found = await asyncio.gather(self._database(env), self._snapshot(env))
        prefix = "DBCluster" if self.cluster else "DBInstance"
        return Kept(
            database=database,
            of=str(found.get(f"{prefix}Identifier", "")),
            status=str(found.get("Status", "")),
            progress=int(found.get("PercentProgress", 0)),
            key=tags_of(found.get("TagList")).get(tag_name(_PART), ""),
        )

    async def _database(self, env: Env) -> Database:
        if self.cluster:
            return await look_at_cluster(env, self.account, self.region, self.cluster)
        return await look_at_instance(env, self.account, self.region, self.instance)

    async def _snapshot(self, env: Env) -> dict[str, Any]:
        api = account_of(env, self.account)
        kind = "cluster_" if self.cluster else ""
        which = {"DBClusterSnapshotIdentifier" if self.cluster else "DBSnapshotIdentifier": self.snapshot}
        try:
            answer = await api.call("rds", f"describe_db_{kind}snapshots", region=self.region, **which)
        except NotFound:
            return {}
        found = listed(answer, "DBClusterSnapshots" if self.cluster else "DBSnapshots")
        return found[0] if found else {}

    def plan(self, state: Kept, now: datetime) -> Proposal | Nothing | Refusal:
        """Say what is kept, unless it is there."""
        database = state.database
        if state.of == database.name and state.status != "failed":
            return Nothing(f"snapshot {self.snapshot} of {database.title} is there, and is {state.status}")
        if state.of:
            return Refusal(f"snapshot {self.snapshot} is there, of {state.of}, and {state.status}: give another name")
        if database.status not in _READY:
            return Refusal(f"{database.title} is {database.status}: RDS takes no snapshot now")
        return Proposal(
            summary=f"Take a snapshot {self.snapshot} of {database.title}",
            before={"of": ""},
            after={"of": database.name},
            rows=[Row(field=f"snapshot {self.snapshot}", before=None, after=f"of {database.name}")],
            notes=["it stays, and costs its storage, until somebody deletes it"],
        )

    def owned(self, state: Kept) -> JsonObject:
        """Which database the snapshot of this name is of."""
        return {"of": state.of}

    def mark(self, state: Kept) -> str:
        """The key that the snapshot was taken with."""
        return state.key

    async def apply(self, env: Env, after: JsonObject, state: Kept, key: str) -> None:
        """Take it, with the mark in the same call; RDS takes each name once."""
        tags = [{"Key": tag_name(_PART), "Value": key}]
        if self.cluster:
            which = {"DBClusterIdentifier": self.cluster, "DBClusterSnapshotIdentifier": self.snapshot}
            await state.database.call(env, "create_db_cluster_snapshot", **which, Tags=tags)
        else:
            which = {"DBInstanceIdentifier": self.instance, "DBSnapshotIdentifier": self.snapshot}
            await state.database.call(env, "create_db_snapshot", **which, Tags=tags)

    def settled(self, state: Kept, after: JsonObject) -> Settlement:
        """Whether it is complete."""
        if state.of != after["of"]:
            return Settlement(state="broken", reason=f"snapshot {self.snapshot} is gone")
        if state.status == "failed":
            return Settlement(state="broken", reason=f"snapshot {self.snapshot} failed")
        if state.status == "available":
            return Settlement(state="settled", reason=f"snapshot {self.snapshot} is complete")
        return Settlement(state="waiting", reason=f"it is {state.status}, {state.progress}%")

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """Say why not."""
        return NoUndo("a snapshot is kept, not undone: delete it by hand when nobody needs it")
