"""What the console asks of Halon, always as somebody: their rights are checked here, and refusals are audited."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ValidationError

from halon.clients.calendars import Freezes
from halon.clients.ledger import LedgerClient
from halon.clients.seals import Sealer
from halon.contracts.audit import StoredRecord
from halon.contracts.decision import Seal
from halon.contracts.incident import IncidentRow
from halon.contracts.ledger import Answer, BreakerCommand, Pause, Resume, Unlock
from halon.contracts.people import Principal, Right
from halon.contracts.run import Decide
from halon.errors import InvalidInput
from halon.operations import decisions, guards
from halon.operations.answering import Connect, answering
from halon.operations.denials import Attempt, Guard
from halon.operations.guards import GuardsNow, guards_now
from halon.operations.incidents import Listing, State, listed
from halon.operations.lookup import current_run
from halon.operations.running import RunUnderWay, runs_under_way
from halon.operations.showing import Shown, found, look
from halon.store.incidents import MAX_LIST, IncidentFilter
from halon.store.store import Store

SEALED_FOR = timedelta(minutes=2)
"""How long a decision may take from the page to the run."""
_COMMANDS: Mapping[str, tuple[type[BaseModel], Right]] = {
    "pause": (Pause, Right.PAUSE),
    "resume": (Resume, Right.PAUSE),
    "trip": (BreakerCommand, Right.TRIP),
    "reset": (BreakerCommand, Right.TRIP),
    "unlock": (Unlock, Right.TRIP),
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What people do to Halon."""

    store: Store
    connect: Connect
    task_queue: str
    guard: Guard
    sealer: Sealer
    freezes: Freezes
    clock: Callable[[], datetime]

    def rights(self, who: Principal, labels: Mapping[str, str] | None = None) -> frozenset[Right]:
        """What somebody may do to an incident with these labels, or to what belongs to none."""
        return frozenset(self.guard.rights.of(who, labels))

    async def listed(self, who: Principal, state: State | None, limit: int) -> Listing:
        """Give the incidents that somebody may see.

        Raises:
            PermissionDenied: they may see none at all.
            TransientError: the store does not answer.
        """
        await self._demand_anywhere(who, "list incidents")
        listing = await listed(self.store, self.connect, IncidentFilter(), state, MAX_LIST)
        seen = [one for one in listing.incidents if self._sees(who, one.labels)]
        return Listing(seen[:limit], listing.stale)

    async def runs(self, who: Principal) -> Sequence[RunUnderWay]:
        """Give the runs under way that somebody may see.

        Raises:
            PermissionDenied: they may see none at all.
            TransientError: Temporal or the store does not answer.
        """
        await self._demand_anywhere(who, "list runs")
        runs = await runs_under_way(await self.connect())
        rows = {row.id: row.labels for row in await self.store.incidents.list(IncidentFilter(state="open"), MAX_LIST)}
        return [one for one in runs if self._sees(who, rows.get(one.incident, {}))]

    async def look(self, who: Principal, incident: str) -> Shown:
        """Give all that is known of an incident.

        Raises:
            NotFound: there is none.
            PermissionDenied: they may not see it.
            TransientError: the store does not answer.
        """
        shown = await look(self.store, self.connect, incident)
        await self._demand(who, Right.READ, "see it", shown.row)
        return shown

    async def follow(self, who: Principal, incident: str) -> str:
        """Give the whole id of an incident whose records somebody may read.

        Raises:
            NotFound: there is none.
            PermissionDenied: they may not see it.
            TransientError: the store does not answer.
        """
        row = await found(self.store, self.connect, incident)
        await self._demand(who, Right.READ, "follow it", row)
        return row.id

    async def records(self, incident: str, after: int) -> Sequence[StoredRecord]:
        """Give an incident's records behind a position.

        Raises:
            TransientError: the store does not answer.
        """
        return await self.store.audit.records(incident, after)

    async def head(self) -> str:
        """Give what changes whenever anything is recorded.

        Raises:
            TransientError: the store does not answer.
        """
        return await self.store.audit.anchor()

    async def decide(self, who: Principal, incident: str, given: Decide) -> str:
        """Hand a decision in, sealed. Gives the run's answer.

        Raises:
            Conflict: the run does not take it, and why.
            NotFound: there is no such incident, or it has ended.
            PermissionDenied: they may not decide it.
            TransientError: nobody answers.
        """
        row = await found(self.store, self.connect, incident)
        right = Right.BREAK_GLASS if given.break_glass else Right.DECIDE
        await self._demand(who, right, f"{given.verdict.value} it", row)
        client = await self.connect()
        async with answering(f"incident {row.id}"):
            run = await current_run(client, row.id)
        seal = Seal(
            run=run,
            verdict=given.verdict,
            by=who.person,
            method=who.method,
            groups=who.groups,
            step=given.step,
            plan=given.plan,
            comment=given.comment,
            break_glass=given.break_glass,
            id=secrets.token_urlsafe(24),
            expires_at=self.clock() + SEALED_FOR,
        )
        sealed = given.model_copy(update={"seal": self.sealer.seal(seal)})
        return await decisions.decide(client, row.id, sealed, run)

    async def cancel(self, who: Principal, incident: str, reason: str) -> None:
        """Ask an incident's run to stop and undo.

        Raises:
            NotFound: there is none, or it has ended.
            PermissionDenied: they may not.
            TransientError: Temporal does not answer.
        """
        row = await found(self.store, self.connect, incident)
        await self._demand(who, Right.RUN, "cancel it", row)
        await decisions.cancel(await self.connect(), row.id, f"{who.person}: {reason}")

    async def guards(self, who: Principal) -> GuardsNow:
        """Give what stops automation now.

        Raises:
            PermissionDenied: they may see nothing at all.
            TransientError: the ledger does not answer.
        """
        await self._demand_anywhere(who, "see the guards")
        return await guards_now(await self._ledger(), self.freezes, self.clock())

    async def command(self, who: Principal, name: str, fields: Mapping[str, str]) -> Answer:
        """Pause, resume, trip, reset or unlock.

        Raises:
            InvalidInput: a field is missing or wrong.
            PermissionDenied: they may not.
            Conflict: it came to nothing, and why.
            TransientError: the ledger does not answer.
        """
        kind, right = _COMMANDS[name]
        await self.guard.demand(Attempt(who, right, name))
        given = _made(kind, {**fields, "by": who.person})
        return await getattr(guards, name)(await self._ledger(), given)

    async def _ledger(self) -> LedgerClient:
        return LedgerClient(await self.connect(), self.task_queue)

    def _sees(self, who: Principal, labels: Mapping[str, str]) -> bool:
        return self.guard.rights.may(who, Right.READ, labels).allowed

    async def _demand(self, who: Principal, right: Right, what: str, row: IncidentRow) -> None:
        await self.guard.demand(Attempt(who, right, what, row.id), row.labels)

    async def _demand_anywhere(self, who: Principal, what: str) -> None:
        if not self.guard.rights.anywhere(who, Right.READ):
            await self.guard.demand(Attempt(who, Right.READ, what))


def _made(kind: type[BaseModel], fields: Mapping[str, str]) -> BaseModel:
    """Make a command of a form's fields.

    Raises:
        InvalidInput: a field is missing or wrong.
    """
    try:
        return kind.model_validate(dict(fields))
    except ValidationError as error:
        said = [
            f"{one['loc'][0] if one['loc'] else 'the form'} "
            + ("is missing" if one["type"] in {"missing", "string_too_short"} else f"is wrong: {one['msg']}")
            for one in error.errors()
        ]
        raise InvalidInput("; ".join(said)) from error
