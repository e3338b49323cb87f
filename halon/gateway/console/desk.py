"""What the console asks of Halon, always as somebody: whoever answers checks their rights and audits a refusal."""

from collections.abc import Sequence
from typing import Protocol

from halon.contracts.audit import StoredRecord
from halon.contracts.ledger import Answer
from halon.contracts.people import Principal, Right
from halon.contracts.run import Decide
from halon.operations.guards import GuardsNow
from halon.operations.incidents import Listing, State
from halon.operations.running import RunUnderWay
from halon.operations.showing import Shown


class Desk(Protocol):
    """What people do to Halon."""

    async def rights(self, who: Principal, incident: str | None = None) -> frozenset[Right]:
        """What somebody may do to an incident, or to what belongs to none."""
        ...

    async def listed(self, who: Principal, state: State | None, limit: int) -> Listing:
        """Give the incidents that somebody may see."""
        ...

    async def look(self, who: Principal, incident: str) -> Shown:
        """Give all that is known of an incident."""
        ...

    async def records(self, who: Principal, incident: str, after: int) -> Sequence[StoredRecord]:
        """Give an incident's records behind a position."""
        ...

    async def runs(self, who: Principal) -> Sequence[RunUnderWay]:
        """Give the runs under way that somebody may see."""
        ...

    async def head(self) -> str:
        """Give what changes whenever anything is recorded."""
        ...

    async def decide(self, who: Principal, incident: str, given: Decide) -> str:
        """Hand a decision in, sealed. Gives the run's answer."""
        ...

    async def cancel(self, who: Principal, incident: str, reason: str) -> None:
        """Ask an incident's run to stop and undo."""
        ...

    async def guards(self, who: Principal) -> GuardsNow:
        """Give what stops automation now."""
        ...

    async def command(self, who: Principal, name: str, fields: dict[str, str]) -> Answer:
        """Pause, resume, trip, reset or unlock."""
        ...
