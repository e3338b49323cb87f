"""Runs the `tests:` of a playbook on a virtual clock: from the alert through the trigger to the run's end.

Nothing outside is touched. What is written in a test is checked first, so that a test that names a step, an action or a
field that does not exist is `wrong` instead of proving nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.audit import AuditKind
from halon.contracts.base import digest, format_duration
from halon.contracts.decision import Verdict
from halon.contracts.outcome import Outcome, RunResult
from halon.contracts.playbook import Playbook, PlaybookTest, TestAlert
from halon.contracts.run import RunSpec
from halon.core.grouping import triage
from halon.core.ids import incident_id
from halon.core.library import library_of
from halon.core.recurrence import in_window, most_in_window
from halon.core.virtual import START, Course, Reply, VirtualRun, run_virtually
from halon.documents import Document, Problem, nearest
from halon.documents.document import Path
from halon.playbook.actions import ActionSchemas
from halon.playbook.given import Scripts, problem, read_scripts
from halon.playbook.outputs import mismatches
from halon.playbook.places import Places
from halon.playbook.results import Difference, Happening, TestResult
from halon.playbook.scripted import ScriptedWorld, people_of

DEFAULT_EVERY = timedelta(minutes=1)
"""Time between the repeats of a test's alert."""
STARTED_BY = "halon test"
"""Who starts a test's run when no alert does."""


def run_tests(
    playbook: Playbook,
    library: Mapping[str, Playbook],
    actions: ActionSchemas,
    document: Document | None = None,
) -> list[TestResult]:
    """Run all tests of a playbook, in order. A playbook without tests gives an empty list, which is to be told.

    `library` holds the playbooks that may be called, by name; `document` is the file, for the places of errors.

    Raises:
        RuntimeError: an event loop runs in this thread; call this from a thread of its own.
    """
    place = document or Document(playbook.metadata.name, "", None, None)
    bench = _Bench(playbook, library_of(playbook, library), actions, place)
    return [bench.run(test, index) for index, test in enumerate(playbook.tests)]


@dataclass(frozen=True, slots=True)
class _Opening:
    """How a test's run begins, or why none does."""

    start: datetime
    alert: Alert | None = None
    incident: str = "test"
    unmatched: str = ""
    """Why the trigger takes none of the alerts."""
    suppressed: RunResult | None = None
    """What the incident comes to when too few alerts came."""


