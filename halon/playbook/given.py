"""The forms of `given:` in a playbook's tests: what actions answer. docs/testing-playbooks.md tells authors.

A key is an action, `kubernetes.get_owner`, or an action at one step, `kubernetes.get_owner@owner`. A value is one
answer, or a list of successive ones of which the last one repeats. An answer of a read may be the bare output.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from halon.contracts.base import Contract, Duration, Json, JsonObject
from halon.contracts.plan import Row
from halon.documents import Document, Problem, check
from halon.documents.document import Path

MAX_ANSWERS = 1000
"""Successive answers under one key."""

FailureKind: TypeAlias = Literal[
    "failed", "not_found", "permission_denied", "invalid_input", "misconfigured", "no_worker", "timeout", "waiting"
]
"""What kind of failure an action ends with; the interpreter and `failure.kind` know these words."""

_READ_WORDS = frozenset({"output", "error", "kind", "no_data", "takes"})
_SAYS_FORM = frozenset({"output", "error", "no_data"})


class GivenRead(Contract):
    """What a read or a notice answers."""

    output: Json = None
    error: str | None = None
    """It fails for good with this reason."""
    kind: FailureKind = "failed"
    no_data: bool = False
    """It answers, but has no data."""
    takes: Duration = timedelta()

    @model_validator(mode="after")
    def _one(self) -> "GivenRead":
        ways = [self.error is not None, self.no_data, "output" in self.model_fields_set]
        if sum(ways) != 1:
            raise ValueError("an answer is exactly one of `output`, `error` and `no_data`")
        return self


class GivenPlan(Contract):
    """The change that an action plans."""

    before: JsonObject = {}
    after: JsonObject = {}
    rows: tuple[Row, ...] = ()
    summary: str = ""
    notes: tuple[str, ...] = ()
    target: str = ""


class GivenPlanFailure(Contract):
    """Planning fails for good."""

    error: str
    kind: FailureKind = "failed"


def _plan_form(value: Any) -> str:
    if isinstance(value, str):
        return "word"
    is_failure = "error" in value if isinstance(value, dict) else isinstance(value, GivenPlanFailure)
    return "failure" if is_failure else "plan"


PlanForm: TypeAlias = Annotated[
    Annotated[Literal["change", "nothing", "refused"], Tag("word")]
    | Annotated[GivenPlanFailure, Tag("failure")]
    | Annotated[GivenPlan, Tag("plan")],
    Discriminator(_plan_form),
]


class GivenApply(Contract):
    """What an apply comes to."""

    status: Literal["applied", "already", "drift", "refused", "held"] = "applied"
    ours: bool = True
    """False with `already`: somebody else made it so."""
    reason: str = ""
    plan: GivenPlan | None = None
    """With `drift`: the plan for what is there now."""
    error: str | None = None
    """It fails for good with this reason."""
    kind: FailureKind = "failed"
    took_effect: bool = False
    """With `error`: the change is there all the same."""
    takes: Duration = timedelta()

    @model_validator(mode="after")
    def _fits(self) -> "GivenApply":
        if self.plan is not None and self.status != "drift":
            raise ValueError("`plan` belongs to `status: drift`")
        if self.took_effect and self.error is None:
            raise ValueError("`took_effect` belongs to `error`")
        return self


class GivenConfirm(Contract):
    """What looking for the effect comes to."""

    settled: Literal[True] | None = None
    broken: str | None = None
    """It will never be there, with the reason."""
    waiting: str | None = None
    """It is not there until the time is up, with the reason."""
    error: str | None = None
    """Looking itself fails for good."""
    kind: FailureKind = "failed"
    takes: Duration = timedelta()

    @model_validator(mode="after")
    def _one(self) -> "GivenConfirm":
        if sum(way is not None for way in (self.settled, self.broken, self.waiting, self.error)) > 1:
            raise ValueError("a confirmation is exactly one of `settled`, `broken`, `waiting` and `error`")
        return self


class GivenUndo(Contract):
    """What taking a change back comes to."""

    none: str | None = None
    """There is no way back, with the reason."""
    refused: str | None = None
    """Somebody else has changed the target since, with what: a person is asked whether to put it back all the same."""
    error: str | None = None
    """Planning it fails for good."""
    kind: FailureKind = "failed"
    apply: GivenApply = GivenApply()
    confirm: GivenConfirm = GivenConfirm()


def _undo_form(value: Any) -> str:
    return "word" if isinstance(value, str) else "rest"


class GivenChange(Contract):
    """What a change comes to, from plan to undo. Left out: it plans what its parameters say, applies and confirms."""

    plan: PlanForm = "change"
    reason: str = ""
    """Why there is nothing to do, or why it is refused."""
    apply: GivenApply = GivenApply()
    confirm: GivenConfirm = GivenConfirm()
    undo: Annotated[
        Annotated[Literal["auto", "none"], Tag("word")] | Annotated[GivenUndo, Tag("rest")],
        Discriminator(_undo_form),
    ] = "auto"
    takes: Annotated[Duration, Field(description="How long planning takes")] = timedelta()


@dataclass(frozen=True, slots=True)
class Key:
    """A key of `given`."""

    action: str
    step: str
    """Empty for all steps."""


@dataclass(frozen=True, slots=True)
class Scripts:
    """The checked answers of one test, by key. Each list has at least one."""

    reads: Mapping[Key, tuple[GivenRead, ...]]
    changes: Mapping[Key, tuple[GivenChange, ...]]


def split_key(text: str) -> Key:
    """Read a key."""
    action, _, step = text.partition("@")
    return Key(action, step)


def read_scripts(
    given: Mapping[str, Json], changing: Iterable[str], document: Document, path: Path
) -> tuple[Scripts, list[Problem]]:
    """Check what is given. `changing` names the actions that change the world, `path` is where `given` stands."""
    changes_world = frozenset(changing)
    reads: dict[Key, tuple[GivenRead, ...]] = {}
    changes: dict[Key, tuple[GivenChange, ...]] = {}
    problems: list[Problem] = []
    for text, value in given.items():
        key = split_key(text)
        here = (*path, text)
        entries = value if isinstance(value, list) else [value]
        if not 1 <= len(entries) <= MAX_ANSWERS:
            problems.append(problem(document, here, f"needs 1 to {MAX_ANSWERS} answers, not {len(entries)}"))
            continue
        places = [(*here, index) for index in range(len(entries))] if isinstance(value, list) else [here]
        if key.action in changes_world:
            found = [_read_entry(GivenChange, one, document, at) for one, at in zip(entries, places, strict=True)]
            changes[key] = tuple(one for one, _ in found if one is not None)
            problems.extend(each for _, some in found for each in some)
        else:
            answers = [
                _read_entry(GivenRead, _answer_form(one), document, at) for one, at in zip(entries, places, strict=True)
            ]
            reads[key] = tuple(one for one, _ in answers if one is not None)
            problems.extend(each for _, some in answers for each in some)
    return Scripts(reads, changes), problems


def problem(document: Document, path: Path, message: str) -> Problem:
    """Something wrong at a place of a test."""
    where = document.key_position(path)
    return Problem(document.file, where.line, where.column, message, "given")


def _answer_form(value: Json) -> Json:
    """A bare output is an answer with that output."""
    if isinstance(value, dict) and value.keys() <= _READ_WORDS and value.keys() & _SAYS_FORM:
        return value
    return {"output": value}


def _read_entry(model: type[Any], value: Json, document: Document, path: Path) -> tuple[Any | None, list[Problem]]:
    """Make a form of one answer, with problems at the place where it stands."""
    node = document.root
    for part in path:
        if node is None:
            break
        if node.fields is not None and isinstance(part, str) and part in node.fields:
            node = node.fields[part][1]
        elif node.items is not None and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            node = None
    if value is None:
        return None, [problem(document, path, "an answer may not be empty")]
    found, problems = check(replace(document, value=value, root=node), model)
    return found, problems
