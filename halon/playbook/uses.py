"""Every place at which a playbook uses an action, with what is known of the parameters before it runs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from halon.contracts.base import Json, JsonObject
from halon.contracts.playbook import Playbook
from halon.contracts.steps import (
    ForEachStep,
    ParallelStep,
    Step,
    SwitchStep,
    UsesStep,
    VerifyStep,
)
from halon.core.steps import step_path

_INPUT = re.compile(r"\s*\$\{\{\s*inputs\.([a-z_][a-z0-9_]*)\s*\}\}\s*")
"""An expression that is one input of the playbook and nothing else."""

Values: TypeAlias = Mapping[str, tuple[Json, ...]]
"""Parameters by name with all the values that they can have; one that is not here can have any."""


@dataclass(frozen=True, slots=True)
class Use:
    """One action in one step."""

    playbook: str
    step: str
    """Where it stands: `rollback`, `drain[].evict`, `on_failure.page`."""
    action: str
    values: Values = field(default_factory=dict[str, tuple[Json, ...]])
    given: JsonObject = field(default_factory=dict[str, Json])
    """Parameters as the step writes them, also those whose value only an expression gives."""
    undo: Literal["auto", "never", "own"] = "never"
    """Whether the change that this makes is taken back by the action's own undo, not at all, or by a step of its own,
    which is a use of its own."""


def uses_of(book: Playbook) -> Iterator[Use]:
    """Give the uses in a playbook, not those in the playbooks that it calls: `library_of` names them."""
    for one in book.resolve:
        yield _use(book, one.id, one.uses, one.with_, "never")
    yield from _in_steps(book, book.steps, "")
    yield from _in_steps(book, book.on_failure or (), "on_failure")
    yield from _in_steps(book, book.finally_ or (), "finally")


def _in_steps(book: Playbook, steps: Sequence[Step], prefix: str) -> Iterator[Use]:
    for index, step in enumerate(steps):
        path = step_path(step, index, prefix)
        yield from _in_step(book, step, path)
        if not isinstance(step.on_failure, str):
            yield from _in_steps(book, step.on_failure, f"{path}.on_failure")
        if isinstance(step.undo, UsesStep):
            yield _use(book, f"{path}.undo", step.undo.uses, step.undo.with_, "never")


def _in_step(book: Playbook, step: Step, path: str) -> Iterator[Use]:
    if isinstance(step, UsesStep):
        undo = step.undo if isinstance(step.undo, str) else "own"
        yield _use(book, path, step.uses, step.with_, undo)
    elif isinstance(step, VerifyStep):
        yield _use(book, path, step.verify.uses, step.verify.with_, "never")
    elif isinstance(step, ParallelStep):
        for name, branch in step.parallel.items():
            yield from _in_steps(book, branch.steps, f"{path}.{name}")
    elif isinstance(step, ForEachStep):
        yield from _in_steps(book, step.for_each.steps, f"{path}[]")
    elif isinstance(step, SwitchStep):
        for case in step.switch.cases:
            yield from _in_steps(book, case.steps, path)
        yield from _in_steps(book, step.switch.default or (), path)


def _use(book: Playbook, step: str, action: str, given: JsonObject, undo: Literal["auto", "never", "own"]) -> Use:
    values = {name: known for name, value in given.items() if (known := _known(book, value))}
    return Use(book.metadata.name, step, action, values, given, undo)


def _known(book: Playbook, value: Json) -> tuple[Json, ...]:
    """Give the values that this can have: itself, or what an input may be; none when that is open."""
    if not _has_expression(value):
        return (value,)
    only = _INPUT.fullmatch(value) if isinstance(value, str) else None
    declared = book.inputs.get(only[1]) if only else None
    return declared.enum if declared is not None else ()


def _has_expression(value: Json) -> bool:
    if isinstance(value, str):
        return "${{" in value
    if isinstance(value, dict):
        return any(_has_expression(one) for one in value.values())
    return isinstance(value, list) and any(_has_expression(one) for one in value)
