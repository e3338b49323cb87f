"""What the console asks of Halon, always as somebody: the API's own rules say what they may see and do."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import ValidationError

from halon.contracts.audit import StoredRecord
from halon.contracts.ledger import Answer, BreakerCommand, Pause, Resume, Unlock
from halon.contracts.people import Principal, Right
from halon.errors import InvalidInput
from halon.gateway.api.access import Access
from halon.gateway.api.decisions import DecisionRequest, Decisions
from halon.gateway.api.guards import made
from halon.gateway.api.parts import Parts
from halon.operations import decisions, guards
from halon.operations.coordination import Word, tell_incident
from halon.operations.guards import GuardsNow, guards_now
from halon.operations.incidents import ListedIncident, Listing, Query, State, listed
from halon.operations.postmortem import draft
from halon.operations.running import RunUnderWay, runs_under_way
from halon.operations.showing import Shown, look
from halon.store.incidents import MAX_LIST, IncidentFilter, Place

MAX_REASON = 1000


class Desk:
    """What people do to Halon."""

    def __init__(self, parts: Parts, access: Access, decide: Decisions) -> None:
        self._parts = parts
        self._access = access
        self._decisions = decide

    def rights(self, who: Principal, labels: Mapping[str, str] | None = None) -> frozenset[Right]:
        """What somebody may do to an incident with these labels, or to what belongs to none."""
        return frozenset(self._parts.guard.rights.of(who, labels))

    async def listed(self, who: Principal, state: State | None, limit: int, before: Place | None = None) -> Listing:
        """Give the incidents that somebody may see.

        Raises:
            Refusal: 403, they may see none at all.
            TransientError: the store does not answer.
        """
        await self._access.somewhere(who, Right.READ, "list incidents")

        def visible(one: ListedIncident) -> bool:
            return self._sees(who, one.labels)

        query = Query(IncidentFilter(before=before), state, limit, visible)
        return await listed(self._parts.store, self._parts.connect, query)

    async def runs(self, who: Principal) -> Sequence[RunUnderWay]:
        """Give the runs under way that somebody may see.

        Raises:
            Refusal: 403, they may see none at all.
            TransientError: Temporal or the store does not answer.
        """
        await self._access.somewhere(who, Right.READ, "list runs")
        runs = await runs_under_way(self._parts.client)
        rows = await self._parts.store.incidents.list(IncidentFilter(state="open"), MAX_LIST)
        labels = {row.id: row.labels for row in rows}
        return [one for one in runs if self._sees(who, labels.get(one.incident, {}))]

    async def look(self, who: Principal, incident: str) -> Shown:
        """Give all that is known of an incident.

        Raises:
            Refusal: 403, they may not see it; 404, there is none.
            TransientError: the store does not answer.
        """
        row = await self._access.incident(who, Right.READ, incident, f"see incident {incident}")
        return await look(self._parts.store, self._parts.connect, row.id)

    async def postmortem(self, who: Principal, incident: str, now: datetime) -> str:
        """Give the draft of a post-mortem, as Markdown; of earlier incidents, those that they may see.

        Raises:
            Refusal: 403, they may not see it; 404, there is none.
            TransientError: the store does not answer.
        """
        row = await self._access.incident(who, Right.READ, incident, f"see incident {incident}")
        told = await draft(self._parts.store, self._parts.connect, row.id, lambda one: self._sees(who, one.labels))
        return told.markdown(now)

    async def follow(self, who: Principal, incident: str) -> str:
        """Give the whole id of an incident whose records somebody may read.

        Raises:
            Refusal: 403, they may not see it; 404, there is none.
            TransientError: the store does not answer.
        """
        return (await self._access.incident(who, Right.READ, incident, f"follow incident {incident}")).id

    async def records(self, incident: str, after: int) -> Sequence[StoredRecord]:
        """Give an incident's records behind a position.

        Raises:
            TransientError: the store does not answer.
        """
        return await self._parts.store.audit.records(incident, after)

    async def head(self, who: Principal) -> str:
        """Give what changes whenever anything is recorded.

        Raises:
            Refusal: 403, they may see nothing at all.
            TransientError: the store does not answer.
        """
        await self._access.somewhere(who, Right.READ, "follow incidents")
        return await self._parts.store.audit.anchor()

    async def decide(self, who: Principal, incident: str, given: DecisionRequest) -> None:
        """Hand a decision in, sealed.

        Raises:
            Refusal: 403, they may not decide it; 404, there is no such incident.
            Conflict: the run does not take it, and why.
            TransientError: nobody answers.
        """
        await self._decisions.decide(who, incident, given)

    async def cancel(self, who: Principal, incident: str, reason: str) -> None:
        """Ask an incident's run to stop and undo.

        Raises:
            Refusal: 403, they may not; 404, there is no such incident.
            NotFound: it has ended.
            TransientError: Temporal does not answer.
        """
        row = await self._access.incident(who, Right.RUN, incident, f"cancel incident {incident}")
        await decisions.cancel(self._parts.client, row.id, f"{who.person}: {reason}"[:MAX_REASON])

    async def say(self, who: Principal, incident: str, word: Word) -> str:
        """Say that they look after an incident, take a part, have done a duty, or say something to the public.

        Raises:
            Refusal: 403, they may not; 404, there is no such incident.
            Conflict: it does not count, and why.
            NotFound: the incident is over, or tells nobody.
            TransientError: nobody answers.
        """
        row = await self._access.incident(who, Right.DECIDE, incident, f"take part in incident {incident}")
        return await tell_incident(self._parts.client, row.id, word)

    async def guards(self, who: Principal) -> GuardsNow:
        """Give what stops automation now.

        Raises:
            Refusal: 403, they may see nothing at all.
            TransientError: the ledger does not answer.
        """
        await self._access.somewhere(who, Right.READ, "see the guards")
        freezes = await asyncio.to_thread(self._parts.freezes)
        return await guards_now(self._parts.ledger, freezes, self._parts.clock())

    async def command(self, who: Principal, name: str, fields: Mapping[str, str]) -> Answer:
        """Pause, resume, trip, reset or unlock.

        Raises:
            InvalidInput: a field is missing or wrong.
            Refusal: 403, they may not.
            Conflict: it came to nothing, and why.
            TransientError: the ledger does not answer.
        """
        given, ledger = {**fields, "by": who.person}, self._parts.ledger
        right = Right.PAUSE if name in {"pause", "resume"} else Right.TRIP
        about = fields.get("key") or fields.get("lock") or ""
        await self._access.everywhere(who, right, f"{name} {about}".strip())
        match name:
            case "pause":
                return await guards.pause(ledger, made(Pause, **given))
            case "resume":
                return await guards.resume(ledger, made(Resume, **given))
            case "trip":
                return await guards.trip(ledger, made(BreakerCommand, **given))
            case "reset":
                return await guards.reset(ledger, made(BreakerCommand, **given))
            case _:
                return await guards.unlock(ledger, made(Unlock, **given))

    def _sees(self, who: Principal, labels: Mapping[str, str]) -> bool:
        return self._parts.guard.rights.may(who, Right.READ, labels).allowed


def decision_of(fields: Mapping[str, str]) -> DecisionRequest:
    """Read a decision. It is for the plan that the page showed, in whole, and for no other.

    Raises:
        InvalidInput: the form is not as the page has it.
    """
    given = {name: fields[name] for name in ("verdict", "plan", "step", "comment") if name in fields}
    try:
        decision = DecisionRequest.model_validate({**given, "break_glass": fields.get("break_glass") == "yes"})
    except ValidationError as error:
        raise InvalidInput("the form is not as the page has it: load the page again") from error
    if len(decision.plan) != DIGEST:
        raise InvalidInput("the form does not say which plan it is for: load the page again")
    if decision.break_glass and not decision.comment.strip():
        raise InvalidInput("say why: breaking the glass needs a reason")
    return decision


DIGEST = 64
"""Digits of a whole digest."""
