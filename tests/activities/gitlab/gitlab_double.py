"""A double of GitLab's REST API: a project whose pipelines deploy, and its freeze periods."""

from typing import Any
from urllib.parse import unquote

from vendor import TOKEN, Answered, Secret, Vendor

from halon.clients.gitlab import GitLab
from halon.clients.json_api import Access
from halon.settings.services import GitLabSettings

ROOT = "/api/v4/projects/acme/shop/"
OLD, NEW, OTHER = "a" * 40, "b" * 40, "c" * 40
NOT_FOUND = Answered({"message": "404 Not found"}, 404)


class GitLabDouble(Vendor):
    """`acme/shop`, whose pipelines 11 and 12 deployed OLD and then NEW to `production`."""

    denied = Answered({"message": "403 Forbidden"}, 403)
    throttled = Answered({"message": {"error": "Too many requests"}}, 429, {"Retry-After": "7"})

    def __init__(self) -> None:
        super().__init__()
        self.pipelines = [self.pipeline(12, NEW), self.pipeline(11, OLD)]
        self.jobs = {12: [self.job(102)], 11: [self.job(101)]}
        self.variables: dict[int, list[dict[str, str]]] = {12: [], 11: []}
        self.hidden: set[int] = set()
        """Pipelines whose variables are not shown to Halon."""
        self.deployments = [self.deployment(2, NEW, 102), self.deployment(1, OLD, 101)]
        self.freezes = [{"id": 1, "freeze_start": "0 23 * * 5", "freeze_end": "0 7 * * 1", "cron_timezone": "UTC"}]
        self.main = NEW
        self.fate = "success"
        """How jobs, pipelines and deployments end that are started."""

    def pipeline(self, number: int, sha: str, **more: Any) -> dict[str, Any]:
        made = {"id": number, "status": "success", "sha": sha, "ref": "main", "source": "push"}
        return {**made, "web_url": f"https://x/{number}", "created_at": "2026-01-01T03:04:00.000Z", **more}

    def job(self, number: int, status: str = "success") -> dict[str, Any]:
        started = None if status in {"manual", "created", "skipped"} else "2026-01-01T03:05:00.000Z"
        return {"id": number, "status": status, "name": "deploy", "started_at": started}

    def deployment(
        self, number: int, sha: str, by: int, status: str = "success", job: str = "success"
    ) -> dict[str, Any]:
        made = {"id": number, "iid": number, "sha": sha, "ref": "main", "status": status}
        return {**made, "deployable": self.job(by, job)}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        if self.headers.get("PRIVATE-TOKEN") != TOKEN:
            return Answered({"message": "401 Unauthorized"}, 401)
        # GitLab takes a project's path only as one segment.
        assert "/api/v4/projects/acme%2F" in self.asked[-1]
        path = unquote(path)
        if not path.startswith(ROOT):
            return NOT_FOUND
        match path.removeprefix(ROOT).split("/"):
            case ["pipelines", *rest]:
                return self._pipelines([*rest, ""], query)
            case ["pipeline"]:
                return self._started(body)
            case ["freeze_periods", *rest]:
                return self._freezes(method, rest, body)
            case rest:
                return self._deploying(rest, query)

    def _deploying(self, rest: list[str], query: dict[str, str]) -> Answered:
        match rest:
            case ["repository", "commits", "main"]:
                return Answered({"id": self.main})
            case ["jobs", number, "retry"]:
                return self._retried(int(number))
            case ["deployments"]:
                assert (query["order_by"], query["sort"]) == ("id", "desc")
                found = self.deployments if query["environment"] == "production" else []
                return Answered(found[: int(query["per_page"])])
        return NOT_FOUND

    def _pipelines(self, rest: list[str], query: dict[str, str]) -> Answered:
        if rest == [""]:
            assert (query["order_by"], query["sort"]) == ("id", "desc")
            wanted = {name: query[name] for name in ("ref", "source") if name in query}
            found = [one for one in self.pipelines if all(one[name] == value for name, value in wanted.items())]
            return Answered(found[: int(query["per_page"])])
        number, verb = int(rest[0]), rest[1]
        one = next((one for one in self.pipelines if one["id"] == number), None)
        if one is None:
            return NOT_FOUND
        if verb == "cancel":
            one["status"] = "canceled" if one["status"] == "running" else one["status"]
        if verb == "jobs":
            return Answered(self.jobs[number][: int(query["per_page"])])
        if verb == "variables":
            return Answered({"message": "403 Forbidden"}, 403) if number in self.hidden else self._shown(number)
        return Answered(one)

    def _shown(self, number: int) -> Answered:
        return Answered([{"variable_type": "env_var", **one} for one in self.variables[number]])

    def _started(self, body: dict[str, Any]) -> Answered:
        if body["ref"] != "main":
            return Answered({"message": {"base": ["Reference not found"]}}, 400)
        number = self.pipelines[0]["id"] + 1
        self.pipelines.insert(0, self.pipeline(number, self.main, source="api", status=self.fate))
        self.variables[number], self.jobs[number] = body["variables"], [self.job(number + 90)]
        return Answered(self.pipelines[0], 201)

    def _retried(self, number: int) -> Answered:
        there = next((one for one in self.deployments if one["deployable"]["id"] == number), None)
        if there is None:
            return NOT_FOUND
        if there.get("retried") or there["deployable"]["status"] in {"running", "pending"}:
            return Answered({"message": "403 Forbidden - Job is not retryable"}, 403)
        there["retried"] = True
        new = self.deployment(len(self.deployments) + 1, there["sha"], number + 50, self.fate)
        self.deployments.insert(0, new)
        return Answered(new["deployable"], 201)

    def _freezes(self, method: str, rest: list[str], body: Any) -> Answered:
        if method == "POST":
            self.freezes.append({"id": self.freezes[-1]["id"] + 1 if self.freezes else 1, **body})
            return Answered(self.freezes[-1], 201)
        if method == "DELETE":
            kept = [one for one in self.freezes if str(one["id"]) != rest[0]]
            gone, self.freezes = len(kept) < len(self.freezes), kept
            return Answered(None, 204) if gone else NOT_FOUND
        return Answered(self.freezes)

    async def interfere(self) -> None:
        self.main = OTHER
        self.jobs[12].insert(0, self.job(199))
        self.deployments.insert(0, self.deployment(7, OTHER, 107))
        self.freezes.append({"id": 9, "freeze_start": "0 0 * * 6", "freeze_end": "0 0 * * 1", "cron_timezone": "UTC"})


def gitlab(url: str, **more: Any) -> GitLab:
    given = {"url": url, "token": {"env": "GITLAB_TOKEN"}, "allow": ["acme/*"], "variables": ["TASK"], **more}
    access = Access("GitLab", url, "gitlab", Secret(), header="PRIVATE-TOKEN", prefix="")
    return GitLab(access, GitLabSettings.model_validate(given))
