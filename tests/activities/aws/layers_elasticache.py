"""Replication groups of ElastiCache, of which moto has neither replicas nor changes, and no tags."""

from collections.abc import Callable
from typing import Any

from emulator import Answer, Call, Emulator, Layer

ARN = "arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:sessions"
NAMESPACE = "http://elasticache.amazonaws.com/doc/2015-02-02/"
STEPS = 2
"""How often a look finds a change under way before it is done."""


def cache(aws: Emulator, **more: Any) -> None:
    """A replication group of two shards with one replica each."""
    aws.state["cache"] = {
        "replicas": [1, 1],
        "node_type": "cache.r7g.large",
        "fails_over": "enabled",
        "tags": {},
        "looks": STEPS,
        "then": {},
        **more,
    }


def describe(call: Call) -> Answer:
    found = _cache(call)
    found["looks"] += 1
    if found["looks"] >= STEPS:
        found |= found["then"]
        found["then"] = {}
    return _answer(call, f"<ReplicationGroups>{_group(found)}</ReplicationGroups>")


def _group(found: dict[str, Any]) -> str:
    shards = ""
    for number, replicas in enumerate(found["replicas"], 1):
        ids = (f"sessions-{number:04}-{each:03}" for each in range(1, replicas + 2))
        nodes = "".join(f"<NodeGroupMember><CacheClusterId>{one}</CacheClusterId></NodeGroupMember>" for one in ids)
        members = f"<NodeGroupMembers>{nodes}</NodeGroupMembers>"
        shards += f"<NodeGroup><NodeGroupId>{number:04}</NodeGroupId>{members}</NodeGroup>"
    status = "modifying" if found["then"] else found.get("status", "available")
    return (
        f"<ReplicationGroup><ReplicationGroupId>sessions</ReplicationGroupId><ARN>{ARN}</ARN><Status>{status}</Status>"
        f"<NodeGroups>{shards}</NodeGroups><CacheNodeType>{found['node_type']}</CacheNodeType>"
        f"<AutomaticFailover>{found['fails_over']}</AutomaticFailover></ReplicationGroup>"
    )


def _changing(what: Callable[[Call, dict[str, Any]], dict[str, Any]]) -> Layer:
    def layer(call: Call) -> Answer:
        found = _cache(call)
        if found["then"] or found.get("status", "available") != "available":
            return call.error("InvalidReplicationGroupState", "the replication group is not available")
        found |= {"then": what(call, found), "looks": 0}
        return _answer(call, _group(found))

    return layer


def _replicas(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    found["replicas"] = [int(call.data["NewReplicaCount"]) for _ in found["replicas"]]  # listed while they are made
    return {"status": "available"}


def _type(call: Call, _: dict[str, Any]) -> dict[str, Any]:
    return {"node_type": call.data["CacheNodeType"]}


def allowed(call: Call) -> Answer:
    return _answer(
        call,
        "<ScaleUpModifications><member>cache.r7g.xlarge</member></ScaleUpModifications>"
        "<ScaleDownModifications><member>cache.r7g.large</member></ScaleDownModifications>",
    )


def tags(call: Call) -> Answer:
    listed = "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in _cache(call)["tags"].items())
    return _answer(call, f"<TagList>{listed}</TagList>")


def tag(call: Call) -> Answer:
    _cache(call)["tags"][call.data["Tags.Tag.1.Key"]] = call.data["Tags.Tag.1.Value"]
    return tags(call)


def scalers(call: Call) -> Answer:
    """Moto knows no scaling of replicas."""
    return call.answer({"ScalableTargets": call.emulator.state.get("cache scalers", [])})


def _cache(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = call.emulator.state["cache"]
    return found


def _answer(call: Call, inside: str) -> Answer:
    name = call.operation
    whole = f'<{name}Response xmlns="{NAMESPACE}"><{name}Result>{inside}</{name}Result></{name}Response>'
    return Answer(200, whole.encode(), [("Content-Type", "text/xml")])


LAYERS: dict[tuple[str, str], Layer] = {
    ("elasticache", "DescribeReplicationGroups"): describe,
    ("elasticache", "IncreaseReplicaCount"): _changing(_replicas),
    ("elasticache", "DecreaseReplicaCount"): _changing(_replicas),
    ("elasticache", "ModifyReplicationGroup"): _changing(_type),
    ("elasticache", "ListAllowedNodeTypeModifications"): allowed,
    ("elasticache", "ListTagsForResource"): tags,
    ("elasticache", "AddTagsToResource"): tag,
    ("application-autoscaling", "DescribeScalableTargets"): scalers,
}
