"""The linter's rules: what a playbook may say, and should not without a word on why.

A rule is a function of one playbook and of all that are linted with it, and gives the places with a sentence each. To
add one, write the function and a line in `RULES`; docs/playbooks.md explains every id.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import PurePath
from typing import TypeAlias

from halon.contracts.base import format_duration
from halon.contracts.plan import Effect
from halon.contracts.playbook import Playbook
from halon.contracts.steps import ApproveStep, Step, StopStep, SwitchStep, UsesStep, VerifyStep, WaitFor, WaitStep
from halon.core.matching import label_matches
from halon.documents.document import Path
from halon.playbook.lint_steps import Spot, Subject, follows, inner_blocks, on_the_way
from halon.playbook.lint_triggers import names_meet, triggers_meet

_LISTED = 5
"""So many other playbooks are named in one finding."""
_SECURITY = "security"
_EVIDENCE = ("capture_", "collect_", "dump_", "preserve_", "snapshot_")
"""What an action's verb begins with when it keeps evidence."""


class Severity(StrEnum):
    """How much a finding weighs: an error fails `halon lint`, a warning only with `--strict`."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Remark:
    """What a rule has found."""

    path: Path
    message: str
    offset: int | None = None
    """Of the character in the text at `path`; None when the whole value is meant."""


Check: TypeAlias = Callable[[Subject, Sequence[Subject]], Iterator[Remark]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `why` is a sentence for those who meet it for the first time."""

    id: str
    severity: Severity
    why: str
    check: Check


# -- changes ----------------------------------------------------------------------------------------------------------


