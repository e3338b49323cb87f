"""Write down in Jira what somebody shall look at."""

from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from activities.jira._issue import MAX_TEXT, READ, ProjectKey, Ticket
from halon.clients.jira import Jira, document
from halon.contracts.base import Json, JsonObject, canonical
from halon.kit.action import Notice, Permission
from halon.kit.env import Env
from halon.kit.once import Reference, Title, Words, line_of, mark_of, words_of

_MAX_FIELDS = 32 * 1024
_MAX_SUMMARY = 255
"""Characters, of which Jira takes no more."""
Named: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Label: TypeAlias = Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=100)]
CustomField: TypeAlias = Annotated[str, StringConstraints(pattern=r"^customfield_[0-9]{1,10}$", max_length=30)]


class CreateIssue(Notice[Ticket]):
    """Create an issue in Jira, once for a `reference`.

    The issue carries a label that is made of the reference, by which it is found before another one is created, also
    while Jira's search does not know it yet; so leave the label on it. An issue that was closed counts as well. What
    looks like a secret is masked. Errors: a project that is not in `jira.allow`, and a credential without the right,
    are `permission_denied`; what the project does not take, such as a type that it does not have, is `invalid_input`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        READ,
        Permission("http", ("POST",), "/rest/api/3/issue", "scope `write:jira-work`, and Create Issues in the project"),
    )
    example: ClassVar[JsonObject] = {
        "project": "OPS",
        "reference": "i-20260102-cart",
        "summary": "cart ran out of memory after revision 42",
        "description": "It was rolled back to revision 41. Find out what makes it grow.",
        "issue_type": "Bug",
        "labels": ["cart"],
    }

    project: ProjectKey
    """The project's key."""
    reference: Reference
    """What it is about, such as the incident's id: the same reference is the same issue."""
    summary: Title
    """What it is about, in a line; cut to 255 characters."""
    description: Words = ""
    """The rest, with paragraphs at empty lines; cut to 20,000 characters."""
    issue_type: Named = "Task"
    """A type that the project has."""
    priority: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    """The priority's name; without it the project's default."""
    labels: Annotated[tuple[Label, ...], Field(max_length=20)] = ()
    """Labels beside the one of the reference."""
    components: Annotated[tuple[Named, ...], Field(max_length=20)] = ()
    """Names of components that the project has."""
    assignee: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:-]*$", max_length=128)] = ""
    """The account id of whom it is assigned to; without it as the project does."""
    fields: Annotated[dict[CustomField, Json], Field(max_length=20)] = {}
    """Fields of your own that the project wants, by id, as Jira's API takes them; at most 32 kB, and no secrets."""

    @model_validator(mode="after")
    def _bounded(self) -> "CreateIssue":
        if len(canonical(self.fields)) > _MAX_FIELDS:
            raise ValueError(f"`fields` is larger than {_MAX_FIELDS} bytes")
        return self

    def target(self) -> str:
        """Name the project."""
        return f"jira/{self.project}"

    async def run(self, env: Env) -> Ticket:
        """Create it, unless it is there."""
        jira = env.get(Jira)
        fields: dict[str, Any] = {
            **self.fields,
            "summary": line_of(self.summary, _MAX_SUMMARY),
            "issuetype": {"name": self.issue_type},
            "labels": list(self.labels),
        }
        if description := words_of(self.description, MAX_TEXT):
            fields["description"] = document(description)
        if self.priority:
            fields["priority"] = {"name": self.priority}
        if self.components:
            fields["components"] = [{"name": one} for one in self.components]
        if self.assignee:
            fields["assignee"] = {"accountId": self.assignee}
        made = await jira.create(self.project, fields, mark_of(self.reference))
        return Ticket(key=made.id, url=jira.address(made.id), created=made.new)
