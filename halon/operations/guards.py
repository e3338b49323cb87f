"""What stops automation, and a person's hand on it: pauses, breakers, locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from halon.clients.calendars import Freezes
from halon.clients.ledger import LedgerClient
from halon.contracts.base import JsonObject
from halon.contracts.ledger import (
    RESET_UPDATE,
    RESUME_UPDATE,
    TRIP_UPDATE,
    UNLOCK_UPDATE,
    Answer,
    BreakerCommand,
    LedgerState,
    Pause,
    Resume,
    Unlock,
)
from halon.contracts.policy import Frozen
from halon.core.standing import standing
from halon.errors import Conflict


@dataclass(frozen=True, slots=True)
class GuardsNow:
    """All that stops automation at one moment."""

    state: LedgerState
    frozen: Sequence[Frozen]

    def to_json(self) -> JsonObject:
        """The same for machines."""
        freezes: JsonObject = {"freezes": [one.model_dump(mode="json") for one in self.frozen]}
        return {**self.state.model_dump(mode="json"), **freezes}


async def guards_now(ledger: LedgerClient, freezes: Freezes, now: datetime) -> GuardsNow:
    """Ask the ledger, and look at the calendars of freezes.

    Raises:
        TransientError: the ledger does not answer.
    """
    return GuardsNow(await state_now(ledger, now), freezes.now(now))


async def state_now(ledger: LedgerClient, now: datetime) -> LedgerState:
    """Ask the ledger, and let time pass: it does so itself only when somebody asks it for something.

    Raises:
        TransientError: the ledger does not answer.
    """
    return standing(await ledger.state(), now)


async def pause(ledger: LedgerClient, given: Pause) -> Answer:
    """The kill switch. When no worker answers, Temporal keeps the command.

    Raises:
        Conflict: it came to nothing, and why.
        TransientError: Temporal does not answer.
    """
    return _done(await ledger.pause(given))


async def resume(ledger: LedgerClient, given: Resume) -> Answer:
    """Take back a pause, or all.

    Raises:
        Conflict: it came to nothing, and why.
        TransientError: the ledger does not answer; whether it has the command is not known.
    """
    return _done(await ledger.command(RESUME_UPDATE, given))


async def trip(ledger: LedgerClient, given: BreakerCommand) -> Answer:
    """Open a circuit breaker by hand.

    Raises:
        Conflict: it came to nothing, and why.
        TransientError: the ledger does not answer; whether it has the command is not known.
    """
    return _done(await ledger.command(TRIP_UPDATE, given))


async def reset(ledger: LedgerClient, given: BreakerCommand) -> Answer:
    """Close a circuit breaker by hand, and forget its failures.

    Raises:
        Conflict: it came to nothing, and why.
        TransientError: the ledger does not answer; whether it has the command is not known.
    """
    return _done(await ledger.command(RESET_UPDATE, given))


async def unlock(ledger: LedgerClient, given: Unlock) -> Answer:
    """Free a lock. A run that still holds it writes nothing more.

    Raises:
        Conflict: it came to nothing, and why.
        TransientError: the ledger does not answer; whether it has the command is not known.
    """
    return _done(await ledger.command(UNLOCK_UPDATE, given))


def _done(answer: Answer) -> Answer:
    if not answer.done:
        raise Conflict(answer.message)
    return answer
