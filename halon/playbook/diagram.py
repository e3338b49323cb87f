"""A playbook as a Mermaid flowchart: what comes after what, where it forks, and where it ends.

Mermaid's own page of the syntax: https://mermaid.js.org/syntax/flowchart.html
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from halon.contracts.base import format_duration
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

MAX_LABEL = 80
"""Characters of one line in a box."""
_SHAPES = {
    "step": ('["', '"]'),
    "change": ('[["', '"]]'),
    "ask": ('{{"', '"}}'),
    "choice": ('{"', '"}'),
    "end": ('(["', '"])'),
    "notice": ('>"', '"]'),
}


@dataclass(frozen=True, slots=True)
class _Way:
    """A line that leaves a box and has not come anywhere yet."""

    start: str
    label: str = ""


@dataclass(slots=True)
class _Chart:
    actions: ActionSchemas
    lines: list[str] = field(default_factory=list[str])
    failing: list[_Way] = field(default_factory=list[_Way])
    """Ways that lead to the end of a run that failed."""
    stops: list[_Way] = field(default_factory=list[_Way])
    """Ways that lead from a `stop`."""
    _count: int = 0

    def box(self, text: str, shape: str = "step") -> str:
        """Draw a box and give its name."""
        self._count += 1
        name = f"n{self._count}"
        opening, closing = _SHAPES[shape]
        self.lines.append(f"    {name}{opening}{_escaped(text)}{closing}")
        return name

    def join(self, ways: Sequence[_Way], box: str, arrow: str = "-->") -> None:
        """Lead ways into a box."""
        for way in ways:
            label = f'|"{_escaped(way.label)}"|' if way.label else ""
            self.lines.append(f"    {way.start} {arrow}{label} {box}")

    def block(self, steps: Steps, ways: Sequence[_Way], prefix: str = "") -> list[_Way]:
        """Draw steps in their order. Gives the ways that leave the last one."""
        open_ways = list(ways)
        for index, step in enumerate(steps):
            open_ways = self._step(step, step_path(step, index, prefix), open_ways)
        return open_ways

    def _step(self, step: Step, path: str, ways: list[_Way]) -> list[_Way]:
        past: list[_Way] = []
        if step.if_ is not None:
            choice = self.box(_bare(step.if_), "choice")
            self.join(ways, choice)
            ways, past = [_Way(choice, "yes")], [_Way(choice, "no")]
        if step.approve is not None:
            ask = self.box(_question(step.approve), "ask")
            self.join(ways, ask)
            self.failing.append(_Way(ask, "no, or nobody in time"))
            ways = [_Way(ask, "approved")]
        if not isinstance(step, ApproveStep):
            ways = self._body(step, path, ways)
        return [*ways, *past]

    def _body(self, step: Step, path: str, ways: list[_Way]) -> list[_Way]:
        if isinstance(step, SwitchStep):
            return self._switch(step, path, ways)
        if isinstance(step, ParallelStep):
            return self._parallel(step, path, ways)
        if isinstance(step, ForEachStep):
            return self._for_each(step, path, ways)
        text, shape = self._words(step, path)
        box = self.box(text, shape)
        self.join(ways, box)
        if isinstance(step, StopStep):
            self.stops.append(_Way(box))
            return []
        return [_Way(box), *self._failed(step, path, box)]

    def _failed(self, step: Step, path: str, box: str) -> list[_Way]:
        """Where a step's failure leads. Gives the ways that come back from it."""
        if not isinstance(step.on_failure, str):
            return self.block(step.on_failure, [_Way(box, "fails")], f"{path}.on_failure")
        if step.on_failure == "continue":
            return []
        if step.on_failure == "stop":
            self.join([_Way(box, "fails")], self.box("ends as failed; what was changed stays", "end"))
            return []
        if isinstance(step, VerifyStep | PlaybookStep) or (isinstance(step, UsesStep) and self._changes(step.uses)):
            self.failing.append(_Way(box, "fails"))
        return []

    def _switch(self, step: SwitchStep, path: str, ways: list[_Way]) -> list[_Way]:
        out: list[_Way] = []
        for case in step.switch.cases:
            choice = self.box(_bare(case.if_), "choice")
            self.join(ways, choice)
            out += self.block(case.steps, [_Way(choice, "yes")], path)
            ways = [_Way(choice, "no")]
        return [*out, *self.block(step.switch.default or (), ways, path)]

    def _parallel(self, step: ParallelStep, path: str, ways: list[_Way]) -> list[_Way]:
        fork = self.box(f"{_last(path)}: at the same time")
        self.join(ways, fork)
        branches = [
            self.block(branch.steps, [_Way(fork, name)], f"{path}.{name}") for name, branch in step.parallel.items()
        ]
        meet = self.box(f"{_last(path)}: all done")
        self.join([way for branch in branches for way in branch], meet)
        return [_Way(meet), *self._failed(step, path, meet)]

    def _for_each(self, step: ForEachStep, path: str, ways: list[_Way]) -> list[_Way]:
        loop = step.for_each
        each = self.box(f"{_last(path)}: for each {loop.as_} of {_bare(loop.in_)}, at most {loop.max_items}", "choice")
        self.join(ways, each)
        self.join(self.block(loop.steps, [_Way(each, "next")], f"{path}[]"), each)
        return [_Way(each, "done"), *self._failed(step, path, each)]

    def _words(self, step: Step, path: str) -> tuple[str, str]:
        text, shape = _last(path), "step"
        if isinstance(step, UsesStep):
            lease = f", for {format_duration(step.expires)}" if step.expires else ""
            text, shape = f"{text}: {step.uses}{lease}", self._shape(step.uses)
        elif isinstance(step, VerifyStep):
            text = f"{text}: verify {_bare(step.until)}, within {format_duration(step.within)}"
        elif isinstance(step, WaitStep):
            bound = format_duration(step.wait.within if isinstance(step.wait, WaitFor) else step.wait)
            what = "wait until the alert has cleared, at most" if isinstance(step.wait, WaitFor) else "wait"
            text = f"{text}: {what} {bound}"
        elif isinstance(step, PlaybookStep):
            text, shape = f"{text}: playbook {step.playbook}", "change"
        elif isinstance(step, SetStep):
            text = f"{text}: set {', '.join(step.set)}"
        elif isinstance(step, StopStep):
            text, shape = f"{step.stop.outcome}: {step.stop.reason}", "end"
        return text, shape

    def _shape(self, action: str) -> str:
        found = self.actions.get(action)
        if found is not None and found.effect is Effect.NOTIFY:
            return "notice"
        return "change" if self._changes(action) else "step"

    def _changes(self, action: str) -> bool:
        found = self.actions.get(action)
        return found is not None and found.changes


