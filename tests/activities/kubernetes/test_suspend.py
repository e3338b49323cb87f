"""Suspending and resuming Jobs and CronJobs: what stops, what goes on, and what is not touched."""

from typing import Any

import pytest
from batch_worlds import taken_up
from manifests import cron_job, job
from shop import Shop, until

from halon.errors import NotFound, PermanentError

IMPORT = {"namespace": "shop", "name": "import"}
NIGHTLY = {"namespace": "shop", "name": "nightly"}


def status(shop: Shop) -> Any:
    return (shop.cluster.read("batch/v1", "Job", "import", "shop") or {}).get("status", {})


def ended(shop: Shop) -> bool:
    return any(one["type"] in {"Complete", "Failed"} and one["status"] == "True" for one in status(shop)["conditions"])


async def test_suspending_a_job_stops_its_pods_and_resuming_starts_new_ones(shop: Shop) -> None:
    await taken_up(shop.cluster, job(parallelism=2, completions=4, activeDeadlineSeconds=600))
    before = {one["metadata"]["uid"] for one in shop.pods("import")}
    plan = await shop.plan("kubernetes.suspend_job", **IMPORT)
    assert any("pods of it that run are deleted: 2" in note for note in plan.notes)
    assert any("deadline of 600 seconds begins anew" in note for note in plan.notes)
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).reason == "Job shop/import is suspended, and none of its pods runs"
    assert (shop.pods("import"), "startTime" in status(shop), status(shop).get("failed")) == ([], False, None)
    back = await shop.taken_back(plan)
    assert any("0 of 4 are done; it runs up to 2 pods at a time" in note for note in back.notes)
    await shop.apply(back, key="k-undo")
    assert (await shop.confirmed(back)).state == "settled"
    after = {one["metadata"]["uid"] for one in shop.pods("import")}
    assert len(after) == 2
    assert not before & after


async def test_a_job_that_has_ended_is_left_alone(shop: Shop) -> None:
    await shop.cluster.apply(job("import:1.0-done"))
    await until(lambda: "conditions" in status(shop) and ended(shop))
    for action in ("suspend_job", "resume_job"):
        plan = await shop.plan(f"kubernetes.{action}", **IMPORT)
        assert (plan.kind, "has ended (Complete: CompletionsReached)" in plan.reason) == ("refused", True)


async def test_a_job_that_ends_after_the_plan_is_not_suspended(shop: Shop) -> None:
    await taken_up(shop.cluster, job())
    plan = await shop.plan("kubernetes.suspend_job", **IMPORT)
    over = [
        {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "lastTransitionTime": "2026-01-02T03:04:05Z"}
    ]
    await shop.cluster.apply(job() | {"status": {"conditions": over}})
    with pytest.raises(PermanentError, match=r"has ended \(Failed: DeadlineExceeded\)"):
        await shop.apply(plan)


async def test_a_job_that_is_so_already_or_is_not_there_is_no_change(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.plan("kubernetes.suspend_job", **IMPORT)
    await taken_up(shop.cluster, job(suspend=True))
    assert (await shop.plan("kubernetes.suspend_job", **IMPORT)).reason == "Job shop/import is suspended already"
    await shop.cluster.apply(cron_job())
    assert (await shop.plan("kubernetes.resume_cronjob", **NIGHTLY)).reason == "CronJob shop/nightly is not suspended"


async def test_a_job_that_waits_for_its_pods_is_not_settled(shop: Shop) -> None:
    made = job()
    made["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "fast"}
    await taken_up(shop.cluster, made | {"spec": {**made["spec"], "suspend": True}})
    plan = await shop.plan("kubernetes.resume_job", **IMPORT)
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).reason == "Job shop/import runs, with 1 pods"


async def test_what_else_may_set_it_is_said(shop: Shop) -> None:
    made = job()
    made["metadata"] |= {"labels": {"kueue.x-k8s.io/queue-name": "night", "argocd.argoproj.io/instance": "imports"}}
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": "u-1", "controller": True}
    await shop.cluster.apply(cron_job())
    owner["uid"] = (shop.cluster.read("batch/v1", "CronJob", "nightly", "shop") or {})["metadata"]["uid"]
    made["metadata"]["ownerReferences"] = [owner]
    await taken_up(shop.cluster, made)
    notes = " ".join((await shop.plan("kubernetes.suspend_job", **IMPORT)).notes)
    for said in ("Kueue's queue night", "Argo CD application imports", "CronJob nightly goes on making Jobs"):
        assert said in notes


async def test_a_suspended_cronjob_leaves_its_jobs_alone_and_says_what_resuming_starts(shop: Shop) -> None:
    cron = await shop.cluster.apply(cron_job(startingDeadlineSeconds=300))
    running = job()
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": cron["metadata"]["uid"]}
    running["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    await taken_up(shop.cluster, running)
    await until(
        lambda: bool((shop.cluster.read("batch/v1", "CronJob", "nightly", "shop") or {})["status"].get("active"))
    )
    plan = await shop.plan("kubernetes.suspend_cronjob", **NIGHTLY)
    assert plan.notes == (
        "Jobs of it that have not ended go on: 1",
        "its runs at '0 3 * * *' are left out until it is resumed",
    )
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"
    assert (await shop.read("kubernetes.get_cronjob", **NIGHTLY))["suspended"] is True
    back = await shop.taken_back(plan)
    assert any("unless it is more than 300 seconds late, starts at once" in note for note in back.notes)


async def test_what_is_resumed_by_somebody_else_is_broken(shop: Shop) -> None:
    await shop.cluster.apply(cron_job())
    plan = await shop.plan("kubernetes.suspend_cronjob", **NIGHTLY)
    await shop.apply(plan)
    await shop.cluster.apply(cron_job(suspend=False))
    assert (await shop.confirmed(plan)).state == "broken"
    undo = await shop.taken_back(plan)
    assert undo.kind == "nothing"
