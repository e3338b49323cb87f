"""The steps of a playbook, `halon/v1`: each is exactly one of ten kinds. Meaning: docs/playbooks.md.

Strings may hold `${{ CEL }}`; a field of type `Expr` is one such expression and nothing else.
"""

import difflib
import re
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from halon.contracts.base import Contract, Duration, Json, JsonObject

API_VERSION = "halon/v1"
MAX_STEPS = 500
MAX_ITEMS = 1000
MAX_POLLS = 1000
DEFAULT_APPROVAL_WITHIN = timedelta(minutes=30)
DEFAULT_RETRY_INTERVAL = timedelta(seconds=1)
DEFAULT_RETRY_MAX = timedelta(minutes=1)
DEFAULT_VERIFY_EVERY = timedelta(seconds=15)
DEFAULT_VERIFY_WITHIN = timedelta(minutes=10)
DEFAULT_CONFIRM_WITHIN = timedelta(minutes=10)
DEFAULT_RUN_TIMEOUT = timedelta(hours=1)


class _Form:
    """Text of a form, with words for people instead of the pattern when it has another."""

    def __init__(self, pattern: str, expected: str) -> None:
        self._pattern = re.compile(pattern)
        self._expected = expected

    def __call__(self, value: str) -> str:
        if self._pattern.fullmatch(value) is None:
            raise ValueError(f"expected {self._expected}")
        return value


_DNS_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_IDENTIFIER = r"[a-z_][a-z0-9_]{0,62}"
_ACTION_NAME = r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*"
_EXPR = r"\s*\$\{\{[\s\S]*\}\}\s*"

DnsLabel: TypeAlias = Annotated[
    str,
    AfterValidator(_Form(_DNS_LABEL, "a name of lower-case letters, digits and hyphens, at most 63")),
    WithJsonSchema({"type": "string", "pattern": f"^{_DNS_LABEL}$"}),
]
Identifier: TypeAlias = Annotated[
    str,
    AfterValidator(_Form(_IDENTIFIER, "a name of lower-case letters, digits and underscores, at most 63")),
    WithJsonSchema({"type": "string", "pattern": f"^{_IDENTIFIER}$"}),
]
"""Names that expressions use: lower case, digits and underscores, so that CEL reads them as one word."""
ActionName: TypeAlias = Annotated[
    str,
    AfterValidator(_Form(_ACTION_NAME, "an action such as kubernetes.get_owner")),
    WithJsonSchema({"type": "string", "pattern": f"^{_ACTION_NAME}$"}),
]
Expr: TypeAlias = Annotated[
    str,
    AfterValidator(_Form(_EXPR, "one expression ${{ … }} and nothing else")),
    StringConstraints(max_length=2100),
    WithJsonSchema({"type": "string", "pattern": f"^{_EXPR}$", "maxLength": 2100}),
]
"""Exactly one `${{ … }}`."""
Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""Text that may hold `${{ … }}`."""


def _listed(value: Any) -> Any:
    """Take a list for a tuple: behind a validator that looks at raw values, pydantic's strict mode would not."""
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else _listed(value)


OneOrMany: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_tuple, json_schema_input_type=str | list[str]),
]
"""A string, or a list of them."""


class Escalate(Contract):
    """Ask others as well after a while."""

    after: Duration
    to: Annotated[OneOrMany, Field(min_length=1)]


class Approve(Contract):
    """Who must agree before a change, and for how long the question stands."""

    from_: Annotated[OneOrMany, Field(alias="from")] = ()
    """People and groups; empty: anyone who may decide."""
    quorum: Annotated[int, Field(ge=1, le=20)] = 1
    within: Duration = DEFAULT_APPROVAL_WITHIN
    remind: Duration | None = None
    escalate: Escalate | None = None
    self_approval: bool = False
    message: str = ""


class Retry(Contract):
    """Try a failed step again."""

    attempts: Annotated[int, Field(ge=1, le=20)]
    """All tries, the first included."""
    interval: Duration = DEFAULT_RETRY_INTERVAL
    backoff: Annotated[float, Field(ge=1, le=10)] = 2.0
    max_interval: Duration = DEFAULT_RETRY_MAX