def mermaid(playbook: Playbook, actions: ActionSchemas) -> str:
    """Draw a playbook."""
    chart = _Chart(actions)
    begin = chart.box(", ".join(playbook.trigger.alerts) if playbook.trigger else "started by hand", "end")
    ways = [_Way(begin)]
    for one in playbook.resolve:
        box = chart.box(f"{one.id}: {one.uses}")
        chart.join(ways, box)
        ways = [_Way(box)]
    guards = [name for name in ("lock", "breaker", "rate", "budget") if getattr(playbook.guard, name) is not None]
    box = chart.box(f"guards: {', '.join([*guards, 'freeze'])}", "choice")
    chart.join(ways, box)
    ways = [_Way(box, "granted")]
    refused = [_Way(box, "refused")]
    ways = chart.block(playbook.steps, ways)
    failing, chart.failing = chart.failing, []
    if failing:
        back = chart.box("put back what was changed, in reverse order")
        chart.join(failing, back, "-.->")
        refused = [*refused, _Way(back)]
    ended = chart.block(playbook.on_failure or (), refused, "on_failure")
    ended += chart.failing
    if playbook.finally_:
        ways, ended = chart.block(playbook.finally_, [*ways, *ended, *chart.stops], "finally"), []
    for last, text in ((ways, "done"), (ended, "ends without success")):
        if last:
            chart.join(last, chart.box(text, "end"))
    return "\n".join(["flowchart TD", *chart.lines]) + "\n"


def _question(approve: Approve) -> str:
    who = ", ".join(approve.from_) or "anyone who may decide"
    needed = f"{approve.quorum} of " if approve.quorum > 1 else ""
    return f"ask {needed}{who}, within {format_duration(approve.within)}"


def _bare(expression: str) -> str:
    return " ".join(expression.split()).removeprefix("${{").removesuffix("}}").strip()


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _escaped(text: str) -> str:
    """What Mermaid takes as text: its own entities for what would be markup, on one line of bounded length."""
    line = " ".join(text.split())
    line = line if len(line) <= MAX_LABEL else f"{line[:MAX_LABEL]}…"
    return "".join(_ENTITIES.get(char, char) for char in line)


_ENTITIES = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;", "|": "#124;"}
