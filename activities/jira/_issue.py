"""What the actions on Jira share: names, permissions, and what they answer."""

from typing import Annotated, TypeAlias

from pydantic import StringConstraints

from halon.kit.action import Output, Permission

ProjectKey: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{1,19}$", max_length=20)]
IssueKey: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{1,19}-[0-9]{1,10}$", max_length=31)]
MAX_TEXT = 20_000
"""Characters; Jira takes 32,767 with the marks of its format."""

READ = Permission("http", ("GET",), "/rest/api/3", "scope `read:jira-work`, and Browse Projects in the project")


class Ticket(Output):
    """An issue."""

    key: str
    """Its key, such as `OPS-101`."""
    url: str
    """Where people see it."""
    created: bool
    """False when it was there already."""
