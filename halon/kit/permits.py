"""The last question before a write: may this run still make this change?"""

from dataclasses import dataclass
from typing import Literal, Protocol

from halon.contracts.ledger import Permit
from halon.contracts.plan import Plan


@dataclass(frozen=True, slots=True)
class Objection:
    """Why nothing may be written now."""

    status: Literal["held", "refused"]
    """`held`: it is tried again once people go on. `refused`: never under this permit."""
    reason: str


class Permits(Protocol):
    """Knows what a permit is still worth."""

    async def objection(self, permit: Permit, plan: Plan) -> Objection | None:
        """Give the reason why this change may not be written now, or None.

        Raises:
            TransientError: nobody can be asked, so nothing may be written.
        """
        ...


class Unguarded:
    """For a world without guards: the reference documentation, and tests of actions alone."""

    async def objection(self, permit: Permit, plan: Plan) -> Objection | None:  # noqa: ARG002  # the protocol's
        """Nothing objects."""
        return None
