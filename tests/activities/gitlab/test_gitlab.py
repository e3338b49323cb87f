"""What GitLab's own rules ask of a plan: which job is run again, what counts as deployed, whose pipeline is whose."""

from typing import Any

import pytest
from gitlab_double import NEW, OLD, OTHER, GitLabDouble, gitlab
from vendor import TOKEN, vendor_world
from world import World

from activities.gitlab.get_pipelines import GetPipelines
from halon.errors import InvalidInput, NotFound, PermanentError, PermissionDenied

DEPLOY = {"project": "acme/shop", "environment": "production"}
RUN = {"project": "acme/shop", "reference": "i-1"}


@pytest.fixture
async def double() -> Any:
    made = GitLabDouble()
    async with made.serving():
        yield made


@pytest.fixture
async def world(double: GitLabDouble) -> Any:
    client = gitlab(double.url)
    yield lambda action, **params: vendor_world(double, f"gitlab.{action}", params, client)
    await client.close()


async def test_the_last_other_commit_that_was_deployed_well_is_deployed_again(double: GitLabDouble, world: Any) -> None:
    double.deployments.insert(0, double.deployment(3, OTHER, 103, "failed"))
    plan = await world("roll_back_deployment", **DEPLOY).plan()
    assert (plan.before, plan.after) == ({"commit": OTHER}, {"commit": NEW})
    assert "job 102" in plan.notes[0]


@pytest.mark.parametrize(
    ("status", "job", "current"),
    [
        ("created", "manual", NEW), ("skipped", "skipped", NEW), ("blocked", "manual", NEW),
        ("running", "running", OTHER), ("created", "pending", OTHER), ("canceled", "canceled", OTHER),
    ],
)  # fmt: skip
async def test_a_deployment_counts_once_its_job_goes_on_by_itself_also_when_it_was_cancelled_on_the_way(
    double: GitLabDouble, world: Any, status: str, job: str, current: str
) -> None:
    double.deployments.insert(0, double.deployment(3, OTHER, 103, status, job=job))
    plan = await world("roll_back_deployment", **DEPLOY).plan()
    assert plan.before == {"commit": current}
    assert plan.after == {"commit": NEW if current == OTHER else OLD}


async def test_the_job_that_was_run_again_already_is_followed_to_the_one_that_came_of_it(
    double: GitLabDouble, world: Any
) -> None:
    here: World = world("roll_back_deployment", **DEPLOY)
    await here.apply(await here.plan())
    double.deployments.insert(0, double.deployment(9, OTHER, 109))
    again = await here.plan()
    assert (again.after, "job 151" in again.notes[0]) == ({"commit": OLD}, True)
    assert (await here.apply(again, key="i-2/step")).status == "applied"


@pytest.mark.parametrize(
    ("keep", "params", "reason"),
    [
        (1, {}, "no other commit"),
        (2, {"to_commit": OTHER}, "was not deployed"),
        (0, {}, ""),
    ],
)
async def test_what_cannot_be_deployed_again_is_refused(
    double: GitLabDouble, world: Any, keep: int, params: dict[str, str], reason: str
) -> None:
    double.deployments = double.deployments[:keep]
    here: World = world("roll_back_deployment", **DEPLOY, **params)
    if not keep:
        with pytest.raises(NotFound, match="no deployments"):
            await here.plan()
        return
    plan = await here.plan()
    assert (plan.kind, reason in plan.reason) == ("refused", True)


async def test_a_commit_whose_job_is_under_way_beside_a_newer_deployment_is_refused(
    double: GitLabDouble, world: Any
) -> None:
    double.deployments[1] = double.deployment(1, OLD, 101, "running", job="running")
    plan = await world("roll_back_deployment", **DEPLOY, to_commit=OLD).plan()
    assert (plan.kind, "look there first" in plan.reason) == ("refused", True)


async def test_a_deployment_that_fails_again_is_broken_and_not_waited_for(double: GitLabDouble, world: Any) -> None:
    double.fate = "failed"
    here: World = world("roll_back_deployment", **DEPLOY)
    plan = await here.plan()
    await here.apply(plan)
    assert (await here.confirmed(plan)).state == "broken"


