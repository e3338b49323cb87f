"""What a run knows and has done so far: the scope that expressions see, and the changes that can be taken back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from halon.contracts.base import Json, JsonObject, is_list, is_object, parse_duration
from halon.contracts.outcome import Outcome, StepReport
from halon.contracts.plan import Plan
from halon.contracts.playbook import Budget
from halon.contracts.policy import PolicyRule
from halon.contracts.steps import Approve, UsesStep
from halon.core.expressions import EvaluationError, condition, render

FailureKind = Literal[
    "failed",
    "timeout",
    "refused",
    "denied",
    "expired",
    "unverified",
    "no_data",
    "expression",
    "invalid_input",
    "not_found",
    "permission_denied",
    "misconfigured",
    "no_worker",
]
FINAL: frozenset[str] = frozenset({"refused", "denied", "expired", "expression", "invalid_input", "misconfigured"})
"""Kinds of failure that no retry can mend."""


class StepFailed(Exception):  # noqa: N818  # a fact that the interpreter handles, not a defect
    """A step did not do what it should. `on_failure` decides what follows."""

    def __init__(self, step: str, kind: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.kind = kind
        self.reason = reason

    @property
    def facts(self) -> JsonObject:
        """What `failure` holds in steps that run because of it, while the run goes on."""
        return {"reason": self.reason, "step": self.step, "kind": self.kind, "outcome": "", "left": []}


class RunEnded(Exception):  # noqa: N818  # control flow, as StopIteration is
    """The run ends here: a `stop` step, the alert cleared, or `on_failure: stop`."""

    def __init__(self, outcome: Outcome, reason: str, *, keep: bool) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.keep = keep
        """Leave the changes in place."""


@dataclass(slots=True)
class Scope:
    """The names that expressions see. Forked for loops and branches, so that what they set does not leak sideways."""

    base: dict[str, Any]
    steps: dict[str, Any] = field(default_factory=dict[str, Any])
    variables: dict[str, Any] = field(default_factory=dict[str, Any])

    def fork(self, **names: Any) -> "Scope":
        """A scope that sees all of this one and `names`, and whose own findings stay with it until merged."""
        return Scope({**self.base, **names}, dict(self.steps), dict(self.variables))

    def merge(self, other: "Scope") -> None:
        """Take over what a finished branch found."""
        self.steps.update(other.steps)
        self.variables.update(other.variables)

    def names(self, now: datetime, **more: Any) -> Mapping[str, Any]:
        """The names at this moment, as expressions get them."""
        return {**self.base, "steps": self.steps, "vars": self.variables, "now": now, **more}


@dataclass(frozen=True, slots=True)
class Cover:
    """What an enclosing gate or step hands down to the steps within."""

    approve: Approve | None = None
    """The gate that a change within falls under; asked again when its plan is not the approved one."""
    approved: frozenset[str] = frozenset()
    """Digests of the plans that were approved."""
    attempt: str = ""
    """Which attempts of the steps around led here, for the idempotency key."""
    depth: int = 0
    """How many playbooks are around."""
    undo: Literal["auto", "never"] = "auto"
    expires: timedelta | None = None
    playbook: str = ""
    target: str = ""
    budget: Budget | None = None
    """That of the playbook around, which loops are counted against before they begin."""
    rules: tuple[PolicyRule, ...] = ()
    environment: str = ""
    barred: str = ""
    """Why nothing may be changed under this cover: the guards have not granted it."""


@dataclass(slots=True)
class Done:
    """A change that took effect, or may have: what undo needs."""

    step: str
    plan: Plan
    undo: Literal["auto", "never"] | UsesStep
    scope: Scope
    key: str
    expires: timedelta | None = None
    """How long it may stay."""
    confirmed: bool = False
    taken_back: bool = False


@dataclass(slots=True)
class Account:
    """The run's own account: what it changed, what it verified, what became of each step."""

    changes: list[Done] = field(default_factory=list[Done])
    """In the order in which they took effect."""
    applied: list[str] = field(default_factory=list[str])
    undone: list[str] = field(default_factory=list[str])
    reports: list[StepReport] = field(default_factory=list[StepReport])
    verified: bool = False
    """A verification held after the last change."""
    unverified: str = ""
    """Why a verification of this run came to nothing, when one did and the author went on."""
    already: str = ""
    """Why a change was not needed, when one was not."""
    planned: int = 0
    """Changes planned in a dry run."""

    def report(self, path: str, kind: str, outcome: str, reason: str = "") -> None:
        """Note what became of a step."""
        self.reports.append(StepReport(path=path, kind=kind, outcome=outcome, reason=reason))

    def verified_below(self, path: str) -> bool:
        """Whether a verification of a step below `path` held, and nothing was changed after it."""
        return self.verified and any(
            one.outcome == "verified" and one.path.startswith(f"{path}.") for one in self.reports
        )

    def in_place(self) -> list[Done]:
        """Changes that have not been taken back."""
        return [done for done in self.changes if not done.taken_back]


def rendered(step: str, value: Json, names: Mapping[str, Any]) -> Any:
    """Fill in the expressions of `value`.

    Raises:
        StepFailed: one of them has no answer.
    """
    try:
        return render(value, names)
    except EvaluationError as error:
        raise StepFailed(step, "expression", str(error)) from error


def holds(step: str, source: str, names: Mapping[str, Any]) -> bool:
    """Ask a condition.

    Raises:
        StepFailed: it has no answer, or one that is neither true nor false.
    """
    try:
        return condition(source, names)
    except EvaluationError as error:
        raise StepFailed(step, "expression", str(error)) from error


def hydrate(output: Json, hints: Mapping[str, str]) -> Any:
    """Turn an output from the wire into what expressions compare: durations and timestamps at the hinted paths."""
    value: Any = output
    for path, kind in sorted(hints.items()):
        value = _convert(value, path.replace("[]", ".[]").split("."), kind)
    return value


def _convert(value: Any, path: list[str], kind: str) -> Any:
    if value is None:
        return None
    if not path or path == [""]:
        if not isinstance(value, str):
            return value
        return parse_duration(value) if kind == "duration" else datetime.fromisoformat(value)
    head, rest = path[0], path[1:]
    if head == "[]":
        return [_convert(item, rest, kind) for item in value] if is_list(value) else value
    if is_object(value) and head in value:
        return {**value, head: _convert(value[head], rest, kind)}
    return value


def small(value: Json, limit: int = 2048) -> JsonObject:
    """A value for an audit record: itself when it is short, otherwise its beginning, so that records stay small."""
    text = repr(value)
    return {"value": value} if len(text) <= limit else {"excerpt": text[:limit]}
