"""Look at a cache of ElastiCache."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import listed
from halon.contracts.base import JsonObject
from halon.errors import NotFound
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

_WELL = "available"
GROUP = "arn:aws:elasticache:{region}:{account}:replicationgroup:{group}"


class CacheSeen(Output):
    """A replication group."""

    status: str
    """ElastiCache's own word, such as `available`, `modifying`."""
    available: bool
    """Whether that is `available`, so that it takes a change."""
    shards: int
    """How many shards it has."""
    replicas: int
    """How many replicas each shard has; where they differ, the fewest."""
    node_type: str
    """The type of its nodes, such as `cache.r7g.large`."""
    nodes: tuple[str, ...]
    """The ids of its nodes, which CloudWatch calls `CacheClusterId`, in order; at most 100."""


class DescribeCache(Read[CacheSeen]):
    """Look at a replication group of ElastiCache: its replicas, its nodes, and whether it can be changed."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("aws", ("elasticache:DescribeReplicationGroups",), GROUP, "to see what is there"),
    )
    example: ClassVar[JsonObject] = {"group": "sessions"}

    group: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9-]*$")]
    """The replication group's id."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the replication group."""
        return target(self.account, self.region, "elasticache", self.group)

    async def run(self, env: Env) -> CacheSeen:
        """Look."""
        answer = await account_of(env, self.account).call(
            "elasticache", "describe_replication_groups", region=self.region, ReplicationGroupId=self.group
        )
        for one in listed(answer, "ReplicationGroups"):
            shards = [listed(shard, "NodeGroupMembers") for shard in listed(one, "NodeGroups")]
            nodes = sorted(str(each.get("CacheClusterId", "")) for shard in shards for each in shard)
            return CacheSeen(
                status=str(one.get("Status", "")),
                available=one.get("Status") == _WELL,
                shards=len(shards),
                replicas=max(0, min((len(shard) for shard in shards), default=0) - 1),
                node_type=str(one.get("CacheNodeType", "")),
                nodes=tuple(nodes[:100]),
            )
        raise NotFound(f"there is no replication group {self.group}")
