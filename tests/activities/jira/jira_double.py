"""A double of Jira Cloud's REST API: one project, whose search knows an issue only when it was indexed."""

import re
from base64 import b64encode
from typing import Any

from vendor import TOKEN, Answered, Secret, Vendor

from halon.clients.jira import Jira
from halon.clients.json_api import Access
from halon.settings.services import JiraSettings

USER = "halon@example.com"
LOGIN = f"Basic {b64encode(f'{USER}:{TOKEN}'.encode()).decode()}"
ROOT = "/rest/api/3"
LABELLED = re.compile(r'project = "(\w+)" AND labels = "([\w-]+)" ORDER BY key ASC')
NEWEST = re.compile(r'project = "(\w+)" ORDER BY key DESC')
WAYS = {"To Do": ["In Progress", "Done"], "In Progress": ["Done"], "Done": ["To Do"]}


class JiraDouble(Vendor):
    """The project OPS, with one issue that has nothing to do with Halon."""

    reads = frozenset({f"{ROOT}/issue/bulkfetch"})
    denied = Answered({"errorMessages": ["You do not have permission to create issues in this project."]}, 403)
    throttled = Answered({"errorMessages": ["Rate limit exceeded."]}, 429, {"Retry-After": "7"})

    def __init__(self) -> None:
        super().__init__()
        self.issues: dict[str, dict[str, Any]] = {}
        self.indexed: set[str] = set()
        self.lagging = False
        """Whether what is made stays unknown to the search."""
        self.made({"summary": "Somebody's own", "labels": ["theirs"]})

    def made(self, fields: dict[str, Any]) -> str:
        key = f"OPS-{len(self.issues) + 1}"
        self.issues[key] = {"key": key, "fields": {"status": {"name": "To Do"}, **fields}, "comments": []}
        if not self.lagging:
            self.indexed.add(key)
        return key

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        if self.headers.get("Authorization") != LOGIN:
            return Answered({"message": "Client must be authenticated to access this resource."}, 401)
        match path.removeprefix(f"{ROOT}/").split("/"):
            case ["search", "jql"]:
                return self._found(query)
            case ["issue"]:
                return self._created(body["fields"])
            case ["issue", "bulkfetch"]:
                assert len(body["issueIdsOrKeys"]) <= 100
                found = [self.issues[key] for key in body["issueIdsOrKeys"] if key in self.issues]
                return Answered({"issues": found, "issueErrors": []})
            case ["issue", key, *rest] if key in self.issues:
                return self._about(self.issues[key], method, rest, body)
        return Answered({"errorMessages": ["Issue does not exist or you do not have permission to see it."]}, 404)

    def _found(self, query: dict[str, str]) -> Answered:
        known = [self.issues[key] for key in self.issues if key in self.indexed]
        if labelled := LABELLED.fullmatch(query["jql"]):
            found = [one for one in known if labelled[2] in one["fields"]["labels"]]
        else:
            assert NEWEST.fullmatch(query["jql"])
            found = known[::-1]
        return Answered({"issues": found[: int(query["maxResults"])], "isLast": True})

    def _created(self, fields: dict[str, Any]) -> Answered:
        assert len(fields["summary"]) <= 255
        if fields["issuetype"]["name"] not in {"Task", "Bug"}:
            return Answered({"errorMessages": [], "errors": {"issuetype": "Specify a valid issue type"}}, 400)
        key = self.made(fields)
        return Answered({"id": key.removeprefix("OPS-"), "key": key}, 201)

    def _about(self, issue: dict[str, Any], method: str, rest: list[str], body: Any) -> Answered:
        comments, status = issue["comments"], issue["fields"]["status"]
        match rest, method:
            case ["comment"], "GET":
                return Answered({"comments": comments[::-1], "total": len(comments)})
            case ["comment"], "POST":
                comments.append({"id": str(len(comments) + 1), **body})
                return Answered(comments[-1], 201)
            case ["transitions"], "GET":
                ways = [{"id": f"1{n}", "to": {"name": name}} for n, name in enumerate(WAYS[status["name"]])]
                return Answered({"transitions": ways})
            case ["transitions"], "POST":
                status["name"] = WAYS[status["name"]][int(body["transition"]["id"][1:])]
                issue["fields"] |= body.get("fields", {})
                return Answered(None, 204)
        return Answered(issue)


def jira(url: str, **more: Any) -> Jira:
    given = {"url": url, "token": {"env": "TOKEN"}, "user": USER, "allow": ["OPS"], **more}
    return Jira(Access("Jira", url, "jira", Secret(), user=USER), JiraSettings.model_validate(given))
