"""The desk where questions lie and decisions arrive: matches each decision to the gate that it is about."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError
from temporalio import workflow
from temporalio.exceptions import ActivityError

from halon.contracts.base import is_object
from halon.contracts.decision import (
    Cause,
    Decision,
    DecisionInput,
    Objection,
    Seal,
    SealReport,
    SealRequest,
    Verdict,
    Vote,
)
from halon.contracts.people import READ_SEAL, Method
from halon.contracts.run import Decide
from halon.core.approval import addressed, consider, count, tally
from halon.core.runtime import Gate

InputT = TypeVar("InputT", bound=DecisionInput)

_SHOWN = 5
_MAX_SHOWN = 80
MAX_WAITING = 100
"""Decisions that wait at one gate; more than that are refused, so that nobody can fill a workflow."""
SEAL_WITHIN = timedelta(seconds=10)
"""Bound on checking a seal."""
CROWDED = Objection(cause=Cause.CROWDED, reason="too many decisions wait at this step")


@dataclass(slots=True)
class _Place:
    gate: Gate
    waiting: deque[Decision] = field(default_factory=deque[Decision])
    counted: list[Vote] = field(default_factory=list[Vote])


class Desk:
    """The open questions of one run."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}

    @property
    def gates(self) -> list[tuple[Gate, tuple[str, ...]]]:
        """The open questions in the order of asking, each with who has approved so far."""
        return [(place.gate, tally(place.gate, place.counted).approved_by) for place in self._places.values()]

    def put(self, gate: Gate) -> None:
        """Open a question."""
        self._places[gate.step] = _Place(gate)

    def replace(self, gate: Gate) -> None:
        """Put an open question to more people."""
        self._places[gate.step].gate = gate

    def take(self, gate: Gate) -> list[Decision]:
        """Close a question. Gives the decisions that came too late for it."""
        place = self._places.pop(gate.step, None)
        return list(place.waiting) if place else []

    def address(self, step: str, plan: str) -> tuple[Gate | None, str]:
        """The gate that a decision is about, or None with the reason."""
        return addressed([place.gate for place in self._places.values()], step, plan)

    def problem(self, gate: Gate, decision: Decision) -> Objection | None:
        """Why this decision would not count after those that lie there, or None. Changes nothing."""
        place = self._places[gate.step]
        if len(place.waiting) >= MAX_WAITING:
            return CROWDED
        vote = consider(place.gate, decision, count(place.gate, list(place.waiting), place.counted))
        return vote if isinstance(vote, Objection) else None

    def hand_in(self, gate: Gate, decision: Decision) -> bool:
        """Lay a decision before its gate. False when too many lie there."""
        place = self._places[gate.step]
        if len(place.waiting) >= MAX_WAITING:
            return False
        place.waiting.append(decision)
        return True

    async def next(self, gate: Gate) -> Decision:
        """Wait for the next decision about `gate`."""
        place = self._places[gate.step]
        await workflow.wait_condition(lambda: bool(place.waiting))
        decision = place.waiting.popleft()
        place.counted = count(place.gate, [decision], place.counted)
        return decision


def claimed(given: DecisionInput, verdict: Verdict, at: datetime, via: str) -> Decision:
    """A decision as it is taken up whose name is only stated."""
    return Decision(
        verdict=verdict,
        by=given.by,
        at=at,
        comment=given.comment,
        plan=given.plan,
        step=given.step,
        via=via,
        authenticated=Method.CLAIMED.value,
        break_glass=given.break_glass,
    )


def sealed(given: DecisionInput, said: Seal, run: str, claim: Decision) -> Decision | Objection:
    """A decision as it is taken up whose seal is genuine, or why that is none for this decision."""
    if said.run != run:
        return Objection(cause=Cause.FORGED, reason="its seal is for another run")
    same = (said.verdict, said.by, said.comment, said.break_glass) == (
        claim.verdict,
        given.by,
        given.comment,
        given.break_glass,
    )
    if not same or given.step not in {"", said.step} or not said.plan.startswith(given.plan):
        return Objection(cause=Cause.FORGED, reason="its seal is for another decision")
    proven = {"plan": said.plan, "step": said.step, "authenticated": said.method.value, "groups": said.groups}
    return claim.model_copy(update=proven)


async def seal_report(seal: str) -> SealReport:
    """Ask a worker about a seal. One that cannot be checked proves nothing."""
    try:
        report: SealReport = await workflow.execute_local_activity(
            READ_SEAL,
            SealRequest(seal=seal, at=workflow.now()),
            result_type=SealReport,
            schedule_to_close_timeout=SEAL_WITHIN,
            start_to_close_timeout=SEAL_WITHIN,
        )
    except ActivityError as error:
        return SealReport(problem=f"its seal could not be checked: {error.cause or error}")
    return report


def read(kind: type[InputT], raw: object) -> InputT | str:
    """Read what a person typed into a dialog. Gives a sentence about what is wrong with it when it is no decision."""
    if not is_object(raw):
        return f"the input must be {_example(kind)}, not {_cut(raw)}"
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, one['loc'])) or 'input'}: {one['msg']}" for one in error.errors(include_url=False)
        ]
        return f"{'; '.join(problems[:_SHOWN])} (the input looks like {_example(kind)})"


def _example(kind: type[DecisionInput]) -> str:
    verdict = '"verdict": "approve", ' if kind is Decide else ""
    return f'{{{verdict}"by": "you@example.com"}}'


def _cut(raw: object) -> str:
    """Show what came instead, briefly."""
    text = repr(raw)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