def word_or_rest(value: Any) -> str | None:
    """Which member of a union of a word and something larger is meant: by the shape, so that errors speak of one."""
    if isinstance(value, str | timedelta):
        return "word"
    return "rest" if isinstance(value, dict | list | tuple | Contract) else None


class StepBase(Contract):
    """What every step may carry."""

    id: Identifier | None = None
    name: str = ""
    if_: Annotated[Expr | None, Field(alias="if")] = None
    timeout: Duration | None = None
    retry: Retry | None = None
    on_failure: "OnFailure" = "fail"
    undo: "Undo" = "auto"
    """For changes within: take back automatically, never, or with this step."""
    expires: Duration | None = None
    """For changes within: take back after this long; a lease on the change."""
    approve: Approve | None = None
    """A gate before the step, on the plan of the changes within."""


class UsesStep(StepBase):
    """An action. A change goes plan, approve, apply, confirm."""

    uses: ActionName
    with_: Annotated[JsonObject, Field(alias="with")] = {}
    within: Duration | None = None
    """How long the confirmation of a change may take; by default ten minutes."""


class ApproveStep(StepBase):
    """A gate alone, for the steps up to the next gate."""

    approve: Approve  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]  # required here


class Reading(Contract):
    """The read action that a verification repeats."""

    uses: ActionName
    with_: Annotated[JsonObject, Field(alias="with")] = {}


class VerifyStep(StepBase):
    """A read action repeated until the effect shows. No data is not success."""

    verify: Reading
    until: Expr
    every: Duration = DEFAULT_VERIFY_EVERY
    within: Duration = DEFAULT_VERIFY_WITHIN
    hold: Duration | None = None
    """`until` must be true for this long without a break."""

    @model_validator(mode="after")
    def _bounded(self) -> "VerifyStep":
        if not self.every:
            raise ValueError("`every` must be longer than nothing")
        if self.within / self.every > MAX_POLLS:
            raise ValueError(f"`within` asks for more than {MAX_POLLS} looks: make `every` longer")
        if self.hold is not None and self.hold > self.within:
            raise ValueError("`hold` must fit into `within`")
        return self


class WaitFor(Contract):
    """What a wait waits for."""

    until: Literal["resolved"]
    within: Duration


class WaitStep(StepBase):
    """A durable pause, or until the alert has cleared."""

    wait: Annotated[
        Annotated[Duration, Tag("word")] | Annotated[WaitFor, Tag("rest")],
        Discriminator(
            word_or_rest,
            custom_error_type="wait",
            custom_error_message="`wait` must be a duration such as 10m, or {until: resolved, within: 10m}",
        ),
    ]


class Branch(Contract):
    """One branch of `parallel`."""

    steps: "Steps"
    on_failure: Literal["fail", "continue"] = "fail"


class ParallelStep(StepBase):
    """Named branches at the same time; the first failure cancels the others unless its branch says `continue`."""

    parallel: Annotated[dict[Identifier, Branch], Field(min_length=1, max_length=20)]


class ForEach(Contract):
    """The loop over a list."""

    in_: Annotated[Expr, Field(alias="in")]
    as_: Annotated[Identifier, Field(alias="as")] = "item"
    max_items: Annotated[int, Field(ge=1, le=MAX_ITEMS)]
    """More items than this refuse the step before the first one."""
    max_parallel: Annotated[int, Field(ge=1, le=50)] = 1
    max_failures: Annotated[int, Field(ge=1, le=MAX_ITEMS)] = 1
    """So many failed items fail the step; fewer leave it done, with the failures told."""
    steps: "Steps"


class ForEachStep(StepBase):
    """The same steps for each item of a list."""

    for_each: ForEach


class Case(Contract):
    """A case of `switch`: the first whose `if` is true runs."""

    if_: Annotated[Expr, Field(alias="if")]
    steps: "Steps"


class Switch(Contract):
    """Cases in order, and what else."""

    cases: Annotated[tuple[Case, ...], Field(min_length=1, max_length=50), BeforeValidator(_listed)]
    default: "Steps | None" = None


