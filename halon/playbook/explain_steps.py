"""The steps of a playbook, each as a sentence."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from halon.contracts.base import Json, JsonObject, format_duration
from halon.contracts.plan import Effect
from halon.contracts.playbook import Playbook
from halon.contracts.steps import (
    Approve,
    ApproveStep,
    ForEachStep,
    ParallelStep,
    PlaybookStep,
    SetStep,
    Step,
    Steps,
    StopStep,
    SwitchStep,
    UsesStep,
    VerifyStep,
    WaitFor,
    WaitStep,
)
from halon.core.steps import step_path
from halon.playbook.actions import ActionSchemas

MAX_SHOWN = 200
"""Characters of a value in a sentence."""
_VERBS = {
    Effect.READ: "looks",
    Effect.NOTIFY: "tells people",
    Effect.CHANGE: "changes",
    Effect.DESTROY: "destroys",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence, and how far it is part of the one before."""

    depth: int
    text: str


def code(value: Json) -> str:
    """Show what is not prose as such: an expression, a name, a value. Always on one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    text = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    if not text:
        return "(empty)"
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def asked(approve: Approve) -> str:
    """Say who is asked, how many must agree, and for how long."""
    who = ", ".join(approve.from_) or "anyone who may decide"
    needed = "an approval" if approve.quorum == 1 else f"{approve.quorum} approvals"
    message = f" ({approve.message})" if approve.message else ""
    return f"{needed} by {who} within {format_duration(approve.within)}{message}"


def given(params: JsonObject) -> str:
    """Say what a call is given."""
    return f" with {', '.join(f'{key} {code(value)}' for key, value in params.items())}" if params else ""


def walk(steps: Steps, prefix: str = "") -> Iterator[tuple[str, Step]]:
    """Every step within, with its path, in the order in which they are written."""
    for index, step in enumerate(steps):
        path = step_path(step, index, prefix)
        yield path, step
        if isinstance(step, ParallelStep):
            for name, branch in step.parallel.items():
                yield from walk(branch.steps, f"{path}.{name}")
        elif isinstance(step, ForEachStep):
            yield from walk(step.for_each.steps, f"{path}[]")
        elif isinstance(step, SwitchStep):
            for case in step.switch.cases:
                yield from walk(case.steps, path)
            yield from walk(step.switch.default or (), path)
        if not isinstance(step.on_failure, str):
            yield from walk(step.on_failure, f"{path}.on_failure")


class Sentences:
    """Says what steps do."""

    def __init__(self, actions: ActionSchemas, library: Mapping[str, Playbook]) -> None:
        self._actions = actions
        self._library = library
        self._says: dict[type[Any], Callable[[Any], str]] = {
            UsesStep: lambda step: self.action(step.uses, step.with_),
            ApproveStep: lambda step: f"asks for {asked(step.approve)}",
            VerifyStep: self._verify,
            WaitStep: _wait,
            ParallelStep: lambda _: "does at the same time:",
            ForEachStep: _for_each,
            SwitchStep: lambda _: "takes the first of these ways that fits:",
            PlaybookStep: self._playbook,
            SetStep: lambda step: f"notes {', '.join(f'{name} = {code(value)}' for name, value in step.set.items())}",
            StopStep: lambda step: f"ends here as {code(step.stop.outcome)}: {step.stop.reason}",
        }

    def steps(self, steps: Steps, depth: int = 0, prefix: str = "") -> Iterator[Line]:
        """Say what steps do, in their order."""
        for index, step in enumerate(steps):
            path = step_path(step, index, prefix)
            condition = f"if {code(step.if_)}, " if step.if_ else ""
            name = f" ({step.name})" if step.name else ""
            yield Line(depth, f"{code(path.rpartition('.')[2])}{name}: {condition}{self._says[type(step)](step)}")
            yield from (Line(depth + 1, text) for text in self._extras(step))
            yield from self._within(step, path, depth + 1)

    def action(self, name: str, params: JsonObject) -> str:
        """Say what a call does, in the action's own words."""
        action = self._actions.get(name)
        if action is None:
            return f"runs {code(name)}, which is not installed here{given(params)}"
        words = _first_sentence(str(action.params.get("description", "")))
        return f"{_VERBS[action.effect]}: {words}{' ' if words else ''}[{code(name)}{given(params)}]"

    def _verify(self, step: VerifyStep) -> str:
        hold = f", for {format_duration(step.hold)} without a break" if step.hold else ""
        every = f"every {format_duration(step.every)}, for at most {format_duration(step.within)}"
        return (
            f"verifies {every}, that {code(step.until)} holds{hold}; {self.action(step.verify.uses, step.verify.with_)}"
        )

    def _playbook(self, step: PlaybookStep) -> str:
        book = self._library.get(step.playbook)
        title = f" ({book.metadata.title})" if book else ", which is not installed here"
        return f"runs playbook {code(step.playbook)}{title}{given(step.inputs)}, under its own guards"

    def _extras(self, step: Step) -> Iterator[str]:
        """What every step may carry."""
        if step.approve is not None and not isinstance(step, ApproveStep):
            yield f"only with {asked(step.approve)}"
        if step.retry is not None:
            pause = format_duration(step.retry.interval)
            yield f"tried up to {step.retry.attempts} times, first again after {pause}"
        if step.timeout is not None:
            yield f"fails when it takes longer than {format_duration(step.timeout)}"
        if isinstance(step, UsesStep) and step.within is not None:
            yield f"must be confirmed within {format_duration(step.within)}"
        if step.expires is not None:
            yield f"taken back after {format_duration(step.expires)}: a lease"
        if isinstance(step.undo, UsesStep):
            yield f"taken back, when the run fails: {self.action(step.undo.uses, step.undo.with_)}"
        elif step.undo == "never":
            yield "not taken back when the run fails"
        if step.on_failure == "continue":
            yield "when it fails, the run goes on"
        elif step.on_failure == "stop":
            yield "when it fails, the run ends, and what was changed stays as it is"

    def _within(self, step: Step, path: str, depth: int) -> Iterator[Line]:
        if isinstance(step, ParallelStep):
            for name, branch in step.parallel.items():
                goes_on = ", whose failure does not stop the others" if branch.on_failure == "continue" else ""
                yield Line(depth, f"{code(name)}{goes_on}:")
                yield from self.steps(branch.steps, depth + 1, f"{path}.{name}")
        elif isinstance(step, ForEachStep):
            yield from self.steps(step.for_each.steps, depth, f"{path}[]")
        elif isinstance(step, SwitchStep):
            for case in step.switch.cases:
                yield Line(depth, f"if {code(case.if_)}:")
                yield from self.steps(case.steps, depth + 1, path)
            if step.switch.default is not None:
                yield Line(depth, "otherwise:")
                yield from self.steps(step.switch.default, depth + 1, path)
        if not isinstance(step.on_failure, str):
            yield Line(depth, "when it fails, and then the run goes on:")
            yield from self.steps(step.on_failure, depth + 1, f"{path}.on_failure")


def _wait(step: WaitStep) -> str:
    if isinstance(step.wait, WaitFor):
        within = format_duration(step.wait.within)
        return f"waits until the alert has cleared, and fails when it has not within {within}"
    return f"waits {format_duration(step.wait)}"


def _for_each(step: ForEachStep) -> str:
    loop = step.for_each
    at_once = f", {loop.max_parallel} at a time" if loop.max_parallel > 1 else ", one after the other"
    stops = f"; {loop.max_failures} failures stop it" if loop.max_failures > 1 else "; the first failure stops it"
    bounds = f"at most {loop.max_items}{at_once}{stops}"
    return f"does for each {code(loop.as_)} of {code(loop.in_)} ({bounds}):"


def _first_sentence(text: str) -> str:
    """The first sentence of a docstring, beginning small, as part of another one."""
    first = " ".join(text.split("\n\n", maxsplit=1)[0].split()).split(". ", maxsplit=1)[0].rstrip(".")
    return first[:1].lower() + first[1:]
