"""What the actions on Auto Scaling groups share: how a group is looked at and marked."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import StringConstraints

from activities.aws._account import account_of
from activities.aws._answers import listed
from activities.aws._intent import Intent, intent, tag_name, tag_value, tags_of
from halon.contracts.base import JsonObject
from halon.errors import NotFound
from halon.kit.action import Permission, State
from halon.kit.env import Env

GroupName: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^:\x00-\x1f\x7f]+$", strip_whitespace=True)
]
"""An Auto Scaling group's name."""

GROUP = "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{group}"
LOOK = Permission("aws", ("autoscaling:DescribeAutoScalingGroups",), "*", "to see what is there")
MARK = Permission("aws", ("autoscaling:CreateOrUpdateTags",), GROUP, "to keep Halon's mark on the group")
_SERVING = "InService"


class Group(State):
    """One Auto Scaling group, and how to reach it."""

    account: str
    region: str
    name: str
    low: int
    high: int
    desired: int
    serving: int
    """Instances in service."""
    instances: int
    suspended: tuple[str, ...]
    """Suspended processes, in order."""
    status: str
    """Set while the group is being deleted."""
    tags: dict[str, str]

    @property
    def title(self) -> str:
        """What people call it."""
        return f"Auto Scaling group {self.name}"

    def intent(self, part: str) -> Intent:
        """Give Halon's mark for one part of it."""
        return intent(self.tags, part)

    async def announce(self, env: Env, part: str, key: str, owned: JsonObject) -> None:
        """Write the mark, unless it stands there already; instances do not get it."""
        if self.intent(part).stands(key, owned):
            return
        tag = {
            "ResourceId": self.name,
            "ResourceType": "auto-scaling-group",
            "Key": tag_name(part),
            "Value": tag_value(key, owned),
            "PropagateAtLaunch": False,
        }
        await self.call(env, "create_or_update_tags", Tags=[tag])

    async def call(self, env: Env, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call to Auto Scaling."""
        return await account_of(env, self.account).call("autoscaling", operation, region=self.region, **params)


async def look(env: Env, account: str, region: str, name: str) -> Group:
    """Look at a group.

    Raises:
        NotFound: there is none of this name.
        HalonError: whatever else asking AWS meets.
    """
    answer = await account_of(env, account).call(
        "autoscaling", "describe_auto_scaling_groups", region=region, AutoScalingGroupNames=[name]
    )
    for one in listed(answer, "AutoScalingGroups"):
        return _group(one, account, region)
    raise NotFound(f"there is no Auto Scaling group {name}")


def _group(one: Mapping[str, Any], account: str, region: str) -> Group:
    instances = listed(one, "Instances")
    return Group(
        account=account,
        region=region,
        name=str(one["AutoScalingGroupName"]),
        low=int(one["MinSize"]),
        high=int(one["MaxSize"]),
        desired=int(one["DesiredCapacity"]),
        serving=sum(1 for each in instances if each.get("LifecycleState") == _SERVING),
        instances=len(instances),
        suspended=tuple(sorted(str(each.get("ProcessName", "")) for each in listed(one, "SuspendedProcesses"))),
        status=str(one.get("Status", "")),
        tags=tags_of(one.get("Tags")),
    )
