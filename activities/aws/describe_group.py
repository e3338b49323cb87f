"""Look at an Auto Scaling group."""

from typing import ClassVar

from activities.aws._account import AccountName, Region, target
from activities.aws._groups import LOOK, GroupName, look
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env


class GroupSeen(Output):
    """A group."""

    min: int
    """The fewest instances that it keeps to."""
    max: int
    """The most instances that it keeps to."""
    desired: int
    """How many it shall have."""
    serving: int
    """How many are in service."""
    instances: int
    """How many there are, those that start or end with them."""
    suspended: tuple[str, ...]
    """Its suspended processes, such as `ReplaceUnhealthy`."""


class DescribeGroup(Read[GroupSeen]):
    """Look at an Auto Scaling group: its bounds, how many instances serve, and what is suspended."""

    permissions: ClassVar[tuple[Permission, ...]] = (LOOK,)
    example: ClassVar[JsonObject] = {"group": "web"}

    group: GroupName
    """The group's name."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the group."""
        return target(self.account, self.region, "autoscaling", self.group)

    async def run(self, env: Env) -> GroupSeen:
        """Look."""
        found = await look(env, self.account, self.region, self.group)
        return GroupSeen(
            min=found.low,
            max=found.high,
            desired=found.desired,
            serving=found.serving,
            instances=found.instances,
            suspended=found.suspended,
        )
