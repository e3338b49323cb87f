"""Open an incident in ServiceNow."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from activities.servicenow._incident import MAX_TEXT, READ, Incident, TableName
from halon.clients.servicenow import ServiceNow
from halon.contracts.base import JsonObject
from halon.kit.action import Notice, Permission
from halon.kit.env import Env
from halon.kit.once import Reference, Title, Words, line_of, mark_of, words_of

_MAX_LINE = 160
"""Characters, of which `short_description` takes no more."""
_OWN = frozenset(
    {
        "correlation_id",
        "correlation_display",
        "number",
        "state",
        "short_description",
        "description",
        "urgency",
        "impact",
        "assignment_group",
    }
)
FieldName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,79}$", max_length=80)]
Level: TypeAlias = Literal["1", "2", "3"]


class CreateIncident(Notice[Incident]):
    """Open an incident in ServiceNow by the Table API, once for a `reference`.

    A mark made of the reference stands in the incident's `correlation_id`, by which it is found before another one is
    opened; one that was resolved counts as well. What looks like a secret is masked. Errors: a table that is not in
    `servicenow.allow`, and a credential without the role, are `permission_denied`; a group that is not there is
    `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        READ,
        Permission("http", ("POST",), "/api/now/table/{table}", "a role that may create in the table, such as `itil`"),
        Permission("http", ("GET",), "/api/now/table/sys_user_group", "to find `assignment_group` by its name"),
    )
    example: ClassVar[JsonObject] = {
        "reference": "i-20260102-cart",
        "short_description": "cart ran out of memory after revision 42",
        "description": "It was rolled back to revision 41.",
        "urgency": "2",
        "impact": "2",
        "assignment_group": "Shop Operations",
    }

    table: TableName = "incident"
    """The table, which extends `task`."""
    reference: Reference
    """What it is about, such as the incident's id: the same reference is the same incident."""
    short_description: Title
    """What it is about, in a line; cut to 160 characters."""
    description: Words = ""
    """The rest; cut to 4,000 characters."""
    urgency: Level = "3"
    """1 is high, 2 medium, 3 low; with `impact` it makes the priority."""
    impact: Level = "3"
    """1 is high, 2 medium, 3 low."""
    assignment_group: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^^]*$", max_length=80)] = ""
    """The name of the group that it is assigned to; without it as the instance does."""
    fields: Annotated[
        dict[FieldName, Annotated[str, StringConstraints(max_length=MAX_TEXT)]], Field(max_length=20)
    ] = {}
    """Other fields, by their names in the table, with the values that they hold, such as a `sys_id`; no secrets."""

    @model_validator(mode="after")
    def _others(self) -> "CreateIncident":
        taken = sorted(name for name in self.fields if name in _OWN or name.startswith("sys_"))
        if taken:
            raise ValueError(f"`fields` cannot hold {', '.join(taken)}: use their own parameters, where there are any")
        return self

    def target(self) -> str:
        """Name the table."""
        return f"servicenow/{self.table}"

    async def run(self, env: Env) -> Incident:
        """Open it, unless it is there."""
        client = env.get(ServiceNow)
        fields = {
            **self.fields,
            "short_description": line_of(self.short_description, _MAX_LINE),
            "description": words_of(self.description, MAX_TEXT),
            "urgency": self.urgency,
            "impact": self.impact,
        }
        if self.assignment_group:
            fields["assignment_group"] = await client.group(self.assignment_group)
        made = await client.create(self.table, fields, mark_of(self.reference))
        there = made.record
        return Incident(
            number=there.number,
            sys_id=there.sys_id,
            state=there.state,
            url=client.address(self.table, there),
            written=made.new,
        )