def _destroy_without_approval(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    for spot in subject.spots:
        action = subject.action(spot.step)
        if action is not None and action.effect is Effect.DESTROY and not _approved(spot, subject.spots):
            yield Remark(
                (*spot.path, "uses"), f"{action.name} destroys, and nobody is asked: add `approve` to the step"
            )


def _approved(spot: Spot, spots: Sequence[Spot]) -> bool:
    if any(one.step.approve is not None for one in (*spot.around, spot)):
        return True
    gates = (one for one in spots if isinstance(one.step, ApproveStep) and one.step.if_ is None)
    return any(_stands_before(gate, spot) for gate in gates)


def _stands_before(gate: Spot, spot: Spot) -> bool:
    depth = len(gate.block)
    if spot.path[:depth] != gate.block:
        return False
    here, there = gate.path[depth], spot.path[depth]
    return isinstance(here, int) and isinstance(there, int) and here < there


def _change_without_verification(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    looks = [spot.path for spot in subject.spots if _looks(spot.step)]
    for spot in subject.spots:
        action = subject.changing_action(spot.step)
        if action is None or not on_the_way(spot.path):
            continue
        if not any(follows(spot.path, look) for look in looks):
            message = f"no `verify` step comes after {action.name}, so the run can end only as `unverified`"
            yield Remark((*spot.path, "uses"), message)


def _looks(step: Step) -> bool:
    """Whether a step says that it helped: a look at the symptom, or the alert's own end."""
    return isinstance(step, VerifyStep) or (isinstance(step, WaitStep) and isinstance(step.wait, WaitFor))


def _loop_without_budget(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    if subject.playbook.guard.budget is not None:
        return
    changes = [spot for spot in subject.spots if subject.is_change(spot.step)]
    for spot in subject.spots:
        loop = (*spot.path, "for_each")
        if any(change.path[: len(loop)] == loop for change in changes):
            yield Remark(loop, "this loop changes things, and no `guard.budget` bounds how many")


def _evidence_after_containment(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    if not _is_security(subject):
        return
    kept = [spot.path for spot in subject.spots if _keeps_evidence(spot.step)]
    for spot in subject.spots:
        if not on_the_way(spot.path) or not subject.is_change(spot.step) or _keeps_evidence(spot.step):
            continue
        if not any(follows(one, spot.path) for one in kept):
            what = spot.step.uses if isinstance(spot.step, UsesStep) else "the playbook called here"
            yield Remark(spot.path, f"{what} changes the suspect before any step has kept evidence of it")
            return


def _is_security(subject: Subject) -> bool:
    area = subject.playbook.metadata.labels.get("area", "")
    return area == _SECURITY or _SECURITY in PurePath(subject.file).parts[:-1]


def _keeps_evidence(step: Step) -> bool:
    verb = step.uses.rpartition(".")[2] if isinstance(step, UsesStep) else ""
    return verb.startswith(_EVIDENCE) or "evidence" in verb


def _impossible_undo(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    for spot in subject.spots:
        action = subject.changing_action(spot.step)
        if action is None or action.undoable:
            continue
        if isinstance(spot.step.undo, UsesStep):
            continue
        chain = (*spot.around, spot)
        if any(one.step.expires is not None for one in chain):
            yield Remark((*spot.path, "uses"), f"{action.name} cannot be taken back, so it cannot expire")
        elif all(one.step.undo == "auto" for one in chain):
            message = f"{action.name} cannot be taken back: say `undo: never`, or give the step that makes up for it"
            yield Remark((*spot.path, "uses"), message)


def _wait_beyond_timeout(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    limit = subject.playbook.timeout
    for spot in subject.spots:
        for place, what, longest in _waits(spot.step):
            if spot.path[0] == "steps" and longest >= limit:
                lasts, ends = format_duration(longest), format_duration(limit)
                message = (
                    f"{what} may take {lasts}, and the run ends as failed after {ends}: give it a longer `timeout`"
                )
                yield Remark((*spot.path, *place), message)


def _waits(step: Step) -> Iterator[tuple[Path, str, timedelta]]:
    """What a step may wait for: where it says so, what it is, and for how long."""
    if step.approve is not None:
        yield ("approve",), "this question", step.approve.within
    if isinstance(step, WaitStep):
        yield ("wait",), "this wait", step.wait.within if isinstance(step.wait, WaitFor) else step.wait
    if isinstance(step, VerifyStep):
        yield ("verify",), "this verification", step.within


# -- order ------------------------------------------------------------------------------------------------------------


def _too_late_to_ask(spot: Spot) -> Iterator[Remark]:
    approve = spot.step.approve
    if approve is None:
        return
    expires = f"the question expires after {format_duration(approve.within)}"
    if approve.escalate is not None and approve.escalate.after >= approve.within:
        yield Remark((*spot.path, "approve", "escalate", "after"), f"nobody further is ever asked: {expires}")
    if approve.remind is not None and approve.remind >= approve.within:
        yield Remark((*spot.path, "approve", "remind"), f"nobody is ever reminded: {expires}")


def _unreachable(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    ended: set[Path] = set()
    for spot in subject.spots:
        yield from _too_late_to_ask(spot)
        if spot.block in ended:
            ended.discard(spot.block)
            yield Remark(spot.path, "no way leads to this step: the one before it always ends the run")
        elif _constant(spot.step.if_, "false"):
            yield Remark((*spot.path, "if"), "this step never runs: its `if` is always false")
        elif _ends(spot.step):
            ended.add(spot.block)
        if isinstance(spot.step, SwitchStep):
            yield from _dead_cases(spot.step, spot.path)


def _ends(step: Step) -> bool:
    """Whether the run always ends with this step."""
    if step.if_ is not None and not _constant(step.if_, "true"):
        return False
    if isinstance(step, SwitchStep):
        return step.switch.default is not None and all(
            any(_ends(one) for one in block) for _, block in inner_blocks(step)
        )
    return isinstance(step, StopStep)


def _dead_cases(step: SwitchStep, path: Path) -> Iterator[Remark]:
    always = next((i for i, case in enumerate(step.switch.cases) if _constant(case.if_, "true")), None)
    for index, case in enumerate(step.switch.cases):
        if (always is not None and index > always) or _constant(case.if_, "false"):
            yield Remark((*path, "switch", "cases", index), "this case is never taken")
    if always is not None and step.switch.default is not None:
        yield Remark((*path, "switch", "default"), "the default is never taken: a case before it is always true")


def _constant(source: str | None, word: str) -> bool:
    return source is not None and source.strip().removeprefix("${{").removesuffix("}}").strip() == word


# -- values -----------------------------------------------------------------------------------------------------------


def _unused_input(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    used = {path[:2] for site in subject.report.sites for path in site.expression.references}
    if ("inputs",) in used:
        return
    for name in subject.playbook.inputs:
        if ("inputs", name) not in used:
            yield Remark(("inputs", name), f"nothing uses the input `{name}`")


def _unpromised_label(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    trigger = subject.playbook.trigger
    if trigger is None:
        return
    told = {name for name, patterns in trigger.labels.items() if not label_matches(patterns, "")}
    for site in subject.report.sites:
        uses = [use for use in site.expression.uses if use.path[:2] == ("alert", "labels") and len(use.path) > 2]  # noqa: PLR2004  # alert, labels, name
        asked = {use.path[2] for use in uses if use.sure < 3}  # noqa: PLR2004
        for use in uses:
            name = use.path[2]
            if name in told or name in asked:
                continue
            told.add(name)
            message = (
                f"the trigger does not promise the label `{name}`: "
                f'ask for it in `trigger.labels` ({name}: "*"), or write alert.labels.?{name}.orValue(…)'
            )
            yield Remark(site.path, message, site.offset + use.offset)


def _missing_tests(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    if not subject.playbook.tests:
        yield Remark(("metadata", "name"), "the playbook has no `tests`")


# -- playbooks beside each other --------------------------------------------------------------------------------------


def _overlapping_triggers(subject: Subject, others: Sequence[Subject]) -> Iterator[Remark]:
    trigger = subject.playbook.trigger
    if trigger is None:
        return
    names: list[str] = []
    for other in others:
        theirs = other.playbook.trigger
        if theirs is not None and _later(subject, other) and triggers_meet(trigger, theirs):
            names.append(other.playbook.metadata.name)
    if names:
        yield Remark(("trigger", "alerts"), f"an alert that starts this playbook may start {_listed(names)} too")


def _unordered_targets(subject: Subject, others: Sequence[Subject]) -> Iterator[Remark]:
    mine = subject.playbook
    if mine.target is None or not subject.changes:
        return
    names: list[str] = []
    for other in others:
        theirs = other.playbook
        if theirs.target is None or theirs is mine or not names_meet(mine.target, theirs.target) or not other.changes:
            continue
        if theirs.metadata.name in subject.callees or mine.metadata.name in other.callees:
            continue
        if _is_unordered(mine, theirs) and (mine.guard.lock is None or _later(subject, other)):
            names.append(theirs.metadata.name)
    if names:
        message = f"{_listed(names)} may change the same target at the same time: give all of them `guard.lock: target`"
        yield Remark(("target",), message)


def _is_unordered(one: Playbook, other: Playbook) -> bool:
    first, second = _lock(one), _lock(other)
    return first is None or second is None or not names_meet(first, second)


def _lock(playbook: Playbook) -> str | None:
    return playbook.target if playbook.guard.lock == "target" else playbook.guard.lock


def _later(subject: Subject, other: Subject) -> bool:
    """Which of two playbooks is told, so that it is told once."""
    return (subject.playbook.metadata.name, subject.file) > (other.playbook.metadata.name, other.file)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(f"`{name}`" for name in names[:_LISTED]) + more


RULES: tuple[Rule, ...] = (
    Rule(
        "destroy-without-approval",
        Severity.ERROR,
        "What is destroyed cannot be put back by an undo, so a person should have seen the plan before.",
        _destroy_without_approval,
    ),
    Rule(
        "change-without-verification",
        Severity.WARNING,
        "That a change was made does not say that it helped; only a look at the symptom afterwards does.",
        _change_without_verification,
    ),
    Rule(
        "loop-without-budget",
        Severity.WARNING,
        "A loop multiplies a mistake, and only a budget counts its targets across runs and playbooks.",
        _loop_without_budget,
    ),
    Rule(
        "evidence-after-containment",
        Severity.ERROR,
        "Isolating or stopping a suspect destroys what an investigation needs, so evidence is kept first.",
        _evidence_after_containment,
    ),
    Rule(
        "impossible-undo",
        Severity.WARNING,
        "Who reads the playbook at night counts on changes being taken back, so those that cannot be must say so.",
        _impossible_undo,
    ),
    Rule(
        "wait-beyond-timeout",
        Severity.WARNING,
        "A run that ends while it waits has failed, whatever the answer would have been.",
        _wait_beyond_timeout,
    ),
    Rule(
        "unreachable-step",
        Severity.WARNING,
        "A step that never runs looks like protection that is not there.",
        _unreachable,
    ),
    Rule(
        "unordered-targets",
        Severity.WARNING,
        "Two remediations that change one target at the same time undo each other's work; a lock puts them in order.",
        _unordered_targets,
    ),
    Rule(
        "overlapping-triggers",
        Severity.WARNING,
        "One alert that starts two remediations is seldom meant, and the second acts on what the first has changed.",
        _overlapping_triggers,
    ),
    Rule(
        "unused-input",
        Severity.WARNING,
        "Whoever sets an input expects it to make a difference.",
        _unused_input,
    ),
    Rule(
        "unpromised-label",
        Severity.WARNING,
        "An alert without the label would start the playbook and then fail it, when it is needed most.",
        _unpromised_label,
    ),
    Rule(
        "missing-tests",
        Severity.WARNING,
        "A playbook without tests runs for the first time in the incident.",
        _missing_tests,
    ),
)
