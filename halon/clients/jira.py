"""Jira Cloud's REST API, version 3: issues, comments and transitions. https://developer.atlassian.com/cloud/jira/platform.

Nothing there takes a key against repetition, so what is written carries a mark and is looked for first: an issue by a
label, a comment by its last line. Jira's search knows an issue only seconds or minutes after it was made, so the issues
behind the newest one that it knows are read too, by their numbers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from halon.clients.json_api import Access, Call, JsonApi, check_allowed, segment
from halon.errors import NotFound, PermanentError
from halon.settings.services import JiraSettings

UNINDEXED = 50
"""Issues behind the newest one of the search that are read by their numbers."""
LOOK_BACK = 100
"""Comments that are looked at, the newest first."""
_READ = "the scope `read:jira-work`, and Browse Projects in the project"
_WRITE = "the scope `write:jira-work`, and {} in the project"
ModelT = TypeVar("ModelT", bound=BaseModel)


class _Status(BaseModel):
    name: str


class _Fields(BaseModel):
    labels: list[str] = []
    status: _Status | None = None


class _Issue(BaseModel):
    key: str
    fields: _Fields = _Fields()


class _Issues(BaseModel):
    issues: list[_Issue]


class _Made(BaseModel):
    key: str


class _Comment(BaseModel):
    id: str
    body: dict[str, Any] = {}


class _Comments(BaseModel):
    comments: list[_Comment]


class _Transition(BaseModel):
    id: str
    name: str = ""
    to: _Status


class _Transitions(BaseModel):
    transitions: list[_Transition]


@dataclass(frozen=True, slots=True)
class Written:
    """Something in Jira, and whether it was made now."""

    id: str
    new: bool


class Jira:
    """One site."""

    def __init__(self, access: Access, settings: JiraSettings) -> None:
        self._api = JsonApi(access)
        self._settings = settings

    def address(self, issue: str) -> str:
        """Where people see an issue; empty when Jira is reached through Atlassian's gateway, which shows none."""
        return "" if "/ex/jira/" in self._settings.url else f"{self._settings.url.rstrip('/')}/browse/{issue}"

    async def create(self, project: str, fields: Mapping[str, Any], mark: str) -> Written:
        """Make an issue with the mark as a label, unless one is there; gives its key.

        Raises:
            PermissionDenied: halon.yaml does not allow the project, or Jira the credential.
            InvalidInput: the project, the type of the issue or a field is not as Jira wants it.
            TransientError: Jira does not answer, or not now.
            PermanentError: it answers something else.
        """
        self._check(project)
        there = await self._marked(project, mark)
        if there:
            return Written(there, new=False)
        labels = [*fields.get("labels", ()), mark]
        body = {"fields": {**fields, "project": {"key": project}, "labels": labels}}
        said = await self._api.object(Call("POST", "/rest/api/3/issue", _WRITE.format("Create Issues"), body=body))
        return Written(_read(_Made, said).key, new=True)

    async def comment(self, issue: str, body: Mapping[str, Any], mark: str) -> Written:
        """Write a comment that ends with the mark, unless one is there; gives its id.

        Raises what `create` does, and NotFound when there is no such issue.
        """
        path = f"{self._issue(issue)}/comment"
        query = (("orderBy", "-created"), ("maxResults", str(LOOK_BACK)))
        found = _read(_Comments, await self._api.object(Call("GET", path, _READ, query))).comments
        there = next((one.id for one in found if mark in json.dumps(one.body)), None)
        if there is not None:
            return Written(there, new=False)
        said = await self._api.object(Call("POST", path, _WRITE.format("Add Comments"), body={"body": body}))
        return Written(_read(_Comment, said).id, new=True)

    async def status(self, issue: str) -> str:
        """Give the name of an issue's status. Raises what `comment` does."""
        said = await self._api.object(Call("GET", self._issue(issue), _READ, (("fields", "status"),)))
        status = _read(_Issue, said).fields.status
        if status is None:
            raise PermanentError("Jira answers with an issue without a status")
        return status.name

    async def transition(self, issue: str, status: str, fields: Mapping[str, Any]) -> None:
        """Bring an issue to a status, by the first transition that leads there.

        Raises what `comment` does, and NotFound when no transition leads there.
        """
        path = f"{self._issue(issue)}/transitions"
        offered = _read(_Transitions, await self._api.object(Call("GET", path, _READ))).transitions
        wanted = next((one for one in offered if one.to.name.casefold() == status.casefold()), None)
        if wanted is None:
            names = ", ".join(sorted({one.to.name for one in offered})) or "nothing"
            raise NotFound(f"no transition leads from {issue}'s status to '{status}'; from here they lead to: {names}")
        body = {"transition": {"id": wanted.id}, **({"fields": fields} if fields else {})}
        await self._api.any(Call("POST", path, _WRITE.format("Transition Issues"), body=body))

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _marked(self, project: str, mark: str) -> str:
        """The key of the issue that carries the mark, or nothing."""
        found = await self._search(f'project = "{project}" AND labels = "{mark}" ORDER BY key ASC')
        if found:
            return found[0].key
        newest = await self._search(f'project = "{project}" ORDER BY key DESC')
        number = newest[0].key.rpartition("-")[2] if newest else "0"
        if not number.isdecimal():
            raise PermanentError("Jira answers with an issue whose key has no number")
        keys = [f"{project}-{int(number) + more}" for more in range(1, UNINDEXED + 1)]
        body = {"issueIdsOrKeys": keys, "fields": ["labels"]}
        said = await self._api.object(Call("POST", "/rest/api/3/issue/bulkfetch", _READ, body=body))
        return next((one.key for one in _read(_Issues, said).issues if mark in one.fields.labels), "")

    async def _search(self, jql: str) -> list[_Issue]:
        query = (("jql", jql), ("maxResults", "1"), ("fields", "labels"))
        return _read(_Issues, await self._api.object(Call("GET", "/rest/api/3/search/jql", _READ, query))).issues

    def _issue(self, issue: str) -> str:
        self._check(issue.rpartition("-")[0])
        return f"/rest/api/3/issue/{segment(issue)}"

    def _check(self, project: str) -> None:
        check_allowed(self._settings.allow, project, "jira.allow")


def document(text: str, end: str = "") -> dict[str, Any]:
    """Give text as Atlassian's document format: paragraphs at empty lines, and `end` as a small one."""
    blocks = [block.strip() for block in text.split("\n\n")]
    content = [_paragraph(block) for block in blocks if block]
    if end:
        content.append({"type": "paragraph", "content": [_text(end, "code")]})
    return {"type": "doc", "version": 1, "content": content}


def _paragraph(block: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for line in block.split("\n"):
        if content:
            content.append({"type": "hardBreak"})
        if line:
            content.append(_text(line))
    return {"type": "paragraph", "content": content}


def _text(text: str, *marks: str) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"marks": [{"type": one} for one in marks]} if marks else {})}


def _read(kind: type[ModelT], said: object) -> ModelT:
    try:
        return kind.model_validate(said)
    except ValidationError:
        raise PermanentError("Jira answers with something else than was asked for") from None
