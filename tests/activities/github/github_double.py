"""A double of GitHub's REST API: a workflow that deploys, its runs, and the deployments that they make."""

from typing import Any

from vendor import TOKEN, Answered, Secret, Vendor

from halon.clients.github import HEADERS, GitHub
from halon.clients.json_api import Access
from halon.settings.services import GitHubSettings

ROOT = "/repos/acme/shop"
OLD, NEW, OTHER = "a" * 40, "b" * 40, "c" * 40


class GitHubDouble(Vendor):
    """`acme/shop`, where `deploy.yml` deployed OLD and then NEW to `production`."""

    denied = Answered({"message": "Resource not accessible by personal access token", "status": "403"}, 403)
    throttled = Answered({"message": "API rate limit exceeded"}, 403, {"X-RateLimit-Remaining": "0"})

    def __init__(self) -> None:
        super().__init__()
        self.workflow = {"id": 9, "name": "Deploy", "path": ".github/workflows/deploy.yml", "state": "active"}
        self.runs = [self.made(2, NEW), self.made(1, OLD)]
        self.deployments: list[dict[str, Any]] = [
            {"id": 2, "sha": NEW, "ref": "main", "states": ["success", "in_progress"]},
            {"id": 1, "sha": OLD, "ref": "main", "states": ["inactive", "success"]},
        ]
        self.fate = "success"
        """How runs and their deployments end."""

    def made(self, number: int, sha: str, **more: Any) -> dict[str, Any]:
        run = {
            "id": number,
            "status": "completed",
            "conclusion": "success",
            "run_attempt": 1,
            "head_sha": sha,
            "head_branch": "main",
            "event": "push",
            "display_title": "Ship it",
            "html_url": f"https://github.example.com/acme/shop/actions/runs/{number}",
            "created_at": "2026-01-01T03:04:00Z",
        }
        return run | more

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        assert self.headers["X-GitHub-Api-Version"] == "2022-11-28"
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answered({"message": "Bad credentials"}, 401)
        match path.removeprefix(f"{ROOT}/").split("/"):
            case ["deployments"]:
                found = self.deployments if query["environment"] == "production" else []
                return Answered([{k: v for k, v in one.items() if k != "states"} for one in found])
            case ["deployments", number, "statuses"]:
                one = next(one for one in self.deployments if str(one["id"]) == number)
                return Answered([{"state": state} for state in one["states"]])
            case ["actions", "runs", number, *verb]:
                return self._run(int(number), verb)
            case ["actions", "workflows", "deploy.yml", *verb]:
                return self._workflow(verb, query, body)
        return Answered({"message": "Not Found"}, 404)

    def _run(self, number: int, verb: list[str]) -> Answered:
        run = next((one for one in self.runs if one["id"] == number), None)
        if run is None:
            return Answered({"message": "Not Found"}, 404)
        if verb == ["cancel"]:
            if run["status"] == "completed":
                return Answered({"message": "Cannot cancel a workflow run that is completed."}, 409)
            run |= {"status": "completed", "conclusion": "cancelled"}
            return Answered({}, 202)
        if verb == ["rerun"]:
            run |= {"run_attempt": run["run_attempt"] + 1, "conclusion": self.fate}
            made = {"id": len(self.deployments) + 1, "sha": run["head_sha"], "ref": "main", "states": [self.fate]}
            self.deployments.insert(0, made)
            return Answered({}, 201)
        return Answered(run)

    def _workflow(self, verb: list[str], query: dict[str, str], body: Any) -> Answered:
        if verb == ["runs"]:
            wanted = {name: query[name] for name in ("head_sha", "event") if name in query}
            found = [one for one in self.runs if all(one[name] == value for name, value in wanted.items())]
            return Answered({"total_count": len(found), "workflow_runs": found[: int(query["per_page"])]})
        if verb == ["dispatches"]:
            title = f"Roll back {body['inputs']['halon']}"
            new = self.made(9, NEW, event="workflow_dispatch", display_title=title, conclusion=self.fate)
            self.runs.insert(0, new)
            return Answered(None, 204)
        if verb in (["enable"], ["disable"]):
            self.workflow["state"] = "active" if verb == ["enable"] else "disabled_manually"
            return Answered(None, 204)
        return Answered(self.workflow)

    async def interfere(self) -> None:
        self.workflow["state"] = "disabled_inactivity" if self.workflow["state"] == "active" else "disabled_fork"
        self.deployments.insert(0, {"id": 7, "sha": OTHER, "ref": "main", "states": ["success"]})
        self.runs[0]["run_attempt"] += 1


def github(url: str) -> GitHub:
    settings = GitHubSettings.model_validate({"url": url, "token": {"env": "GITHUB_TOKEN"}, "allow": ["acme/*"]})
    return GitHub(Access("GitHub", url, "github", Secret(), headers=HEADERS), settings)
