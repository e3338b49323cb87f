"""Look at an ECS service."""

from typing import ClassVar

from activities.aws._account import AccountName, Region, target
from activities.aws._ecs import LOOK, EcsName, look, short
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env


class ServiceSeen(Output):
    """A service."""

    desired: int
    """How many tasks it shall run."""
    running: int
    """How many run."""
    task_definition: str
    """What they run, such as `cart:41`."""
    controller: str
    """Who deploys it: `ECS`, `CODE_DEPLOY` or `EXTERNAL`."""
    deploying: bool
    """Whether a deployment is under way, or none has ended well."""
    reason: str
    """How far the newest deployment is."""


class DescribeService(Read[ServiceSeen]):
    """Look at an ECS service: how many tasks it runs, of what, and whether it is being deployed."""

    permissions: ClassVar[tuple[Permission, ...]] = (LOOK,)
    example: ClassVar[JsonObject] = {"cluster": "web", "service": "cart"}

    cluster: EcsName
    """The cluster's name."""
    service: EcsName
    """The service's name."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the service."""
        return target(self.account, self.region, "ecs", f"{self.cluster}/{self.service}")

    async def run(self, env: Env) -> ServiceSeen:
        """Look."""
        found = await look(env, self.account, self.region, self.cluster, self.service)
        progress = found.progress()
        return ServiceSeen(
            desired=found.desired,
            running=found.running,
            task_definition=short(found.task_definition),
            controller=found.controller,
            deploying=progress.state != "settled",
            reason=progress.reason,
        )
