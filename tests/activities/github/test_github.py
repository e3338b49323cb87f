"""What GitHub's own rules ask of a plan: which run is run again, what is refused, what a failed run means."""

from datetime import timedelta
from typing import Any

import pytest
from github_double import NEW, OLD, OTHER, GitHubDouble, github
from vendor import TOKEN, vendor_world
from world import World

from activities.github.get_runs import GetRuns
from halon.contracts.activity import ConfirmRequest
from halon.errors import NotFound, PermissionDenied, TransientError

DEPLOY = {"repository": "acme/shop", "workflow": "deploy.yml", "environment": "production"}


@pytest.fixture
async def double() -> Any:
    made = GitHubDouble()
    async with made.serving():
        yield made


@pytest.fixture
async def world(double: GitHubDouble) -> Any:
    client = github(double.url)
    yield lambda action, **params: vendor_world(double, f"github.{action}", params, client)
    await client.close()


async def test_the_last_other_commit_that_was_deployed_well_is_deployed_again(double: GitHubDouble, world: Any) -> None:
    double.deployments.insert(0, {"id": 3, "sha": OTHER, "ref": "main", "states": ["failure"]})
    plan = await world("roll_back_deployment", **DEPLOY).plan()
    assert (plan.before, plan.after) == ({"commit": OTHER}, {"commit": NEW})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"deployments": [{"id": 2, "sha": NEW, "states": ["success"]}]}, "no other commit"),
        ({"runs": []}, "no run"),
        ({"runs": [{"created_at": "2025-10-01T00:00:00Z"}]}, "older than 30 days"),
    ],
)
async def test_what_cannot_be_run_again_is_refused(
    double: GitHubDouble, world: Any, change: dict[str, Any], reason: str
) -> None:
    double.deployments = change.get("deployments", double.deployments)
    if "runs" in change:
        double.runs = [double.made(1, OLD, **one) for one in change["runs"]]
    plan = await world("roll_back_deployment", **DEPLOY).plan()
    assert plan.kind == "refused"
    assert reason in plan.reason


async def test_a_deployment_that_fails_again_is_broken_and_not_waited_for(double: GitHubDouble, world: Any) -> None:
    double.fate = "failure"
    here: World = world("roll_back_deployment", **DEPLOY)
    plan = await here.plan()
    await here.apply(plan)
    settlement = await here.confirmed(plan)
    assert (settlement.state, "failed" in settlement.reason) == ("broken", True)


async def test_a_run_for_the_wanted_commit_that_is_under_way_is_not_started_twice(
    double: GitHubDouble, world: Any
) -> None:
    here: World = world("roll_back_deployment", **DEPLOY)
    plan = await here.plan()
    double.runs[1] |= {"status": "queued", "conclusion": None}
    assert (await here.apply(plan)).status == "already"
    assert double.journal == []


async def test_a_workflow_that_does_not_show_its_mark_is_waited_for_and_says_so(
    double: GitHubDouble, world: Any
) -> None:
    here: World = world("run_workflow", repository="acme/shop", workflow="deploy.yml", reference="i-2")
    plan = await here.plan()
    await here.apply(plan)
    double.runs[0]["display_title"] = "Roll back"
    settlement = await here.lifecycle.confirm(
        ConfirmRequest(plan=plan, incident="i-1", step="step", poll=timedelta(seconds=1))
    )
    assert "run-name" in settlement.reason


async def test_a_run_that_ended_badly_is_broken(double: GitHubDouble, world: Any) -> None:
    double.fate = "failure"
    here: World = world("run_workflow", repository="acme/shop", workflow="deploy.yml", reference="i-2")
    plan = await here.plan()
    await here.apply(plan)
    assert (await here.confirmed(plan)).state == "broken"


async def test_runs_are_read_and_picked(double: GitHubDouble, run: Any) -> None:
    double.runs[0] |= {"status": "in_progress", "conclusion": None}
    client = github(double.url)
    active = await run(GetRuns, client, repository="acme/shop", workflow="deploy.yml", only="active")
    assert [one["id"] for one in active["runs"]] == [2]
    good = await run(GetRuns, client, repository="acme/shop", workflow="deploy.yml", only="success")
    assert [one["id"] for one in good["runs"]] == [1]
    failed = await run(GetRuns, client, repository="acme/shop", workflow="deploy.yml", only="failure")
    assert failed == {"no_data": True, "count": 0, "runs": []}
    await client.close()


async def test_only_repositories_that_are_allowed_are_asked(double: GitHubDouble, world: Any) -> None:
    with pytest.raises(PermissionDenied, match=r"github\.allow"):
        await world("disable_workflow", repository="other/shop", workflow="deploy.yml").plan()
    assert double.asked == []
    with pytest.raises(NotFound) as caught:
        await world("disable_workflow", repository="acme/shop", workflow="other.yml").plan()
    assert TOKEN not in str(caught.value)


async def test_a_spent_rate_limit_is_no_missing_right(double: GitHubDouble, world: Any) -> None:
    double.throttle()
    with pytest.raises(TransientError, match="rate limit"):
        await world("disable_workflow", repository="acme/shop", workflow="deploy.yml").plan()