class SwitchStep(StepBase):
    """One of several ways."""

    switch: Switch


class PlaybookStep(StepBase):
    """Another playbook as a child."""

    playbook: DnsLabel
    inputs: JsonObject = {}


class SetStep(StepBase):
    """Names for values, read as `vars.<name>`."""

    set: Annotated[dict[Identifier, Json], Field(min_length=1, max_length=50)]


class Stop(Contract):
    """The end, said by the author."""

    outcome: Literal[
        "remediated", "unverified", "unnecessary", "diagnosed", "refused", "denied", "undone", "failed", "cancelled"
    ]
    reason: Text


class StopStep(StepBase):
    """End the run here."""

    stop: Stop


STEP_KINDS = ("uses", "verify", "wait", "parallel", "for_each", "switch", "playbook", "set", "stop", "approve")
"""The key that makes a step what it is; `approve` only when it stands alone."""


def step_kind(value: Any) -> str | None:
    """Which kind of step this is, from the keys that are there; None when it is none."""
    for kind in STEP_KINDS:
        if kind in value if isinstance(value, dict) else getattr(value, kind, None) is not None:
            return kind
    return None


def _one_kind(value: Any) -> Any:
    """Refuse a step of no kind and one of two, before the union of kinds is asked, which would only name fields.

    Raises:
        PydanticCustomError: with the kinds, and the nearest one to what was written.
    """
    if isinstance(value, StepBase):
        return value
    expected = "a step is exactly one of " + ", ".join(STEP_KINDS)
    if not isinstance(value, dict):
        raise PydanticCustomError("step_kind", "{what}", {"what": f"{expected}: this is no mapping"})
    keys = [str(key) for key in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    kinds = [kind for kind in STEP_KINDS if kind in keys and kind != "approve"]
    if len(kinds) > 1:
        both = " and ".join(f"`{kind}`" for kind in kinds)
        raise PydanticCustomError("step_kind", "{what}", {"what": f"{expected}: this has {both}"})
    if not kinds and "approve" not in keys:
        close = [one for key in keys if key not in _COMMON for one in difflib.get_close_matches(key, STEP_KINDS, n=1)]
        hint = f"; did you mean `{close[0]}`?" if close else ""
        raise PydanticCustomError("step_kind", "{what}", {"what": f"{expected}{hint}"})
    return value  # pyright: ignore[reportUnknownVariableType]  # any JSON until the union has looked at it


_COMMON = frozenset(field.alias or name for name, field in StepBase.model_fields.items())

Step: TypeAlias = Annotated[
    Annotated[UsesStep, Tag("uses")]
    | Annotated[VerifyStep, Tag("verify")]
    | Annotated[WaitStep, Tag("wait")]
    | Annotated[ParallelStep, Tag("parallel")]
    | Annotated[ForEachStep, Tag("for_each")]
    | Annotated[SwitchStep, Tag("switch")]
    | Annotated[PlaybookStep, Tag("playbook")]
    | Annotated[SetStep, Tag("set")]
    | Annotated[StopStep, Tag("stop")]
    | Annotated[ApproveStep, Tag("approve")],
    Discriminator(step_kind),
    BeforeValidator(_one_kind),
]
Steps: TypeAlias = Annotated[tuple[Step, ...], Field(min_length=1, max_length=MAX_STEPS), BeforeValidator(_listed)]
OnFailure: TypeAlias = Annotated[
    Annotated[Literal["fail", "continue", "stop"], Tag("word")] | Annotated[Steps, Tag("rest")],
    Discriminator(
        word_or_rest,
        custom_error_type="on_failure",
        custom_error_message="`on_failure` must be fail, continue, stop, or a list of steps",
    ),
]
Undo: TypeAlias = Annotated[
    Annotated[Literal["auto", "never"], Tag("word")] | Annotated[UsesStep, Tag("rest")],
    Discriminator(
        word_or_rest,
        custom_error_type="undo",
        custom_error_message="`undo` must be auto, never, or a step with `uses`",
    ),
]
