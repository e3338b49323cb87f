"""What the tests of a playbook came to, for people and for machines.

Exit status of a run of tests: 0 when all passed, 1 when one failed, 2 when one could not be run because it is wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from halon.contracts.base import Json, JsonObject, format_duration
from halon.contracts.outcome import RunResult
from halon.documents import Problem

_MAX_TIMELINE = 200
_BOLD, _RED, _GREEN, _YELLOW, _DIM, _PLAIN = "\033[1m", "\033[31m", "\033[32m", "\033[33m", "\033[2m", "\033[0m"


@dataclass(frozen=True, slots=True)
class Difference:
    """One expectation that was not met."""

    field: str
    expected: Json
    got: Json
    why: str = ""
    """One sentence that helps, or empty."""


@dataclass(frozen=True, slots=True)
class Happening:
    """A line of the timeline."""

    after: timedelta
    """Since the beginning of the run."""
    kind: str
    step: str
    message: str


@dataclass(frozen=True, slots=True)
class TestResult:
    """What one test came to. It is `wrong` when it could not be run as it is written; `problems` say why."""

    __test__ = False

    playbook: str
    name: str
    file: str
    line: int
    status: Literal["passed", "failed", "wrong"]
    differences: tuple[Difference, ...] = ()
    problems: tuple[Problem, ...] = ()
    timeline: tuple[Happening, ...] = field(default=(), repr=False)
    took: timedelta = timedelta()
    """Virtual time of the run."""
    result: RunResult | None = None

    def to_json(self) -> JsonObject:
        """The same for machines."""
        return {
            "playbook": self.playbook,
            "name": self.name,
            "file": self.file,
            "line": self.line,
            "status": self.status,
            "differences": [
                {"field": one.field, "expected": one.expected, "got": one.got, "why": one.why}
                for one in self.differences
            ],
            "problems": [
                {"file": one.file, "line": one.line, "column": one.column, "message": one.message, "code": one.code}
                for one in self.problems
            ],
            "timeline": [
                {"after": format_duration(one.after), "kind": one.kind, "step": one.step, "message": one.message}
                for one in self.timeline
            ],
            "took": format_duration(self.took),
            "result": self.result.model_dump(mode="json") if self.result else None,
        }


def exit_status(results: Sequence[TestResult]) -> int:
    """Give the exit status for these results."""
    statuses = {one.status for one in results}
    return 2 if "wrong" in statuses else 1 if "failed" in statuses else 0


def format_results(results: Sequence[TestResult], *, colour: bool, untested: Sequence[str] = ()) -> str:
    """Write results for a terminal. `untested` names playbooks without tests, which are told, not failed."""
    lines = list(_lines(results))
    lines += [f"{_YELLOW}no tests{_PLAIN}  playbook {name} has none: add some under `tests:`" for name in untested]
    counts = {status: sum(one.status == status for one in results) for status in ("passed", "failed", "wrong")}
    tone = _RED if counts["failed"] or counts["wrong"] else _GREEN
    parts = [f"{counts['passed']} passed", f"{counts['failed']} failed"]
    parts += [f"{counts['wrong']} wrong"] if counts["wrong"] else []
    parts += [f"{len(untested)} without tests"] if untested else []
    lines.append(f"{tone}{', '.join(parts)}{_PLAIN}")
    text = "\n".join(lines)
    if colour:
        return text
    for code in (_BOLD, _RED, _GREEN, _YELLOW, _DIM, _PLAIN):
        text = text.replace(code, "")
    return text


def _lines(results: Sequence[TestResult]) -> Iterator[str]:
    playbook = ""
    for one in results:
        if one.playbook != playbook:
            playbook = one.playbook
            yield f"{_BOLD}{playbook}{_PLAIN}"
        tone, word = {"passed": (_GREEN, "ok"), "failed": (_RED, "FAIL"), "wrong": (_YELLOW, "WRONG")}[one.status]
        took = f" {_DIM}({format_duration(one.took)}){_PLAIN}" if one.result is not None else ""
        yield f"  {tone}{word:<5}{_PLAIN} {one.name}{took}"
        if one.status != "passed":
            yield from _details(one)


def _details(result: TestResult) -> Iterator[str]:
    yield f"        {result.file}:{result.line}"
    for problem in result.problems:
        yield f"        {problem}"
    width = max((len(one.field) for one in result.differences), default=0)
    for one in result.differences:
        yield f"        {one.field:<{width}}  expected {_shown(one.expected)}"
        yield f"        {'':<{width}}  got      {_shown(one.got)}" + (f": {one.why}" if one.why else "")
    if result.timeline:
        yield f"        {_DIM}what happened:{_PLAIN}"
    for line in result.timeline[:_MAX_TIMELINE]:
        step = f"{line.step}: " if line.step else ""
        yield f"        {_DIM}+{format_duration(line.after):<9} {line.kind:<18}{_PLAIN} {step}{line.message}"
    if len(result.timeline) > _MAX_TIMELINE:
        yield f"        … and {len(result.timeline) - _MAX_TIMELINE} more lines; --json has them"


def _shown(value: Json) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_shown(one) for one in value)}]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value is not None else "nothing"
