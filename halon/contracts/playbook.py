"""The playbook, `halon/v1`: what the YAML says, as frozen types. Meaning: docs/playbooks.md.

A playbook travels as JSON in the input of the remediation that runs it, so a run keeps the version that it began with.
"""

from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import Discriminator, Field, StringConstraints, Tag

from halon.contracts.base import Contract, Duration, Json, JsonObject, digest
from halon.contracts.outcome import Outcome
from halon.contracts.people import GroupName, PersonId
from halon.contracts.steps import (
    DEFAULT_RUN_TIMEOUT,
    ActionName,
    DnsLabel,
    Expr,
    Identifier,
    OneOrMany,
    Steps,
    Text,
    word_or_rest,
)


class Metadata(Contract):
    """Who the playbook is and whose."""

    name: DnsLabel
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    owner: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    description: str = ""
    runbook: str = ""
    labels: dict[str, str] = {}


class After(Contract):
    """Act only when `count` alerts came within `within`."""

    count: Annotated[int, Field(ge=2, le=1000)]
    within: Duration


class Once(Contract):
    """Start no run within `within` after another one of the same group."""

    within: Duration


OnceOrWord: TypeAlias = Annotated[
    Annotated[Literal["until_resolved"], Tag("word")] | Annotated[Once, Tag("rest")],
    Discriminator(
        word_or_rest, custom_error_type="once", custom_error_message="`once` must be until_resolved, or {within: 1h}"
    ),
]

DEFAULT_REOPEN_WITHIN = timedelta(minutes=30)


class Trigger(Contract):
    """Which alerts start the playbook, and which of them are one incident."""

    alerts: Annotated[OneOrMany, Field(min_length=1)]
    """Names or globs of alerts."""
    sources: OneOrMany = ()
    """Names or globs of sources; empty means all."""
    labels: dict[str, OneOrMany] = {}
    """For each label: a value, a list of values, globs; a leading `!` means not."""
    if_: Annotated[Expr | None, Field(alias="if")] = None
    group_by: tuple[str, ...] = ()
    """Label names, or expressions; what is equal is one incident. Empty: each alert's own fingerprint."""
    after: After | None = None
    once: OnceOrWord | None = None
    """How often the same group may start a run: not again within a time, or not before what was acted on resolved."""
    reopen_within: Duration = DEFAULT_REOPEN_WITHIN
    """An alert that fires again so soon after its incident ended well reopens that incident; `0s` opens a new one."""


class ResolveStep(Contract):
    """A read action before the guards are asked: finds the target that the alert does not name."""

    id: Identifier
    uses: ActionName
    with_: Annotated[JsonObject, Field(alias="with")] = {}
    if_: Annotated[Expr | None, Field(alias="if")] = None


InputType: TypeAlias = Literal["string", "integer", "number", "boolean", "duration", "list", "object"]


class Input(Contract):
    """A parameter of the playbook."""

    type: InputType = "string"
    default: Json = None
    required: bool = True
    """Without a value and a default, a required input is an error; an optional one is null."""
    enum: tuple[Json, ...] = ()
    description: str = ""


class Breaker(Contract):
    """Stop the playbook after `failures` within `within`; try again after `cooldown`."""

    failures: Annotated[int, Field(ge=1, le=100)]
    within: Duration
    cooldown: Duration
    by: Literal["playbook", "target"] = "playbook"
    """Whether the playbook has one breaker, or one for each target."""


class Rate(Contract):
    """At most `runs` per window, counted by playbook or by target."""

    runs: Annotated[int, Field(ge=1, le=1000)]
    per: Duration
    by: Literal["playbook", "target"] = "playbook"
    """By target, the runs of every playbook that counts them so are counted together."""


class Budget(Contract):
    """At most `max_targets` distinct targets per window within `scope`, across playbooks."""

    scope: Text
    max_targets: Annotated[int, Field(ge=1, le=1000)]
    per: Duration


class Guard(Contract):
    """What must hold before the playbook may act."""

    lock: Text | None = None
    """`target`, or an expression for another name."""
    breaker: Breaker | None = None
    rate: Rate | None = None
    budget: Budget | None = None
    freeze: Literal["respect", "override"] = "respect"


class TestAlert(Contract):
    """The alert of a playbook's test; what is left out is made up the same way every time."""

    __test__ = False

    name: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    severity: str = ""
    source: str = "test"
    age: Duration | None = None
    """How long it has been firing when the run begins."""
    resolves_after: Duration | None = None
    """When it clears, counted from the beginning of the run."""


class TestDecision(Contract):
    """A decision that arrives during a test."""

    __test__ = False

    step: str
    approve: bool
    by: str
    after: Duration | None = None
    """How long after the question."""
    comment: str = ""
    break_glass: bool = False


class Expectation(Contract):
    """What a test holds the run to; only what is written is compared."""

    outcome: Outcome | None = None
    reason: str | None = None
    """Text that the reason must contain."""
    applied: tuple[str, ...] | None = None
    undone: tuple[str, ...] | None = None
    skipped: tuple[str, ...] | None = None
    asked: tuple[str, ...] | None = None
    """Steps whose approval was asked for, in order."""
    matched: bool | None = None
    """Whether the trigger takes the alert at all."""
    within: Duration | None = None
    """The run must not take longer than this."""


class PlaybookTest(Contract):
    """A playbook's own test, run on a virtual clock by `halon test`."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    alert: TestAlert | None = None
    inputs: JsonObject = {}
    """Inputs of a run started by hand."""
    repeat: Annotated[int, Field(ge=1, le=1000)] = 1
    """How often the alert fires."""
    every: Duration | None = None
    """Time between repeats; by default one minute."""
    given: dict[str, Json] = {}
    """What actions answer, by action or by `action@step`. docs/testing-playbooks.md gives the forms."""
    groups: dict[GroupName, tuple[PersonId, ...]] = {}
    """Who is in which group. Without groups whoever decides may; with them only those who are asked, and nobody may
    break the glass."""
    decide: tuple[TestDecision, ...] = ()
    cancel_after: Duration | None = None
    expect: Expectation


class Playbook(Contract):
    """A declarative remediation."""

    api_version: Annotated[Literal["halon/v1"], Field(alias="apiVersion")]
    kind: Literal["Playbook"]
    metadata: Metadata
    trigger: Trigger | None = None
    """Without one, the playbook is started by hand or by another playbook."""
    resolve: Annotated[tuple[ResolveStep, ...], Field(max_length=20)] = ()
    inputs: dict[Identifier, Input] = {}
    target: Text | None = None
    guard: Guard = Guard()
    timeout: Duration = DEFAULT_RUN_TIMEOUT
    on_resolved: Literal["end", "continue"] = "end"
    """Whether a run that still waits for a decision ends as `resolved` when the alert clears."""
    steps: Steps
    on_failure: "Steps | None" = None
    finally_: Annotated["Steps | None", Field(alias="finally")] = None
    tests: tuple[PlaybookTest, ...] = ()

    @property
    def digest(self) -> str:
        """Identity of this version; a change of the tests alone does not change it."""
        return digest(self.model_dump(mode="json", by_alias=True, exclude={"tests"}, exclude_defaults=True))
