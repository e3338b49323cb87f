"""Write a comment on an issue in Jira."""

from typing import ClassVar

from activities.jira._issue import MAX_TEXT, READ, IssueKey
from halon.clients.jira import Jira, document
from halon.contracts.base import JsonObject
from halon.kit.action import Notice, Output, Permission
from halon.kit.env import Env
from halon.kit.once import Reference, Title, mark_of, words_of


class Commented(Output):
    """The comment."""

    id: str
    """Its id in Jira."""
    written: bool
    """False when it was there already."""


class AddComment(Notice[Commented]):
    """Write a comment on an issue in Jira, once for a `reference`.

    It ends with a mark, which is looked for among the newest hundred comments before it is written again. What looks
    like a secret is masked. Errors: a project that is not in `jira.allow`, and a credential without the right, are
    `permission_denied`; an issue that is not there is `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        READ,
        Permission("http", ("POST",), "/rest/api/3/issue/{issue}/comment", "scope `write:jira-work`, and Add Comments"),
    )
    example: ClassVar[JsonObject] = {
        "issue": "OPS-101",
        "reference": "i-20260102-cart/rolled-back",
        "text": "cart was rolled back to revision 41 and is healthy.",
    }

    issue: IssueKey
    """The issue's key, as `jira.create_issue` gives it."""
    reference: Reference
    """What it says, such as the incident's id and the step's: the same reference is the same comment."""
    text: Title
    """The comment, with paragraphs at empty lines; cut to 20,000 characters."""

    def target(self) -> str:
        """Name the issue."""
        return f"jira/{self.issue}"

    async def run(self, env: Env) -> Commented:
        """Write it, unless it is there."""
        mark = mark_of(self.reference)
        made = await env.get(Jira).comment(self.issue, document(words_of(self.text, MAX_TEXT), mark), mark)
        return Commented(id=made.id, written=made.new)
