"""Lets people at what they may see and do, and refuses the rest with a reason, which is in the audit as well."""

from http import HTTPStatus

from halon.contracts.incident import IncidentRow
from halon.contracts.people import Principal, Right
from halon.core.ids import incident_of
from halon.errors import InvalidInput, NotFound, PermissionDenied
from halon.gateway.api.parts import Parts
from halon.gateway.problems import Refusal
from halon.operations.denials import Attempt
from halon.operations.showing import found

ABOUT_NOTHING: dict[str, str] = {}
"""The labels of what has none of its own."""


class Access:
    """Asks for rights, on behalf of the API and the console."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def everywhere(self, principal: Principal, right: Right, what: str) -> None:
        """Go on only when they have a right over what belongs to no incident.

        Raises:
            Refusal: 403.
        """
        await self._demand(Attempt(principal, right, what), None)

    async def somewhere(self, principal: Principal, right: Right, what: str) -> None:
        """Go on only when they have a right at all.

        Raises:
            Refusal: 403.
        """
        rights = self._parts.guard.rights
        if not rights.anywhere(principal, right):
            await self._demand(Attempt(principal, right, what), None)

    async def here(self, principal: Principal, right: Right, what: str) -> None:
        """Go on only when they have a right over what is to begin in this installation.

        Raises:
            Refusal: 403.
        """
        await self._demand(Attempt(principal, right, what), ABOUT_NOTHING)

    async def incident(self, principal: Principal, right: Right, incident: str, what: str) -> IncidentRow:
        """Give an incident over which they have a right.

        Raises:
            Refusal: 403, they have none; 404, there is no such incident.
            TransientError: the store, or Temporal, does not answer.
        """
        await self.somewhere(principal, right, what)
        row = await self._found(incident)
        await self._demand(Attempt(principal, right, what, row.id), row)
        return row

    async def _found(self, incident: str) -> IncidentRow:
        """Find it by its whole id: a beginning would tell of others."""
        try:
            row = await found(self._parts.store, self._parts.connect, incident)
        except (NotFound, InvalidInput):
            row = None
        if row is None or row.id != incident_of(incident):
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such incident; GET /v1/incidents lists those there are")
        return row

    async def _demand(self, attempt: Attempt, about: IncidentRow | dict[str, str] | None) -> None:
        labels = about.labels if isinstance(about, IncidentRow) else about
        try:
            await self._parts.guard.demand(attempt, labels)
        except PermissionDenied as error:
            raise Refusal(HTTPStatus.FORBIDDEN, str(error)) from error
