"""Deleting a Job: only the one that was seen, with its pods, and not while it runs unless that is wanted."""

from typing import Any

import pytest
from batch_worlds import another_one, taken_up
from manifests import cron_job, job
from shop import Shop, until

from halon.errors import NotFound

DELETE = "kubernetes.delete_job"
IMPORT = {"namespace": "shop", "name": "import"}
ANYHOW = {**IMPORT, "if_unfinished": "delete"}


def there(shop: Shop) -> Any:
    return shop.cluster.read("batch/v1", "Job", "import", "shop")


async def finished(shop: Shop) -> None:
    await shop.cluster.apply(job("import:1.0-done"))
    await until(lambda: "completionTime" in there(shop).get("status", {}))


async def test_a_job_that_has_ended_goes_with_its_pods(shop: Shop) -> None:
    await finished(shop)
    assert len(shop.pods("import")) == 1
    plan = await shop.plan(DELETE, **IMPORT)
    assert plan.params["uid"] == there(shop)["metadata"]["uid"]
    assert plan.undo.call is None
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).reason == "Job shop/import is gone"
    await until(lambda: not shop.pods("import"))


async def test_one_that_runs_is_refused_unless_it_is_wanted(shop: Shop) -> None:
    await taken_up(shop.cluster, job())
    refused = await shop.plan(DELETE, **IMPORT)
    assert (refused.kind, "it runs, with 1 pods" in refused.reason) == ("refused", True)
    plan = await shop.plan(DELETE, **ANYHOW, propagation="Foreground")
    assert "pods of it that run are stopped: 1" in plan.notes
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"
    assert (there(shop), shop.pods("import")) == (None, [])


async def test_a_later_job_of_the_same_name_is_not_touched(shop: Shop) -> None:
    await taken_up(shop.cluster, job())
    plan = await shop.plan(DELETE, **ANYHOW)
    await another_one(shop.cluster, job())()
    assert (await shop.apply(plan)).status == "already"
    assert there(shop) is not None
    seen = await shop.plan(DELETE, **ANYHOW, uid=str(plan.params["uid"]))
    assert (seen.kind, "is gone" in seen.reason) == ("nothing", True)


async def test_a_job_that_nobody_has_ever_seen_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.plan(DELETE, **IMPORT)
    assert (await shop.plan(DELETE, **IMPORT, uid="u-1")).kind == "nothing"


async def test_one_that_is_kept_by_a_finalizer_is_waited_for(shop: Shop) -> None:
    await finished(shop)
    made = job("import:1.0-done")
    made["metadata"]["finalizers"] = ["example.com/keep"]
    await shop.cluster.apply(made)
    plan = await shop.plan(DELETE, **IMPORT)
    await shop.apply(plan)
    assert (await shop.apply(plan)).status == "already"
    assert (await shop.plan(DELETE, **IMPORT)).reason == "Job shop/import is being deleted already"
    waits = await shop.settlement(plan)
    assert (waits.state, "kept for example.com/keep" in waits.reason) == ("waiting", True)


async def test_what_may_make_it_anew_is_said(shop: Shop) -> None:
    cron = await shop.cluster.apply(cron_job())
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": cron["metadata"]["uid"]}
    made = job(suspend=True)
    made["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    await taken_up(shop.cluster, made)
    plan = await shop.plan(DELETE, **ANYHOW)
    assert any("its CronJob nightly does not make this one again" in note for note in plan.notes)
