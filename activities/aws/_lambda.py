"""What the actions on Lambda functions share: their names, permissions, and Halon's mark in a function's tags."""

from typing import Annotated, Any, TypeAlias

from pydantic import StringConstraints

from activities.aws._account import account_of
from activities.aws._answers import inner
from activities.aws._intent import WITHDRAWN, Intent, halons, intent, tag_name, tag_value
from halon.contracts.base import JsonObject
from halon.errors import NotFound
from halon.kit.action import Permission, State
from halon.kit.env import Env

FunctionName: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
"""A function's name, without an ARN around it."""
AliasName: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_-]*[a-zA-Z_-][a-zA-Z0-9_-]*$")
]
"""An alias's name, which is not a number: that is a version."""
Version: TypeAlias = Annotated[str, StringConstraints(max_length=10, pattern=r"^(\d*|\$LATEST)$")]
"""A published version's number, `$LATEST`, or empty."""
Qualifier: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_-]+$")]
"""An alias, or the number of a published version."""

FUNCTION = "arn:aws:lambda:{region}:{account}:function:{function}"
LOOK = Permission("aws", ("lambda:GetFunctionConfiguration", "lambda:ListTags"), FUNCTION, "to see what is there")
LOOK_AT_PROVISIONED = Permission(
    "aws", ("lambda:GetProvisionedConcurrencyConfig",), f"{FUNCTION}:{{qualifier}}", "to see what is there"
)
MARK = Permission("aws", ("lambda:TagResource",), FUNCTION, "to keep Halon's mark on the function")


class Function(State):
    """One function, and how to reach it."""

    account: str
    region: str
    arn: str
    """Without a qualifier."""
    tags: dict[str, str]
    """Halon's own."""

    def intent(self, part: str) -> Intent:
        """Give Halon's mark for one part of it."""
        return intent(self.tags, part)

    async def announce(self, env: Env, part: str, key: str, owned: JsonObject) -> None:
        """Write Halon's mark, unless it stands there already."""
        if not self.intent(part).stands(key, owned):
            tags = {tag_name(part): tag_value(key, owned)}
            await self.call(env, "tag_resource", Resource=self.arn, Tags=tags)

    async def withdraw(self, env: Env, part: str) -> None:
        """Say that what was announced was not done: AWS has refused it."""
        await self.call(env, "tag_resource", Resource=self.arn, Tags={tag_name(part): WITHDRAWN})

    async def call(self, env: Env, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call to Lambda."""
        return await account_of(env, self.account).call("lambda", operation, region=self.region, **params)


async def look(env: Env, account: str, region: str, function: str) -> Function:
    """Look at a function.

    Raises:
        NotFound: there is none of this name.
        HalonError: whatever else asking AWS meets.
    """
    api = account_of(env, account)
    found = await api.call("lambda", "get_function_configuration", region=region, FunctionName=function)
    arn = str(found["FunctionArn"])
    tags = inner(await api.call("lambda", "list_tags", region=region, Resource=arn), "Tags")
    return Function(
        account=account, region=region, arn=arn, tags=halons({name: str(value) for name, value in tags.items()})
    )


class Warm(State):
    """What is kept warm of one alias or version."""

    wanted: int
    available: int
    status: str
    """AWS's own word: IN_PROGRESS, READY, FAILED; empty when nothing is provisioned."""
    trouble: str

    @property
    def ready(self) -> bool:
        """Whether all that are wanted are there."""
        return self.available >= self.wanted and self.status in {"READY", ""}


async def provisioned(env: Env, account: str, region: str, function: str, qualifier: str) -> Warm:
    """Look at what is kept warm of an alias or version.

    Raises:
        NotFound: there is no such function or qualifier.
        HalonError: whatever else asking AWS meets.
    """
    which = {"FunctionName": function, "Qualifier": qualifier}
    try:
        found = await account_of(env, account).call(
            "lambda", "get_provisioned_concurrency_config", region=region, **which
        )
    except NotFound as error:
        if getattr(error, "code", "") != "ProvisionedConcurrencyConfigNotFoundException":
            raise
        found = {}
    return Warm(
        wanted=int(found.get("RequestedProvisionedConcurrentExecutions", 0)),
        available=int(found.get("AvailableProvisionedConcurrentExecutions", 0)),
        status=str(found.get("Status", "")),
        trouble=str(found.get("StatusReason", ""))[:500],
    )
