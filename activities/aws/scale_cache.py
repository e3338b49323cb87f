"""Scale a cache of ElastiCache: more or fewer replicas, or nodes of another type."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints, model_validator

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import listed, words
from activities.aws._intent import intent, tag_name, tag_value, tags_of
from activities.aws._scalable import LOOK_FOR_SCALERS, Scaler, scaler_of
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.errors import NotFound, TransientError
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

MAX_REPLICAS = 5
_WELL = "available"
GROUP = "arn:aws:elasticache:{region}:{account}:replicationgroup:{group}"


class Cache(State):
    """A replication group, and what it could become."""

    arn: str
    status: str
    replicas: tuple[int, ...]
    """Replicas of each shard."""
    node_type: str
    fails_over: bool
    """Whether a replica takes over by itself; then there must be one."""
    allowed: tuple[str, ...]
    """Node types that AWS lets it go to."""
    tags: dict[str, str]
    scaler: Scaler | None


class ScaleCache(Change[Cache]):
    """Scale a replication group of ElastiCache (Redis or Valkey): replicas of each shard, or the type of its nodes.

    Replicas serve more reads; another type gives more memory, and replaces the nodes one by one, with a short break. It
    takes ten minutes and more, and costs money: give the step `expires`. Where Application Auto Scaling sets the
    replicas it is refused.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "aws",
            ("elasticache:DescribeReplicationGroups", "elasticache:ListTagsForResource"),
            GROUP,
            "to see what is there",
        ),
        Permission("aws", ("elasticache:ListAllowedNodeTypeModifications",), GROUP, "to see which types are possible"),
        LOOK_FOR_SCALERS,
        Permission(
            "aws",
            (
                "elasticache:AddTagsToResource",
                "elasticache:DecreaseReplicaCount",
                "elasticache:IncreaseReplicaCount",
                "elasticache:ModifyReplicationGroup",
            ),
            GROUP,
            "to change it, with Halon's mark",
        ),
    )
    example: ClassVar[JsonObject] = {"group": "sessions", "replicas": 3}

    group: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9-]*$")]
    """The replication group's id."""
    replicas: Annotated[int, Field(ge=0, le=MAX_REPLICAS)] | None = None
    """How many replicas each shard has, at most 5; either this or `node_type`."""
    node_type: Annotated[str, StringConstraints(max_length=60, pattern=r"^(cache\.[a-z0-9]+\.[a-z0-9]+)?$")] = ""
    """The type of the nodes, such as `cache.r7g.xlarge`."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "ScaleCache":
        if (self.replicas is None) == (not self.node_type):
            raise ValueError("give either `replicas` or `node_type`")
        return self

    def target(self) -> str:
        """Name the replication group."""
        return target(self.account, self.region, "elasticache", self.group)

    async def observe(self, env: Env) -> Cache:
        """Look at the replication group, and for a scaler."""
        found, scaler, allowed = await asyncio.gather(
            self._call(env, "describe_replication_groups", ReplicationGroupId=self.group),
            scaler_of(
                env,
                (self.account, self.region),
                "elasticache",
                f"replication-group/{self.group}",
                "elasticache:replication-group:Replicas",
            ),
            self._allowed(env),
        )
        for one in listed(found, "ReplicationGroups"):
            arn = str(one["ARN"])
            tags = await self._call(env, "list_tags_for_resource", ResourceName=arn)
            shards = [len(listed(shard, "NodeGroupMembers")) - 1 for shard in listed(one, "NodeGroups")]
            return Cache(
                arn=arn,
                status=str(one.get("Status", "")),
                replicas=tuple(shards),
                node_type=str(one.get("CacheNodeType", "")),
                fails_over=str(one.get("AutomaticFailover", "")) in {"enabled", "enabling"},
                allowed=allowed,
                tags=tags_of(tags.get("TagList")),
                scaler=scaler,
            )
        raise NotFound(f"there is no replication group {self.group}")

    async def _allowed(self, env: Env) -> tuple[str, ...]:
        if not self.node_type:
            return ()
        found = await self._call(env, "list_allowed_node_type_modifications", ReplicationGroupId=self.group)
        return tuple(map(str, words(found, "ScaleUpModifications") + words(found, "ScaleDownModifications")))

    def plan(self, state: Cache, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and ask what is possible."""
        there, wanted = self.owned(state), self._wanted
        if there == wanted:
            return Nothing(f"{self._title} has {_shown(wanted)} already")
        objection = self._objection(state)
        if objection:
            return Refusal(objection)
        notes = ["nodes cost money for as long as they run"]
        if self.node_type:
            notes.append("the nodes are replaced one by one, with a short break at each failover")
        return Proposal(
            summary=f"Give {self._title} {_shown(wanted)}, instead of {_shown(there)}",
            before=there,
            after=wanted,
            rows=[Row(field=name.replace("_", " "), before=there[name], after=wanted[name]) for name in wanted],
            notes=notes,
        )

    def _objection(self, state: Cache) -> str:
        """Why it cannot be done; empty when it can."""
        if state.status != _WELL:
            return f"{self._title} is {state.status}: ElastiCache takes no change now"
        if self.node_type:
            known = ", ".join(state.allowed[:10]) or "none"
            return (
                ""
                if self.node_type in state.allowed
                else f"AWS lets {self._title} not go to {self.node_type}, only to {known}"
            )
        if len(set(state.replicas)) != 1:
            return f"the shards of {self._title} have different numbers of replicas: scale them by hand"
        if self.replicas == 0 and state.fails_over:
            return f"{self._title} fails over by itself, which needs a replica"
        return state.scaler.objection(f"the replicas of {self._title}") if state.scaler else ""

    def owned(self, state: Cache) -> JsonObject:
        """The replicas of each shard, or the type of the nodes."""
        if self.node_type:
            return {"node_type": state.node_type}
        return {"replicas": state.replicas[0] if len(set(state.replicas)) == 1 else None}

    def mark(self, state: Cache) -> str:
        """The key of the last change of the same."""
        return intent(state.tags, self._part).mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Cache, key: str) -> None:
        """Write the mark, then the change; AWS has neither a token for it nor a guard.

        A change that this step has announced, and that is under way, is not asked for again.

        Raises:
            TransientError: ElastiCache is busy with another change.
        """
        owned = self.owned(state)
        announced = intent(state.tags, self._part).stands(key, owned)
        if state.status != _WELL:
            if announced:
                return
            raise TransientError(f"{self._title} is {state.status}: ElastiCache takes no change now")
        if not announced:
            tag = {"Key": tag_name(self._part), "Value": tag_value(key, owned)}
            await self._call(env, "add_tags_to_resource", ResourceName=state.arn, Tags=[tag])
        which = {"ReplicationGroupId": self.group, "ApplyImmediately": True}
        if self.replicas is None:
            await self._call(env, "modify_replication_group", **which, CacheNodeType=self.node_type)
        elif self.replicas > state.replicas[0]:
            await self._call(env, "increase_replica_count", **which, NewReplicaCount=self.replicas)
        else:
            await self._call(env, "decrease_replica_count", **which, NewReplicaCount=self.replicas)

    def settled(self, state: Cache, after: JsonObject) -> Settlement:
        """Whether it is so, and well."""
        there = self.owned(state)
        told = f"it has {_shown(there)} and is {state.status}"
        if state.status.endswith("failed"):
            return Settlement(state="broken", reason=told)
        done = there == after and state.status == _WELL
        return Settlement(state="settled" if done else "waiting", reason=told)

    def undo(self, before: JsonObject, after: JsonObject) -> "ScaleCache":
        """Scale to what was there."""
        return ScaleCache.model_validate({**self.model_dump(), **before})

    @property
    def _title(self) -> str:
        return f"replication group {self.group}"

    @property
    def _wanted(self) -> JsonObject:
        return {"node_type": self.node_type} if self.node_type else {"replicas": self.replicas}

    @property
    def _part(self) -> str:
        return "node-type" if self.node_type else "replicas"

    async def _call(self, env: Env, operation: str, **params: Any) -> dict[str, Any]:
        return await account_of(env, self.account).call("elasticache", operation, region=self.region, **params)


def _shown(what: JsonObject) -> str:
    if "node_type" in what:
        return f"nodes of type {what['node_type']}"
    count = what["replicas"]
    return "uneven replicas" if count is None else f"{count} replicas a shard"
