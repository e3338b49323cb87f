"""Write a note on an incident in ServiceNow."""

from typing import ClassVar, Literal

from activities.servicenow._incident import MAX_TEXT, READ, WRITE, Incident, RecordNumber, TableName
from halon.clients.servicenow import ServiceNow
from halon.contracts.base import JsonObject
from halon.kit.action import Notice, Permission
from halon.kit.env import Env
from halon.kit.once import Reference, Title, mark_of, words_of


class UpdateIncident(Notice[Incident]):
    """Write a note on an incident in ServiceNow, once for a `reference`.

    It ends with a mark, which is looked for among the incident's notes before it is written again. What looks like a
    secret is masked. Errors: a table that is not in `servicenow.allow`, and a credential without the role, are
    `permission_denied`; an incident that is not there is `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (READ, WRITE)
    example: ClassVar[JsonObject] = {
        "number": "INC0010001",
        "reference": "i-20260102-cart/rolled-back",
        "text": "cart was rolled back to revision 41 and is healthy.",
    }

    table: TableName = "incident"
    """The table, which extends `task`."""
    number: RecordNumber
    """The incident's number, as `servicenow.create_incident` gives it."""
    reference: Reference
    """What it says, such as the incident's id and the step's: the same reference is the same note."""
    text: Title
    """The note; cut to 4,000 characters."""
    seen_by: Literal["staff", "caller"] = "staff"
    """Who sees it: as a work note only those who work on it, as a comment the caller as well."""

    def target(self) -> str:
        """Name the incident."""
        return f"servicenow/{self.table}/{self.number}"

    async def run(self, env: Env) -> Incident:
        """Write it, unless it is there."""
        client, mark = env.get(ServiceNow), mark_of(self.reference)
        there = await client.record(self.table, self.number)
        written = not await client.has_noted(self.table, there, mark)
        if written:
            field = "work_notes" if self.seen_by == "staff" else "comments"
            text = f"{words_of(self.text, MAX_TEXT - len(mark) - 2)}\n\n{mark}"
            there = await client.update(self.table, there, {field: text})
        return Incident(
            number=there.number,
            sys_id=there.sys_id,
            state=there.state,
            url=client.address(self.table, there),
            written=written,
        )
