"""What the actions on ECS services share: how a service is looked at and marked."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import StringConstraints

from activities.aws._account import account_of
from activities.aws._answers import inner, listed
from activities.aws._intent import Intent, intent, tag_name, tag_value, tags_of
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement
from halon.errors import NotFound
from halon.kit.action import Permission, State
from halon.kit.env import Env

EcsName: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9_-]+$")]
"""A cluster's or service's name, without an ARN around it."""

SERVICE = "arn:aws:ecs:{region}:{account}:service/{cluster}/{service}"
LOOK = Permission("aws", ("ecs:DescribeServices",), SERVICE, "to see what is there")
WRITE = Permission("aws", ("ecs:TagResource", "ecs:UpdateService"), SERVICE, "to change it, with Halon's mark")
_MAX_TEXT = 300


class Deployment(State):
    """One deployment of a service: PRIMARY is the newest, ACTIVE one that is being replaced."""

    status: str
    task_definition: str
    state: str
    """COMPLETED, FAILED or IN_PROGRESS; empty where ECS does not say."""
    reason: str
    desired: int
    running: int
    failed: int


class Service(State):
    """One service, and how to reach it."""

    account: str
    region: str
    cluster: str
    name: str
    arn: str
    status: str
    controller: str
    """Who deploys: ECS, CODE_DEPLOY or EXTERNAL."""
    strategy: str
    """REPLICA or DAEMON."""
    task_definition: str
    desired: int
    running: int
    deployments: tuple[Deployment, ...]
    breaker: str
    """How its circuit breaker is set: `off`, `on`, or `on, with rollback`."""
    tags: dict[str, str]

    @property
    def title(self) -> str:
        """What people call it."""
        return f"ECS service {self.cluster}/{self.name}"

    @property
    def primary(self) -> Deployment | None:
        """The newest deployment."""
        return next((one for one in self.deployments if one.status == "PRIMARY"), None)

    def intent(self, part: str) -> Intent:
        """Give Halon's mark for one part of it."""
        return intent(self.tags, part)

    async def update(self, env: Env, part: str, key: str, owned: JsonObject, **wanted: Any) -> None:
        """Write the mark unless it stands there, then the change; ECS has neither a token for it nor a guard."""
        api = account_of(env, self.account)
        if not self.intent(part).stands(key, owned):
            tag = {"key": tag_name(part), "value": tag_value(key, owned)}
            await api.call("ecs", "tag_resource", region=self.region, resourceArn=self.arn, tags=[tag])
        await api.call("ecs", "update_service", region=self.region, cluster=self.cluster, service=self.name, **wanted)

    def progress(self) -> Settlement:
        """Tell how far the newest deployment is."""
        newest = self.primary
        if newest is None:
            return Settlement(state="waiting", reason="ECS has not begun a deployment yet")
        told = f"{newest.running} of {newest.desired} tasks run"
        if newest.state == "FAILED":
            return Settlement(state="broken", reason=f"the deployment failed: {newest.reason or told}")
        if newest.state == "IN_PROGRESS" or len(self.deployments) > 1 or newest.running != newest.desired:
            failed = f", {newest.failed} have failed" if newest.failed else ""
            return Settlement(state="waiting", reason=f"{told}{failed}")
        return Settlement(state="settled", reason=told)


async def look(env: Env, account: str, region: str, cluster: str, name: str) -> Service:  # the four words of its name
    """Look at a service.

    Raises:
        NotFound: there is no such cluster or service, or it was deleted.
        HalonError: whatever else asking AWS meets.
    """
    answer = await account_of(env, account).call(
        "ecs", "describe_services", region=region, cluster=cluster, services=[name], include=["TAGS"]
    )
    for one in listed(answer, "services"):
        if one.get("status") != "INACTIVE":
            return _service(one, account, region, cluster)
    raise NotFound(f"there is no ECS service {cluster}/{name}")


def short(arn: str) -> str:
    """Name a task definition as people do: `cart:41`."""
    return arn.rpartition("/")[2]


def _service(one: Mapping[str, Any], account: str, region: str, cluster: str) -> Service:
    breaker = inner(inner(one, "deploymentConfiguration"), "deploymentCircuitBreaker")
    breaks = "on, with rollback" if breaker.get("rollback") else "on"
    return Service(
        account=account,
        region=region,
        cluster=cluster,
        name=str(one["serviceName"]),
        arn=str(one["serviceArn"]),
        status=str(one.get("status", "")),
        controller=str(inner(one, "deploymentController").get("type", "ECS")),
        strategy=str(one.get("schedulingStrategy", "REPLICA")),
        task_definition=str(one.get("taskDefinition", "")),
        desired=int(one.get("desiredCount", 0)),
        running=int(one.get("runningCount", 0)),
        deployments=tuple(_deployment(each) for each in listed(one, "deployments")[:20]),
        breaker=breaks if breaker.get("enable") else "off",
        tags=tags_of(one.get("tags"), "key", "value"),
    )


def _deployment(one: Mapping[str, Any]) -> Deployment:
    return Deployment(
        status=str(one.get("status", "")),
        task_definition=str(one.get("taskDefinition", "")),
        state=str(one.get("rolloutState", "")),
        reason=str(one.get("rolloutStateReason", ""))[:_MAX_TEXT],
        desired=int(one.get("desiredCount", 0)),
        running=int(one.get("runningCount", 0)),
        failed=int(one.get("failedTasks", 0)),
    )
