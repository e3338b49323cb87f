"""What the actions on RDS share: how instances and clusters are looked at and marked."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, TypeAlias

from pydantic import StringConstraints

from activities.aws._account import account_of
from activities.aws._answers import listed
from activities.aws._intent import Intent, intent, tag_name, tag_value, tags_of
from halon.contracts.base import JsonObject
from halon.errors import NotFound, TransientError
from halon.kit.action import Permission, State
from halon.kit.env import Env

DatabaseId: TypeAlias = Annotated[str, StringConstraints(max_length=63, pattern=r"^([a-zA-Z][a-zA-Z0-9-]*)?$")]
"""An instance's or cluster's identifier, or empty."""

INSTANCE = "arn:aws:rds:{region}:{account}:db:{instance}"
CLUSTER = "arn:aws:rds:{region}:{account}:cluster:{cluster}"
LOOK_AT_INSTANCES = Permission(
    "aws", ("rds:DescribeDBInstances",), "arn:aws:rds:{region}:{account}:db:*", "to see what is there"
)
LOOK_AT_CLUSTERS = Permission("aws", ("rds:DescribeDBClusters",), CLUSTER, "to see what is there")
WELL = "available"
_MAX_EVENTS = timedelta(days=13)
"""RDS keeps events for two weeks."""


class Database(State):
    """One instance or cluster, and how to reach it."""

    account: str
    region: str
    kind: str
    """`instance` or `cluster`."""
    name: str
    arn: str
    status: str
    engine: str
    tags: dict[str, str]

    @property
    def title(self) -> str:
        """What people call it."""
        return f"RDS {self.kind} {self.name}"

    def intent(self, part: str) -> Intent:
        """Give Halon's mark for one part of it."""
        return intent(self.tags, part)

    def under_way(self, part: str, key: str, owned: JsonObject) -> bool:
        """Whether RDS is busy with the change that this step has announced, so that it is not asked for again.

        Raises:
            TransientError: RDS is busy with another one.
        """
        if self.status == WELL:
            return False
        if self.intent(part).stands(key, owned):
            return True
        raise TransientError(f"{self.title} is {self.status}: RDS takes no change now")

    async def announce(self, env: Env, part: str, key: str, owned: JsonObject) -> None:
        """Write Halon's mark, unless it stands there already."""
        if self.intent(part).stands(key, owned):
            return
        value = tag_value(key, owned, str(int(env.now().timestamp())))
        tag = {"Key": tag_name(part), "Value": value}
        await self.call(env, "add_tags_to_resource", ResourceName=self.arn, Tags=[tag])

    async def call(self, env: Env, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call to RDS."""
        return await account_of(env, self.account).call("rds", operation, region=self.region, **params)

    async def told(self, env: Env, category: str, since: str) -> bool:
        """Whether RDS tells of an event since a time, in seconds of the epoch.

        A change that RDS has taken may not show in what it describes for minutes; its events show it at once.
        """
        if not since.isdigit():
            return False
        ago = min(max(env.now().timestamp() - int(since), 0) // 60 + 1, _MAX_EVENTS.total_seconds() // 60)
        answer = await self.call(
            env,
            "describe_events",
            SourceIdentifier=self.name,
            SourceType=f"db-{self.kind}",
            EventCategories=[category],
            Duration=int(ago),
        )
        return bool(listed(answer, "Events"))


class Instance(Database):
    """One instance."""

    multi_az: bool
    zone: str
    standby: str
    """The zone of the standby; empty when there is none."""
    source: str
    """What it replicates; empty when it is no replica."""
    cluster: str
    """The cluster that it belongs to; empty when it stands alone."""


class Member(State):
    """An instance of a cluster."""

    name: str
    writer: bool
    tier: int
    status: str


class Cluster(Database):
    """One cluster."""

    members: tuple[Member, ...]
    """Writer first, then by promotion tier."""

    @property
    def writer(self) -> str:
        """The instance that writes; empty while there is none."""
        return next((one.name for one in self.members if one.writer), "")


async def look_at_instance(env: Env, account: str, region: str, name: str) -> Instance:
    """Look at an instance.

    Raises:
        NotFound: there is none of this name.
        HalonError: whatever else asking AWS meets.
    """
    answer = await account_of(env, account).call(
        "rds", "describe_db_instances", region=region, DBInstanceIdentifier=name
    )
    for one in listed(answer, "DBInstances"):
        return Instance(
            **_shared(one, account, region, "instance", "DBInstance"),
            multi_az=bool(one.get("MultiAZ")),
            zone=str(one.get("AvailabilityZone", "")),
            standby=str(one.get("SecondaryAvailabilityZone", "")),
            source=str(one.get("ReadReplicaSourceDBInstanceIdentifier", "")).rpartition(":")[2],
            cluster=str(one.get("DBClusterIdentifier", "")),
        )
    raise NotFound(f"there is no RDS instance {name}")


async def look_at_cluster(env: Env, account: str, region: str, name: str) -> Cluster:
    """Look at a cluster and its instances.

    Raises:
        NotFound: there is none of this name.
        HalonError: whatever else asking AWS meets.
    """
    api = account_of(env, account)
    answer = await api.call("rds", "describe_db_clusters", region=region, DBClusterIdentifier=name)
    instances = await api.pages(
        "rds",
        "describe_db_instances",
        "DBInstances[].{name: DBInstanceIdentifier, status: DBInstanceStatus}",
        region=region,
        most=100,
        Filters=[{"Name": "db-cluster-id", "Values": [name]}],
    )
    statuses = {str(one["name"]): str(one["status"]) for one in instances}
    for one in listed(answer, "DBClusters"):
        members = [_member(each, statuses) for each in listed(one, "DBClusterMembers")]
        return Cluster(
            **_shared(one, account, region, "cluster", "DBCluster"),
            members=tuple(sorted(members, key=lambda each: (not each.writer, each.tier, each.name))),
        )
    raise NotFound(f"there is no RDS cluster {name}")


def _member(one: Mapping[str, Any], statuses: Mapping[str, str]) -> Member:
    name = str(one["DBInstanceIdentifier"])
    return Member(
        name=name,
        writer=bool(one.get("IsClusterWriter")),
        tier=int(one.get("PromotionTier", 1)),
        status=statuses.get(name, ""),
    )


def _shared(one: Mapping[str, Any], account: str, region: str, kind: str, prefix: str) -> dict[str, Any]:
    status = one.get("DBInstanceStatus") if kind == "instance" else one.get("Status")
    return {
        "account": account,
        "region": region,
        "kind": kind,
        "name": str(one[f"{prefix}Identifier"]),
        "arn": str(one[f"{prefix}Arn"]),
        "status": str(status or ""),
        "engine": str(one.get("Engine", "")),
        "tags": tags_of(one.get("TagList")),
    }