class _Bench:
    """Runs the tests of one playbook."""

    def __init__(
        self, book: Playbook, library: Mapping[str, Playbook], actions: ActionSchemas, document: Document
    ) -> None:
        self._book = book
        self._library = library
        self._actions = actions
        self._document = document
        self._places = Places(book, library)

    def run(self, test: PlaybookTest, index: int) -> TestResult:
        """Run one test."""
        at: Path = ("tests", index)
        changing = [one.name for one in self._actions.values() if one.changes]
        scripts, problems = read_scripts(test.given, changing, self._document, (*at, "given"))
        problems += self._mistakes(test, scripts, at)
        if problems:
            return self._result(test, at, problems=problems)
        opening = self._open(test)
        if opening.unmatched or opening.suppressed is not None:
            return self._result(test, at, differences=_compare_unrun(test, opening), result=opening.suppressed)
        world = ScriptedWorld(scripts, self._actions, self._places.ignores, people_of(test.groups, test.decide))
        spec = RunSpec(
            incident=opening.incident,
            playbook=self._book,
            library=dict(self._library),
            effects={one.name: one.effect for one in self._actions.values()},
            alerts=(opening.alert,) if opening.alert else (),
            inputs=test.inputs,
            started_by="" if opening.alert else STARTED_BY,
        )
        ran = run_virtually(spec, world, _course(test, opening.start))
        problems = [problem(self._document, (*at, "given"), message) for message in dict.fromkeys(world.missing)]
        if problems:
            return self._result(test, at, problems=problems)
        return self._result(test, at, differences=list(_compare(test, ran)), ran=ran)

    def _result(
        self,
        test: PlaybookTest,
        at: Path,
        *,
        problems: list[Problem] | None = None,
        differences: list[Difference] | None = None,
        ran: VirtualRun | None = None,
        result: RunResult | None = None,
    ) -> TestResult:
        return TestResult(
            playbook=self._book.metadata.name,
            name=test.name,
            file=self._document.file,
            line=self._document.position(at).line,
            status="wrong" if problems else "failed" if differences else "passed",
            differences=tuple(differences or ()),
            problems=tuple(sorted(problems or (), key=lambda one: (one.line, one.column))),
            timeline=_timeline(ran) if ran else (),
            took=ran.took if ran else timedelta(),
            result=ran.result if ran else result,
        )

    def _open(self, test: PlaybookTest) -> _Opening:
        """Send the alert as often as the test says, as an incident would take it."""
        if test.alert is None:
            return _Opening(START)
        after = self._book.trigger.after if self._book.trigger else None
        every = test.every or DEFAULT_EVERY
        needed = after.count if after else 1
        begins = START + (needed - 1) * every
        alert = _alert(test.alert, begins - test.alert.age if test.alert.age is not None else START)
        taken: list[datetime] = []
        reason = ""
        for index in range(test.repeat):
            now = START + index * every
            sorted_out = triage([self._book], [alert], now)
            if not sorted_out.groups:
                reason = "; ".join(sorted_out.unmatched[0].reasons) or f"the trigger does not know {alert.name}"
                continue
            taken.append(now)
            group = sorted_out.groups[0].id
            if after is None or in_window(after, taken, now) >= needed:
                return _Opening(now, alert, incident_id(group, alert))
        if not taken:
            return _Opening(START, unmatched=reason)
        within = format_duration(after.within) if after else ""
        most = most_in_window(after, taken) if after else len(taken)
        reason = f"only {most} of the {needed} alerts that the trigger asks for came within {within}"
        return _Opening(START, suppressed=RunResult(outcome=Outcome.REFUSED, reason=reason))

    def _mistakes(self, test: PlaybookTest, scripts: Scripts, at: Path) -> Iterator[Problem]:
        """What is written in the test and cannot be meant."""
        if test.alert is not None and self._book.trigger is None:
            message = "the playbook has no trigger: leave `alert` out, and give `inputs`"
            yield problem(self._document, (*at, "alert"), message)
        if test.alert is not None and test.inputs:
            message = "`inputs` are those of a run started by hand: leave out either `alert` or `inputs`"
            yield problem(self._document, (*at, "inputs"), message)
        if test.alert is None and (test.repeat > 1 or test.every):
            yield problem(self._document, (*at, "repeat"), "`repeat` and `every` repeat an alert, and there is none")
        if not test.expect.model_fields_set:
            yield problem(self._document, (*at, "expect"), "expects nothing: say at least `outcome`")
        yield from self._misnamed(test, at)
        for key, answers in scripts.reads.items():
            action = self._actions.get(key.action)
            text = f"{key.action}@{key.step}" if key.step else key.action
            for answer in answers:
                if action is not None and "output" in answer.model_fields_set:
                    for place, message in mismatches(answer.output, action):
                        where = f" at {'.'.join(map(str, place))}" if place else ""
                        said = f"{key.action} cannot answer this{where}: {message}"
                        yield problem(self._document, (*at, "given", text), said)

    def _misnamed(self, test: PlaybookTest, at: Path) -> Iterator[Problem]:
        used, places = self._places.actions, self._places
        for action in sorted(used - self._actions.keys()):
            message = f"the playbook uses {action}, which is not installed{nearest(action, self._actions)}"
            yield problem(self._document, at, message)
        for text in test.given:
            action, _, step = text.partition("@")
            if action not in used:
                message = f"no step of this playbook uses {action}{nearest(action, used)}"
                yield problem(self._document, (*at, "given", text), message)
            elif step and not places.knows(step):
                message = f"there is no step {step}{nearest(step, places.paths)}"
                yield problem(self._document, (*at, "given", text), message)
        for number, one in enumerate(test.decide):
            if not places.knows(one.step):
                message = f"there is no step {one.step}{nearest(one.step, places.paths)}"
                yield problem(self._document, (*at, "decide", number, "step"), message)
        for name in ("applied", "undone", "skipped", "asked"):
            for number, path in enumerate(getattr(test.expect, name) or ()):
                if not places.has(path):
                    message = f"there is no step {path}{places.hint(path)}"
                    yield problem(self._document, (*at, "expect", name, number), message)