async def test_a_job_that_gitlab_does_not_run_again_says_so(double: GitLabDouble, world: Any) -> None:
    here: World = world("roll_back_deployment", **DEPLOY)
    plan = await here.plan()
    double.deployments[1]["retried"] = True
    with pytest.raises(PermissionDenied, match="not retryable"):
        await here.apply(plan)


async def test_what_is_over_is_not_cancelled_and_what_was_retried_is_broken(double: GitLabDouble, world: Any) -> None:
    here: World = world("cancel_pipeline", project="acme/shop", pipeline_id=12)
    assert (await here.plan()).kind == "nothing"
    double.pipelines[0]["status"] = "running"
    plan = await here.plan()
    await here.apply(plan)
    double.jobs[12].insert(0, double.job(199))
    assert (await here.confirmed(plan)).state == "broken"


async def test_a_freeze_leaves_those_of_others_alone_and_says_whom_it_holds_back(
    double: GitLabDouble, world: Any
) -> None:
    here: World = world("freeze_deployments", project="acme/shop")
    plan = await here.plan()
    assert "CI_DEPLOY_FREEZE" in plan.notes[0]
    await here.apply(plan)
    assert [one["freeze_start"] for one in double.freezes] == ["0 23 * * 5", "0 0 1 1 *"]
    thaw: World = world("unfreeze_deployments", project="acme/shop")
    await thaw.apply(await thaw.plan())
    assert [one["id"] for one in double.freezes] == [1]


async def test_more_freeze_periods_than_one_page_are_not_looked_through(double: GitLabDouble, world: Any) -> None:
    double.freezes = double.freezes * 100
    with pytest.raises(PermanentError, match="too many"):
        await world("freeze_deployments", project="acme/shop").plan()


async def test_a_pipeline_whose_variables_are_not_shown_is_somebody_elses(double: GitLabDouble, world: Any) -> None:
    double.pipelines.insert(0, double.pipeline(13, NEW, source="api"))
    double.hidden = {13}
    here: World = world("run_pipeline", **RUN)
    plan = await here.plan()
    assert (await here.apply(plan)).status == "applied"
    assert {one["key"] for one in double.variables[14]} == {"HALON_REFERENCE"}
    assert (await world("run_pipeline", **RUN).plan()).kind == "nothing"
    assert (await world("run_pipeline", project="acme/shop", reference="i-2").plan()).kind == "change"


@pytest.mark.parametrize(
    ("fate", "state"), [("success", "settled"), ("failed", "broken"), ("canceled", "broken"), ("skipped", "broken")]
)
async def test_a_pipeline_is_waited_for_and_its_end_counts(
    double: GitLabDouble, world: Any, fate: str, state: str
) -> None:
    double.fate = fate
    here: World = world("run_pipeline", **RUN)
    plan = await here.plan()
    await here.apply(plan)
    assert (await here.confirmed(plan)).state == state


async def test_variables_that_halon_yaml_does_not_name_are_not_given(double: GitLabDouble, world: Any) -> None:
    with pytest.raises(PermissionDenied, match=r"gitlab\.variables"):
        await world("run_pipeline", **RUN, variables={"DEPLOY_KEY": "x"}).plan()
    with pytest.raises(InvalidInput, match="HALON_REFERENCE"):
        await world("run_pipeline", **RUN, variables={"HALON_REFERENCE": "x"}).plan()
    assert double.asked == []


async def test_pipelines_are_read_and_picked(double: GitLabDouble, run: Any) -> None:
    double.pipelines[0]["status"] = "running"
    client = gitlab(double.url)
    active = await run(GetPipelines, client, project="acme/shop", only="active")
    assert [one["id"] for one in active["pipelines"]] == [12]
    good = await run(GetPipelines, client, project="acme/shop", only="success", ref="main")
    assert [one["id"] for one in good["pipelines"]] == [11]
    failed = await run(GetPipelines, client, project="acme/shop", only="failed")
    assert failed == {"no_data": True, "count": 0, "pipelines": []}
    await client.close()


async def test_only_projects_that_are_allowed_are_asked(double: GitLabDouble, world: Any) -> None:
    with pytest.raises(PermissionDenied, match=r"gitlab\.allow"):
        await world("freeze_deployments", project="other/shop").plan()
    assert double.asked == []
    with pytest.raises(NotFound) as caught:
        await world("freeze_deployments", project="acme/other").plan()
    assert TOKEN not in str(caught.value)
