"""Resolve an incident in ServiceNow."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.servicenow._incident import MAX_TEXT, READ, WRITE, Incident, RecordNumber, TableName
from halon.clients.servicenow import DONE, ServiceNow
from halon.contracts.base import JsonObject
from halon.errors import PermissionDenied
from halon.kit.action import Notice, Permission
from halon.kit.env import Env
from halon.kit.once import Title, words_of

_RESOLVED = "6"


class ResolveIncident(Notice[Incident]):
    """Resolve an incident in ServiceNow, unless it is resolved, closed or cancelled.

    Errors: a table that is not in `servicenow.allow`, a credential without the role, and an instance whose rules keep
    the incident as it is are `permission_denied`; an incident that is not there is `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (READ, WRITE)
    example: ClassVar[JsonObject] = {
        "number": "INC0010001",
        "close_code": "Solution provided",
        "close_notes": "cart was rolled back to revision 41 and is healthy.",
    }

    table: TableName = "incident"
    """The table, whose records are resolved in state 6."""
    number: RecordNumber
    """The incident's number, as `servicenow.create_incident` gives it."""
    close_code: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] = (
        "Solution provided"
    )
    """A resolution code that the instance has."""
    close_notes: Title
    """How it was resolved; cut to 4,000 characters."""

    def target(self) -> str:
        """Name the incident."""
        return f"servicenow/{self.table}/{self.number}"

    async def run(self, env: Env) -> Incident:
        """Resolve it, unless it is."""
        client = env.get(ServiceNow)
        there = await client.record(self.table, self.number)
        written = there.state not in DONE
        if written:
            notes = words_of(self.close_notes, MAX_TEXT)
            fields = {"state": _RESOLVED, "close_code": self.close_code, "close_notes": notes}
            there = await client.update(self.table, there, fields)
            if there.state not in DONE:
                # A field that the user may not write is left out without an error.
                raise PermissionDenied(
                    f"ServiceNow left {self.number} in state {there.state}: Halon's user, or a rule, may not resolve it"
                )
        return Incident(
            number=there.number,
            sys_id=there.sys_id,
            state=there.state,
            url=client.address(self.table, there),
            written=written,
        )
