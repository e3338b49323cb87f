"""Run a command on instances, by a document of SSM that halon.yaml allows."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._commands import ONLINE, Command, Node, command, nodes
from activities.aws._once import Text, call_digest, text_of
from halon.clients.aws.api import Account
from halon.contracts.base import Duration, JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env
from halon.kit.once import Reference

MAX_NODES = 50
"""What one command of SSM takes by id."""
REMEMBERED = timedelta(days=2)
"""How old a command may be to be found again."""
MAX_VALUES = 32 * 1024
"""Characters of all parameters together."""
_SHOWN = 5
_ENDED = frozenset({"Success", "Cancelled", "Failed", "TimedOut"})

NodeId: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^(i-[0-9a-f]{8}|i-[0-9a-f]{17}|mi-[0-9a-f]{17})$", max_length=20)
]
Value: TypeAlias = Annotated[str, StringConstraints(max_length=8000)]


class Sent(State):
    """The nodes, and the command of this reference."""

    nodes: tuple[Node, ...]
    command: Command | None

    @property
    def text(self) -> Text:
        """What the command's comment says."""
        return self.command.text if self.command else Text()


class RunCommand(Change[Sent]):
    """Run a document of SSM on instances, once for a `reference`, and wait until it has succeeded on every one of them.

    Only documents that `aws.accounts.<name>.documents` of halon.yaml names are run, by exact name; without it none is.
    Nodes that are found by tags are those that are there when the plan is made: the plan names them, and no others get
    the command. SSM takes no key, so the command's comment carries it, and Halon looks for it among the commands of two
    days before it sends one: the same reference is the same command, also for another run. SSM shows a command a moment
    after it was sent: a document should do no harm when it runs twice, for an answer that is lost in that moment.
    Output is masked and cut.

    Raises NotFound when there is no such document, and PermissionDenied when halon.yaml does not allow the document, or
    with the IAM action that is missing.
    """

    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "aws",
            ("ssm:DescribeInstanceInformation", "ssm:ListCommands", "ssm:ListCommandInvocations"),
            "*",
            "to see nodes and commands; SSM knows no narrower right",
        ),
        Permission("aws", ("ssm:SendCommand",), "arn:aws:ssm:{region}:*:document/{document}", "to run this document"),
        Permission("aws", ("ssm:SendCommand",), "arn:aws:ec2:{region}:{account}:instance/{instances}", "on these"),
        Permission(
            "aws", ("ssm:SendCommand",), "arn:aws:ssm:{region}:{account}:managed-instance/{instances}", "on these"
        ),
    )
    example: ClassVar[JsonObject] = {
        "document": "Acme-RestartAgent",
        "tags": {"service": "cart"},
        "max_nodes": 6,
        "parameters": {"Unit": ["agent.service"]},
        "reference": "i-20260102-cart",
    }

    document: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_.-]{3,128}$", max_length=128)]
    """The document's name, as halon.yaml allows it."""
    version: Annotated[str, StringConstraints(pattern=r"^(\$DEFAULT|\$LATEST|[1-9][0-9]{0,8})$", max_length=9)] = (
        "$DEFAULT"
    )
    """The document's version."""
    parameters: Annotated[
        dict[
            Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$", max_length=100)],
            Annotated[tuple[Value, ...], Field(max_length=50)],
        ],
        Field(max_length=30),
    ] = {}
    """Its parameters, each a list; no secrets, for histories keep them: name a parameter of SSM's own store instead."""
    instances: Annotated[tuple[NodeId, ...], Field(max_length=MAX_NODES)] = ()
    """From 1 to 50 instances or managed nodes; either this or `tags`."""
    tags: Annotated[
        dict[
            Annotated[str, StringConstraints(min_length=1, max_length=128)],
            Annotated[str, StringConstraints(max_length=256)],
        ],
        Field(max_length=5),
    ] = {}
    """Tags that a node must all have."""
    max_nodes: Annotated[int, Field(ge=1, le=MAX_NODES)] = 10
    """More nodes than that are refused."""
    reference: Reference
    """What it is sent for, such as the incident's id: the same reference is the same command."""
    start_within: Annotated[Duration, Field(ge=timedelta(seconds=30), le=timedelta(days=2))] = timedelta(minutes=5)
    """A node that has not begun by then does not begin; how long the command itself may take, its document says."""
    max_concurrency: Annotated[int, Field(ge=1, le=MAX_NODES)] = 1
    """On how many nodes at once."""
    max_errors: Annotated[int, Field(ge=0, le=MAX_NODES)] = 0
    """After so many failures no further node begins. Any failure fails the step all the same."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The nodes' region; without it, the account's own."""

    @model_validator(mode="after")
    def _on_something(self) -> "RunCommand":
        if bool(self.instances) == bool(self.tags):
            raise ValueError("give either `instances` or `tags`")
        if sum(len(one) for values in self.parameters.values() for one in values) > MAX_VALUES:
            raise ValueError(f"parameters: at most {MAX_VALUES} characters together")
        return self

    def target(self) -> str:
        """Name the document, and the nodes."""
        on = ",".join(sorted(set(self.instances))[:_SHOWN]) or ",".join(
            f"{k}={v}" for k, v in sorted(self.tags.items())
        )
        return target(self.account, self.region, "ssm", f"{self.document}/{on}")

    async def observe(self, env: Env) -> Sent:
        """Look at the nodes, and for the command.

        Raises:
            PermissionDenied: halon.yaml does not allow the document.
        """
        account = account_of(env, self.account)
        account.check_document(self.document)
        there = await self._nodes(account)
        since = env.now() - REMEMBERED
        return Sent(nodes=there, command=await command(account, self.region, self.document, self.reference, since))

    async def _nodes(self, account: Account) -> tuple[Node, ...]:
        if self.tags:
            filters = [{"Key": f"tag:{name}", "Values": [value]} for name, value in sorted(self.tags.items())]
            return await nodes(account, self.region, filters, MAX_NODES)
        wanted = sorted(set(self.instances))
        found = await nodes(account, self.region, [{"Key": "InstanceIds", "Values": wanted}], MAX_NODES)
        known = {one.id: one for one in found}
        return tuple(known.get(one, Node(id=one, ping="")) for one in wanted)

    def plan(self, state: Sent, now: datetime) -> Proposal | Nothing | Refusal:
        """Send it, unless it was."""
        ids, call = [one.id for one in state.nodes], self._call(state)
        if state.command and state.text.call == call_digest(call):
            return Nothing(f"command {state.command.id} was sent for this already; it is {state.command.details}")
        if state.command:
            return Refusal(
                f"command {state.command.id} has this reference, with other parameters or nodes: give another"
            )
        objection = self._objection(state)
        if objection:
            return Refusal(objection)
        rows = [
            Row(field=f"parameter {name}", before=None, after=[*values]) for name, values in self.parameters.items()
        ]
        rows += [Row(field=one, before=None, after=self.document) for one in ids]
        return Proposal(
            summary=f"Run {self.document} on {len(ids)} nodes, {self.max_concurrency} at once",
            before=self.owned(state),
            after={"command": call_digest(call)},
            rows=rows,
            notes=["what the document does, Halon does not know: nothing takes it back"],
            pinned={"instances": [*ids], "tags": {}},
        )

    def _objection(self, state: Sent) -> str:
        if not state.nodes:
            return f"SSM manages no node with the tags {', '.join(f'{k}={v}' for k, v in sorted(self.tags.items()))}"
        if len(state.nodes) > self.max_nodes:
            return f"{len(state.nodes)} nodes are more than `max_nodes` allows ({self.max_nodes})"
        away = [f"{one.id} ({one.ping or 'not managed by SSM'})" for one in state.nodes if one.ping != ONLINE]
        more = len(away) - _SHOWN
        return (
            f"{', '.join(away[:_SHOWN])}{f' and {more} more' if more > 0 else ''} cannot take a command" if away else ""
        )

    def owned(self, state: Sent) -> JsonObject:
        """What was sent for this reference."""
        return {"command": state.text.call}

    def mark(self, state: Sent) -> str:
        """A digest of the key."""
        return state.text.key

    def ours(self, state: Sent, key: str) -> bool:
        """Whether it was sent with this key."""
        return state.text.of(key)

    async def apply(self, env: Env, after: JsonObject, state: Sent, key: str) -> None:
        """Send it, with the mark as its comment."""
        await account_of(env, self.account).call(
            "ssm",
            "send_command",
            region=self.region,
            InstanceIds=[one.id for one in state.nodes],
            DocumentName=self.document,
            DocumentVersion=self.version,
            Parameters={name: list(values) for name, values in self.parameters.items()},
            TimeoutSeconds=int(self.start_within.total_seconds()),
            MaxConcurrency=str(self.max_concurrency),
            MaxErrors=str(self.max_errors),
            Comment=text_of(self.reference, self._call(state), key),
        )

    def settled(self, state: Sent, after: JsonObject) -> Settlement:
        """Whether it has succeeded on every node."""
        sent = state.command
        if sent is None or self.owned(state) != after:
            return Settlement(state="waiting", reason="the command does not show yet")
        done = sum(1 for one in sent.invocations if one.status == "Success")
        reason = f"command {sent.id} is {sent.details}: it has succeeded on {done} of {len(state.nodes)} nodes"
        if sent.status not in _ENDED:
            return Settlement(state="waiting", reason=reason)
        if sent.status == "Success" and done == len(sent.invocations) < len(state.nodes):
            return Settlement(state="waiting", reason=reason)  # SSM tells of nodes a moment later
        ended = "settled" if sent.status == "Success" and done == len(state.nodes) else "broken"
        return Settlement(state=ended, reason=reason, observed=sent.told())

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """There is none."""
        return NoUndo("what the document did is not known here: run another one that takes it back")

    def _call(self, state: Sent) -> JsonObject:
        """What is sent, as the comment tells it from something else."""
        return {
            "document": self.document,
            "version": self.version,
            "parameters": {name: [*values] for name, values in self.parameters.items()},
            "nodes": [one.id for one in state.nodes],
        }