def _alert(given: TestAlert, starts_at: datetime) -> Alert:
    """Make an alert of what the test says; the rest is made up the same way every time."""
    labels = {"alertname": given.name, **given.labels}
    return Alert(
        source=given.source,
        name=given.name,
        fingerprint=digest({"name": given.name, "labels": dict(labels)})[:16],
        status=AlertStatus.FIRING,
        severity=given.severity or labels.get("severity", ""),
        labels=labels,
        annotations=given.annotations,
        starts_at=starts_at,
    )


def _course(test: PlaybookTest, start: datetime) -> Course:
    replies = [
        Reply(
            step=one.step,
            verdict=Verdict.APPROVE if one.approve else Verdict.DENY,
            by=one.by,
            after=one.after or timedelta(),
            comment=one.comment,
            break_glass=one.break_glass,
        )
        for one in test.decide
    ]
    return Course(
        start=start,
        replies=replies,
        resolves_after=test.alert.resolves_after if test.alert else None,
        cancels=(test.cancel_after,) if test.cancel_after is not None else (),
    )


def _compare_unrun(test: PlaybookTest, opening: _Opening) -> list[Difference]:
    """Hold what no run came of against the expectations."""
    expect = test.expect
    if opening.suppressed is not None:
        found = [*_compare_result(test, opening.suppressed, ()), *_matched(expect.matched, matched=True)]
        return [one for one in found if one.field != "within"]
    found = list(_matched(expect.matched if expect.matched is not None else True, matched=False))
    found = [Difference(one.field, one.expected, one.got, opening.unmatched) for one in found]
    if not found and expect.outcome is not None:
        found.append(Difference("outcome", expect.outcome.value, "no run", opening.unmatched))
    return found


def _compare(test: PlaybookTest, ran: VirtualRun) -> Iterator[Difference]:
    if ran.result is None:
        yield Difference("end", "the run ends", "it never does", ran.stuck)
        return
    asked = tuple(told.event.step for told in ran.told if told.event.kind is AuditKind.APPROVAL_ASKED)
    yield from _matched(test.expect.matched, matched=True)
    yield from _compare_result(test, ran.result, asked)
    within = test.expect.within
    if within is not None and ran.took > within:
        yield Difference("within", format_duration(within), format_duration(ran.took))
    for step in dict.fromkeys(one.step for one in ran.unused if not _was_asked(one.step, asked)):
        yield Difference("decide", step, "nobody asked", "the run came to its end without this question")
    if ran.left_over:
        yield Difference("left over", "nothing", list(ran.left_over), "a defect of Halon: please report it")


def _was_asked(step: str, asked: tuple[str, ...]) -> bool:
    return any(step in {path, path.rpartition(".")[2]} for path in asked)


def _matched(expected: bool | None, *, matched: bool) -> Iterator[Difference]:  # noqa: FBT001  # as the test says it
    if expected is not None and expected != matched:
        yield Difference("matched", expected, matched)


def _compare_result(test: PlaybookTest, result: RunResult, asked: tuple[str, ...]) -> Iterator[Difference]:
    expect = test.expect
    if expect.outcome is not None and expect.outcome is not result.outcome:
        yield Difference("outcome", expect.outcome.value, result.outcome.value, result.reason)
    if expect.reason is not None and expect.reason not in result.reason:
        yield Difference("reason", f"… {expect.reason} …", result.reason)
    skipped = tuple(one.path for one in result.steps if one.outcome == "skipped")
    pairs: list[tuple[str, tuple[str, ...] | None, tuple[str, ...]]] = [
        ("applied", expect.applied, result.applied),
        ("undone", expect.undone, result.undone),
        ("skipped", expect.skipped, skipped),
        ("asked", expect.asked, asked),
    ]
    for name, wanted, got in pairs:
        if wanted is not None and wanted != got:
            yield Difference(name, list(wanted), list(got), _why(result, wanted, got))


def _why(result: RunResult, wanted: tuple[str, ...], got: tuple[str, ...]) -> str:
    """What became of the first step that is missing."""
    missing = next((one for one in wanted if one not in got), None)
    report: Any = next((one for one in reversed(result.steps) if one.path == missing), None)
    if missing is None:
        return ""
    if report is None:
        return f"{missing} was never reached"
    return f"{missing} was {report.outcome}" + (f" ({report.reason})" if report.reason else "")


def _timeline(ran: VirtualRun) -> tuple[Happening, ...]:
    start = ran.told[0].at if ran.told else START
    return tuple(
        Happening(told.at - start, told.event.kind.value, told.event.step, told.event.message) for told in ran.told
    )
