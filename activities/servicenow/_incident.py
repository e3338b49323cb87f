"""What the actions on ServiceNow share: names, permissions, and what they answer."""

from typing import Annotated, TypeAlias

from pydantic import StringConstraints

from halon.kit.action import Output, Permission

TableName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,79}$", max_length=80)]
RecordNumber: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,10}[0-9]{3,20}$", max_length=30)]
MAX_TEXT = 4000
"""Characters, of which ServiceNow's descriptions and notes take no more as they are delivered."""

READ = Permission("http", ("GET",), "/api/now/table/{table}", "a role that may read the table, such as `itil`")
WRITE = Permission("http", ("PATCH",), "/api/now/table/{table}", "a role that may write in the table, such as `itil`")


class Incident(Output):
    """A record."""

    number: str
    """Its number, such as `INC0010001`."""
    sys_id: str
    """Its id."""
    state: str
    """Its state as ServiceNow numbers it: 1 is new, 2 in progress, 6 resolved, 7 closed."""
    url: str
    """Where people see it."""
    written: bool
    """False when there was nothing to write, because it was there already."""
