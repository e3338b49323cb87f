"""Put the previous task definition of an ECS service back."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import StringConstraints

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import listed, words
from activities.aws._ecs import LOOK, WRITE, EcsName, Service, look, short
from halon.contracts.base import JsonObject, digest
from halon.contracts.plan import Row, Settlement
from halon.errors import NotFound
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

MAX_REVISIONS = 20
"""Older revisions that are looked at, newest first."""
_PART = "task-definition"
_OF_THE_REVISION = frozenset(
    {
        *("taskDefinitionArn", "revision", "status", "registeredAt", "registeredBy", "deregisteredAt", "tags"),
        *("compatibilities", "requiresAttributes"),
    }
)
"""What two registrations of one definition differ in."""


class Definition(State):
    """One task definition, without its content: that may hold secrets."""

    arn: str
    content: str
    """Digest of what it runs."""
    images: tuple[str, ...]
    active: bool


class Deployed(State):
    """A service, what it runs, and what it could run instead."""

    service: Service
    current: Definition
    candidate: Definition | None
    """What a rollback would go to; None when there is nothing."""
    passed: tuple[str, ...]
    """Older revisions that were passed over because they are no different."""


class RollBackService(Change[Deployed]):
    """Put the previous task definition of an ECS service back: the newest older revision that differs from what runs.

    It is done when ECS has completed the deployment: the new tasks run, and those before are gone. Services that
    CodeDeploy or another controller deploys are refused. Mind what the newer version changed in a database.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        LOOK,
        Permission("aws", ("ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"), "*", "to find what ran before"),
        WRITE,
        Permission(
            "aws",
            ("iam:PassRole",),
            "arn:aws:iam::{account}:role/*",
            "to give tasks their roles: narrow it to these",
        ),
    )
    example: ClassVar[JsonObject] = {"cluster": "web", "service": "cart"}

    cluster: EcsName
    """The cluster's name."""
    service: EcsName
    """The service's name."""
    to_task_definition: Annotated[
        str, StringConstraints(max_length=400, pattern=r"^([a-zA-Z0-9:/_-]*[a-zA-Z0-9_-]:\d+)?$")
    ] = ""
    """The task definition to go to, as `family:revision` or ARN; without it, the newest older one that differs."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the service."""
        return target(self.account, self.region, "ecs", f"{self.cluster}/{self.service}")

    async def observe(self, env: Env) -> Deployed:
        """Look at the service and at its task definitions."""
        service = await look(env, self.account, self.region, self.cluster, self.service)
        current = await self._definition(env, service.task_definition)
        if current is None:
            raise NotFound(f"ECS has no task definition {service.task_definition}")
        if self.to_task_definition:
            wanted = await self._definition(env, self.to_task_definition)
            return Deployed(service=service, current=current, candidate=wanted, passed=())
        return await self._before(env, service, current)

    async def _before(self, env: Env, service: Service, current: Definition) -> Deployed:
        family, _, number = short(current.arn).rpartition(":")
        arns = await account_of(env, self.account).call(
            "ecs",
            "list_task_definitions",
            region=self.region,
            familyPrefix=family,
            sort="DESC",
            status="ACTIVE",
            maxResults=100,
        )
        passed: list[str] = []
        older = [one for one in map(str, words(arns, "taskDefinitionArns")) if _is_older(one, family, int(number))]
        for arn in sorted(older, key=_number, reverse=True)[:MAX_REVISIONS]:
            found = await self._definition(env, arn)
            if found is not None and found.content != current.content:
                return Deployed(service=service, current=current, candidate=found, passed=tuple(passed))
            passed.append(short(arn))
        return Deployed(service=service, current=current, candidate=None, passed=tuple(passed))

    async def _definition(self, env: Env, which: str) -> Definition | None:
        try:
            answer = await account_of(env, self.account).call(
                "ecs", "describe_task_definition", region=self.region, taskDefinition=which
            )
        except NotFound:
            return None
        found: dict[str, Any] = answer["taskDefinition"]
        return Definition(
            arn=str(found["taskDefinitionArn"]),
            content=digest({name: value for name, value in found.items() if name not in _OF_THE_REVISION}),
            images=tuple(str(one.get("image", "")) for one in listed(found, "containerDefinitions")),
            active=found.get("status", "ACTIVE") == "ACTIVE",
        )

    def plan(self, state: Deployed, now: datetime) -> Proposal | Nothing | Refusal:
        """Say what would run instead."""
        service, there, wanted = state.service, state.current, state.candidate
        if service.controller != "ECS":
            return Refusal(f"{service.title} is deployed by {service.controller}: roll back there")
        if wanted is None and self.to_task_definition:
            return Refusal(f"ECS has no task definition {self.to_task_definition}")
        if wanted is None:
            return Refusal(f"{service.title} runs {short(there.arn)}, and no older active revision differs from it")
        if wanted.arn == there.arn:
            return Nothing(f"{service.title} runs {short(there.arn)} already")
        if not wanted.active:
            return Refusal(f"task definition {short(wanted.arn)} is no longer active: register it anew")
        return Proposal(
            summary=f"Roll back {service.title} from {short(there.arn)} to {short(wanted.arn)}",
            before={"task_definition": there.arn},
            after={"task_definition": wanted.arn},
            rows=[
                Row(field="task definition", before=short(there.arn), after=short(wanted.arn)),
                Row(field="images", before=", ".join(there.images), after=", ".join(wanted.images)),
            ],
            notes=_notes(state),
        )

    def owned(self, state: Deployed) -> JsonObject:
        """What the service is asked to run."""
        return {"task_definition": state.service.task_definition}

    def mark(self, state: Deployed) -> str:
        """The key of the last change of the task definition."""
        return state.service.intent(_PART).mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Deployed, key: str) -> None:
        """Write the task definition."""
        wanted = after["task_definition"]
        await state.service.update(env, _PART, key, self.owned(state), taskDefinition=wanted)

    def settled(self, state: Deployed, after: JsonObject) -> Settlement:
        """Whether ECS has completed the deployment."""
        service = state.service
        if self.owned(state) != after:
            told = f"{service.title} is asked to run {short(service.task_definition)} now"
            because = next((one.reason for one in service.deployments if one.state == "FAILED" and one.reason), "")
            return Settlement(state="broken", reason=f"{told}{f': {because}' if because else ''}")
        newest = service.primary
        if newest is not None and newest.task_definition != service.task_definition:
            return Settlement(state="waiting", reason="ECS has not begun the deployment yet")
        return service.progress()

    def undo(self, before: JsonObject, after: JsonObject) -> "RollBackService":
        """Run what was there."""
        return RollBackService.model_validate(
            {**self.model_dump(), "to_task_definition": str(before["task_definition"])}
        )


def _is_older(arn: str, family: str, than: int) -> bool:
    return short(arn).rpartition(":")[0] == family and _number(arn) < than


def _number(arn: str) -> int:
    return int(arn.rpartition(":")[2])


def _notes(state: Deployed) -> list[str]:
    service, newest = state.service, state.service.primary
    notes = [f"its deployment circuit breaker is {service.breaker}"]
    if newest is not None and newest.state == "IN_PROGRESS":
        notes.append(f"a deployment is under way, which this replaces: {newest.running} of {newest.desired} tasks run")
        if service.breaker == "on, with rollback":
            notes.append("the circuit breaker may roll it back by itself")
    if state.passed:
        notes.append(f"passed over, as no different from what runs: {', '.join(state.passed)}")
    return notes
