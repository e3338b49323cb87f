"""The desk where questions lie and decisions arrive: matches each decision to the gate that it is about."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError
from temporalio import workflow

from halon.contracts.base import is_object
from halon.contracts.decision import Decision, DecisionInput, Verdict
from halon.contracts.run import Decide
from halon.core.approval import addressed, objection, tally
from halon.core.runtime import Gate

InputT = TypeVar("InputT", bound=DecisionInput)

_SHOWN = 5
_MAX_SHOWN = 80
MAX_WAITING = 100
"""Decisions that wait at one gate; more than that are refused, so that nobody can fill a workflow."""


@dataclass(slots=True)
class _Place:
    gate: Gate
    waiting: deque[Decision] = field(default_factory=deque[Decision])
    counted: list[Decision] = field(default_factory=list[Decision])


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

    def take(self, gate: Gate) -> list[Decision]:
        """Close a question. Gives the decisions that came too late for it."""
        place = self._places.pop(gate.step, None)
        return list(place.waiting) if place else []

    def address(self, given: DecisionInput) -> tuple[Gate | None, str]:
        """The gate that a decision is about, or None with the reason."""
        return addressed([place.gate for place in self._places.values()], given.step, given.plan)

    def problem(self, given: DecisionInput, verdict: Verdict, at: datetime) -> str | None:
        """Why this decision would not count, or None. Changes nothing."""
        gate, reason = self.address(given)
        if gate is None:
            return reason
        place = self._places[gate.step]
        if len(place.waiting) >= MAX_WAITING:
            return "too many decisions wait at this step"
        earlier = [*place.counted, *place.waiting]
        return objection(gate, decision_of(given, verdict, at, "", ""), earlier)

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
        if objection(gate, decision, place.counted) is None:
            place.counted.append(decision)
        return decision


def decision_of(given: DecisionInput, verdict: Verdict, at: datetime, via: str, authenticated: str) -> Decision:
    """A decision as it is taken up."""
    return Decision(
        verdict=verdict,
        by=given.by,
        at=at,
        comment=given.comment,
        plan=given.plan,
        step=given.step,
        via=via,
        authenticated=authenticated,
    )


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
