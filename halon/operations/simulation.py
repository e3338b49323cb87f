"""What a run would do now, found out against the live systems without writing: `halon simulate`.

The interpreter makes a dry run, without Temporal; `halon.operations.looking` is its runtime. A dry run sees every
target as it is now, so what hangs on a change that was not made cannot be known: that is told, and not guessed.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from halon.contracts.audit import AuditKind
from halon.contracts.base import format_duration
from halon.contracts.ledger import Admission
from halon.contracts.outcome import RunResult
from halon.contracts.people import Electorate, ElectorateRequest
from halon.contracts.run import RunSpec
from halon.contracts.steps import Step, UsesStep, VerifyStep, WaitFor, WaitStep
from halon.core.interpreter import interpret
from halon.core.membership import shared_labels
from halon.kit.driver import MAX_CALL, translated
from halon.kit.lifecycle import Lifecycle
from halon.operations.looking import GuardsCopy, Looking, Planned, Question
from halon.playbook.places import Places

_INDEX = re.compile(r"\[\d+\]")
_REFERENCE = re.compile(r"\bsteps\s*\.\s*\??(\w+)")


@dataclass(slots=True)
class Simulation:
    """What a run would do, as far as that can be known beforehand."""

    result: RunResult
    admission: Admission | None
    """What the guards would say; None when the run did not come to them."""
    guards_unknown: str
    """Why it is not known how locks, breakers, rates and budgets stand; empty when it is."""
    plans: list[Planned]
    questions: list[Question]
    stale: list[str]
    """Steps that looked after a change was planned, and so saw the target without it."""
    left_out: list[str]
    """What a run would do besides, and a simulation cannot: telling people, verifying, waiting."""
    unknown: list[str]
    """Where it cannot be known how a run would go on, each with the step and the reason."""


async def simulate(
    spec: RunSpec,
    lifecycle: Lifecycle,
    guards: GuardsCopy,
    electorate: Callable[[ElectorateRequest], Awaitable[Electorate]],
    guards_unknown: str = "",
) -> Simulation:
    """Let a run look and plan. `electorate` finds who may decide a question now.

    Raises:
        ValueError: `spec` is no dry run.
    """
    if not spec.dry_run:
        raise ValueError("only a dry run can be simulated")
    runtime = Looking(spec, lifecycle, guards)
    result = await interpret(spec, runtime)
    steps = Places(spec.playbook, spec.library).steps
    return Simulation(
        result=result,
        admission=runtime.admission,
        guards_unknown=guards_unknown,
        plans=runtime.plans,
        questions=[await _asked(one, spec, electorate) for one in runtime.questions],
        stale=runtime.stale,
        left_out=list(_left_out(result, steps)),
        unknown=list(_unknown(result, runtime, steps)),
    )


async def _asked(
    question: Question, spec: RunSpec, electorate: Callable[[ElectorateRequest], Awaitable[Electorate]]
) -> Question:
    request = ElectorateRequest(
        incident=spec.incident,
        from_=question.approve.from_,
        labels=shared_labels(spec.alerts),
        started_by=spec.started_by,
        at=datetime.now(UTC),
    )
    try:
        async with asyncio.timeout(MAX_CALL.total_seconds()):
            who = await electorate(request)
    except Exception as error:  # noqa: BLE001  # the edge: whatever a schedule says becomes a sentence
        problem = translated(error, "the on-call schedule").message
        return Question(question.step, question.approve, question.plans, problem=problem)
    return Question(question.step, question.approve, question.plans, who)


def _left_out(result: RunResult, steps: Mapping[str, Step]) -> Iterator[str]:
    """What a dry run passes over, in words. A step that is skipped by its `if` has a reason, and is not among it."""
    for report in result.steps:
        step = steps.get(_INDEX.sub("[]", report.path))
        if report.outcome != "skipped" or report.reason or step is None:
            continue
        if isinstance(step, VerifyStep):
            within = format_duration(step.within)
            yield f"{report.path}: verifies by {step.verify.uses} that {step.until.strip()} within {within}"
        elif isinstance(step, UsesStep):
            yield f"{report.path}: tells people by {step.uses}"
        elif isinstance(step, WaitStep):
            wait = step.wait
            bound = format_duration(wait.within if isinstance(wait, WaitFor) else wait)
            how = f"until the alert has cleared, at most {bound}" if isinstance(wait, WaitFor) else bound
            yield f"{report.path}: waits {how}"


def _unknown(result: RunResult, runtime: Looking, steps: Mapping[str, Step]) -> Iterator[str]:
    """Steps whose going on hangs on what was only planned, or left out."""
    open_ends = {
        name
        for report in result.steps
        if report.outcome == "planned" or (report.outcome == "skipped" and not report.reason)
        if (name := report.path.rpartition(".")[2])
    }
    for report in result.steps:
        if report.outcome == "skipped" and report.reason:
            for name in _mentioned(report.reason, open_ends):
                yield f"{report.path}: whether it runs hangs on what `{name}` comes to"
    for told in runtime.told:
        if told.kind is AuditKind.STEP_FAILED and told.data.get("kind") == "expression":
            step = steps.get(_INDEX.sub("[]", told.step))
            text = f"{told.message} {step.model_dump_json(by_alias=True) if step else ''}"
            for name in _mentioned(text, open_ends):
                yield f"{told.step}: it needs what `{name}` comes to ({told.message})"


def _mentioned(text: str, names: set[str]) -> list[str]:
    return [name for name in dict.fromkeys(_REFERENCE.findall(text)) if name in names]
