"""Bring an issue in Jira to another status."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.jira._issue import READ, IssueKey
from halon.clients.jira import Jira
from halon.contracts.base import JsonObject
from halon.kit.action import Notice, Output, Permission
from halon.kit.env import Env


class Moved(Output):
    """How the issue is."""

    status: str
    """Its status."""
    was: str
    """The status that it had before: the same, when there was nothing to do."""


class TransitionIssue(Notice[Moved]):
    """Bring an issue in Jira to a status, unless it has it: done, for one, when the run has ended well.

    One transition of its workflow must lead there from where it is. Errors: a project that is not in `jira.allow`, and
    a credential without the right, are `permission_denied`; an issue that is not there, and a status to which no
    transition leads, are `not_found`, with the statuses that can be reached; a transition that wants a field that it
    does not get is `invalid_input`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        READ,
        Permission(
            "http", ("POST",), "/rest/api/3/issue/{issue}/transitions", "scope `write:jira-work`, and Transition Issues"
        ),
    )
    example: ClassVar[JsonObject] = {"issue": "OPS-101", "to": "Done", "resolution": "Done"}

    issue: IssueKey
    """The issue's key, as `jira.create_issue` gives it."""
    to: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    """The name of the status."""
    resolution: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    """The name of the resolution, where the transition's screen has one."""

    def target(self) -> str:
        """Name the issue."""
        return f"jira/{self.issue}"

    async def run(self, env: Env) -> Moved:
        """Bring it there, unless it is."""
        jira = env.get(Jira)
        was = await jira.status(self.issue)
        if was.casefold() == self.to.casefold():
            return Moved(status=was, was=was)
        fields = {"resolution": {"name": self.resolution}} if self.resolution else {}
        await jira.transition(self.issue, self.to, fields)
        return Moved(status=self.to, was=was)
