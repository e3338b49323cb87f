"""How commands of SSM are looked at: which nodes there are, and what came of a command on each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from activities.aws._answers import listed
from activities.aws._once import Text, read
from halon.clients.aws.api import Account
from halon.contracts.base import Json, JsonObject
from halon.errors import PermanentError
from halon.kit.action import State
from halon.redaction import redact_text

ONLINE = "Online"
MAX_PAGES = 20
_PAGE = 50
_SHOWN = 10
_MAX_OUTPUT = 1000
"""Characters of one node's output; SSM itself gives 2500."""
_FAILED_FIRST = {"Success": 1}


class Node(State):
    """What SSM manages: an instance, or a machine elsewhere."""

    id: str
    ping: str
    """SSM's own word; `Online` takes commands."""


class Invocation(State):
    """What came of a command on one node."""

    node: str
    status: str
    output: str


class Command(State):
    """A command that was sent."""

    id: str
    status: str
    """`Pending`, `InProgress`, `Success`, `Cancelling`, `Cancelled`, `Failed` or `TimedOut`."""
    details: str
    targets: int
    text: Text
    invocations: tuple[Invocation, ...]
    """Those that did not succeed first."""

    def told(self) -> JsonObject:
        """Say what came of it, node by node, for the first ten."""
        shown: list[Json] = [
            {"node": one.node, "status": one.status, "output": one.output} for one in self.invocations[:_SHOWN]
        ]
        return {"command": self.id, "status": self.details, "nodes": self.targets, "first": shown}


async def nodes(account: Account, region: str, filters: Sequence[Mapping[str, Any]], most: int) -> tuple[Node, ...]:
    """Look at nodes, by their ids or by tags.

    Raises:
        PermanentError: there are more than `most`.
    """
    found = await account.pages(
        "ssm",
        "describe_instance_information",
        "InstanceInformationList",
        region=region,
        most=most,
        Filters=[dict(one) for one in filters],
    )
    seen = [Node(id=str(one["InstanceId"]), ping=str(one.get("PingStatus", ""))) for one in found]
    return tuple(sorted(seen, key=lambda one: one.id))


async def command(account: Account, region: str, document: str, reference: str, since: datetime) -> Command | None:
    """Find the command that was sent for a reference.

    Raises:
        PermanentError: there are too many to look through.
    """
    token = ""
    for _ in range(MAX_PAGES):
        answer = await account.call(
            "ssm",
            "list_commands",
            region=region,
            MaxResults=_PAGE,
            Filters=[
                {"key": "DocumentName", "value": document},
                {"key": "InvokedAfter", "value": since.strftime("%Y-%m-%dT%H:%M:%SZ")},
            ],
            **({"NextToken": token} if token else {}),
        )
        for one in listed(answer, "Commands"):
            text = read(str(one.get("Comment", "")), reference)
            if text:
                return await _seen(account, region, one, text)
        token = str(answer.get("NextToken") or "")
        if not token:
            return None
    raise PermanentError(
        f"more than {MAX_PAGES * _PAGE} commands ran {document} lately: whether this one was among them cannot be seen"
    )


async def _seen(account: Account, region: str, found: Mapping[str, Any], text: Text) -> Command:
    invocations = await account.pages(
        "ssm",
        "list_command_invocations",
        "CommandInvocations",
        region=region,
        CommandId=found["CommandId"],
        Details=True,
    )
    told = [
        Invocation(
            node=str(one["InstanceId"]),
            status=str(one.get("StatusDetails") or one.get("Status", "")),
            output=redact_text(
                "\n".join(str(each.get("Output", "")) for each in listed(one, "CommandPlugins")), _MAX_OUTPUT
            ),
        )
        for one in invocations
    ]
    return Command(
        id=str(found["CommandId"]),
        status=str(found.get("Status", "")),
        details=str(found.get("StatusDetails") or found.get("Status", "")),
        targets=int(found.get("TargetCount", 0)),
        text=text,
        invocations=tuple(sorted(told, key=lambda one: (_FAILED_FIRST.get(one.status, 0), one.node))),
    )
