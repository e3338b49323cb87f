"""Decisions of people who do not sign in here: a link or a button was sent to them, and that they used it proves them.

What was sent names one plan at one step of one run. It decides only as long as just that waits.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from halon.contracts.decision import Verdict
from halon.contracts.incident import IncidentRow
from halon.contracts.people import Method, Principal, Right
from halon.contracts.run import STATUS_QUERY, Decide, OpenGate, RunStatus
from halon.core.ids import incident_of
from halon.errors import Conflict, InvalidInput, NotFound, TransientError
from halon.gateway.api.parts import Parts
from halon.operations import decisions
from halon.operations.answering import answering
from halon.operations.denials import Attempt
from halon.operations.sealing import sealed
from halon.operations.showing import found

MAX_COMMENT = 4096
_LOOK = timedelta(milliseconds=200)
_LOOKS = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """What somebody was sent."""

    person: str
    method: Method
    run: str
    step: str
    plan: str
    """The whole digest."""
    id: str
    """Counts once in a run."""

    @property
    def incident(self) -> str:
        """Whose run it is."""
        return incident_of(self.run)


@dataclass(frozen=True, slots=True)
class Opened:
    """A question that still waits as it was sent."""

    row: IncidentRow
    gate: OpenGate


class Ended(Exception):  # noqa: N818  # a fact that becomes an answer
    """Nothing can be decided, and why."""

    def __init__(self, status: HTTPStatus, word: str, heading: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.word = word
        """What is counted."""
        self.heading = heading
        self.detail = detail


class Outside:
    """Looks at what waits, and hands decisions in."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def opened(self, sent: Sent) -> Opened:
        """Give the question, if it still waits as it was sent.

        Raises:
            Ended: it does not, or they are nobody any more.
            TransientError: that cannot be found out now.
        """
        if sent.person not in self._parts.settings.people:
            await self.deny(sent, reason := f"{sent.person} is not under `people` in halon.yaml")
            raise Ended(HTTPStatus.FORBIDDEN, "denied", "You may not do this", reason)
        try:
            row = await found(self._parts.store, self._parts.connect, sent.incident)
            gates = await self._gates(sent.run)
        except NotFound as error:
            raise Ended(HTTPStatus.GONE, "closed", "Nothing waits any more", str(error)) from error
        gate = next((one for one in gates if one.step == sent.step), None)
        if gate is None:
            stands = f"has ended: {row.outcome}" if row.outcome else "does not wait at this step now: it was decided"
            raise Ended(HTTPStatus.GONE, "closed", "Nothing waits any more", f"Incident {row.id} {stands}")
        if gate.digest != sent.plan:
            detail = "It was asked about another plan. What is planned now is asked for anew: look for the new message"
            raise Ended(HTTPStatus.CONFLICT, "other_plan", "The plan has changed", detail)
        if has_approved(gate, sent.person):
            detail = f"It waits for more people: {len(gate.approved_by)} of {gate.quorum} approvals are given"
            raise Ended(HTTPStatus.CONFLICT, "decided", "You have approved this already", detail)
        return Opened(row, gate)

    async def decide(self, sent: Sent, verdict: Verdict, comment: str) -> str:
        """Hand a decision in. Gives the run's answer. Whether they are asked is the run's to say.

        Raises:
            Ended: the run does not take it, and why.
            TransientError: nobody answers.
        """
        who = Principal(person=sent.person, method=sent.method)
        given = Decide(verdict=verdict, by=sent.person, comment=comment, plan=sent.plan, step=sent.step)
        parts = self._parts
        try:
            decision = sealed(parts.sealer(), who, sent.run, given, parts.clock(), seal_id=sent.id)
        except InvalidInput as error:
            raise Ended(HTTPStatus.UNPROCESSABLE_ENTITY, "refused", "It was not taken", str(error)) from error
        try:
            return await decisions.decide(parts.client, sent.incident, decision, run=sent.run)
        except Conflict as error:
            raise Ended(HTTPStatus.CONFLICT, "not_taken", "It was not taken", str(error)) from error
        except NotFound as error:
            raise Ended(HTTPStatus.GONE, "closed", "Nothing waits any more", str(error)) from error

    async def still(self, sent: Sent) -> OpenGate | None:
        """Give the question if it waits for more people after their word is counted; None when it does not.

        The run counts a moment after it has taken a decision.
        """
        gate = None
        for _ in range(_LOOKS):
            try:
                gates = await self._gates(sent.run)
            except (NotFound, TransientError):
                return None
            gate = next((one for one in gates if one.step == sent.step and one.digest == sent.plan), None)
            if gate is None:
                return None
            if has_approved(gate, sent.person):
                return gate if len(gate.approved_by) < gate.quorum else None
            await asyncio.sleep(_LOOK.total_seconds())
        return gate

    async def _gates(self, run: str) -> tuple[OpenGate, ...]:
        async with answering(f"the run {run}", decisions.PATIENCE):
            handle = self._parts.client.get_workflow_handle(run)
            status: RunStatus = await handle.query(STATUS_QUERY, result_type=RunStatus)
        return status.gates

    async def deny(self, sent: Sent, reason: str) -> None:
        """Write down that somebody was not allowed to decide."""
        who = Principal(person=sent.person, method=sent.method)
        await self._parts.guard.deny(Attempt(who, Right.DECIDE, "decide", sent.incident), reason)


def has_approved(gate: OpenGate, person: str) -> bool:
    """Whether their approval is counted."""
    return any(told == person or told.startswith(f"{person} for ") for told in gate.approved_by)
