"""What the reads tell about Jobs and CronJobs: how far they are, why they failed, and how their pods ended."""

from typing import Any

import pytest
from manifests import cron_job, job
from shop import Shop, until

from halon.contracts.base import parse_duration
from halon.errors import NotFound

IMPORT = {"namespace": "shop", "name": "import"}


def condition(shop: Shop, kind: str) -> bool:
    there = shop.cluster.read("batch/v1", "Job", "import", "shop") or {}
    found: list[Any] = there.get("status", {}).get("conditions", [])
    return any(one["type"] == kind and one["status"] == "True" for one in found)


def made_by(cron: Any, name: str, **status: Any) -> Any:
    """A Job as the CronJob's controller makes it."""
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": cron["metadata"]["uid"]}
    made = job("import:1.0", suspend=True)
    made["metadata"] |= {"name": name, "ownerReferences": [{**owner, "controller": True}]}
    return made | ({"status": status} if status else {})


def ended(kind: str, reason: str) -> Any:
    stamp = "2026-01-02T03:04:05Z"
    return [{"type": kind, "status": "True", "reason": reason, "message": "", "lastTransitionTime": stamp}]


async def test_a_job_that_failed_tells_why_and_how_its_pods_ended(shop: Shop) -> None:
    await shop.cluster.apply(job("import:1.0-crash", backoffLimit=1, activeDeadlineSeconds=600))
    await until(lambda: condition(shop, "Failed"))
    found = await shop.read("kubernetes.get_job", **IMPORT)
    assert (found["state"], found["reason"]) == ("failed", "BackoffLimitExceeded")
    assert (found["failed"], found["active"], found["backoff_limit"], found["deadline"]) == (2, 0, 1, "10m")
    assert {(one["reason"], one["exit_code"], one["container"]) for one in found["errors"]} == {("Error", 1, "import")}
    assert len({one["pod"] for one in found["errors"]}) == 2
    assert "Failed" in {one["type"] for one in found["conditions"]}
    assert (found["controller"], found["cronjob"], found["completions"]) == ("", "", 1)
    assert found["runs_for"] is not None
    key, _, uid = found["selector"].partition("=")
    assert (key, uid) == ("batch.kubernetes.io/controller-uid", found["uid"])


async def test_a_job_that_runs_is_done_or_is_suspended_is_told_apart(shop: Shop) -> None:
    await shop.cluster.apply(job("import:1.0", suspend=True, ttlSecondsAfterFinished=60))
    await until(lambda: condition(shop, "Suspended"))
    found = await shop.read("kubernetes.get_job", **IMPORT)
    assert (found["state"], found["suspended"], found["started_at"], found["runs_for"]) == (
        "suspended",
        True,
        None,
        None,
    )
    assert (found["active"], found["errors"], found["kept_for"], found["deadline"]) == (0, [], "1m", None)
    await shop.cluster.remove("batch/v1", "Job", "import", "shop")
    await shop.cluster.apply(job("import:1.0-done", parallelism=1))
    await until(lambda: condition(shop, "Complete"))
    found = await shop.read("kubernetes.get_job", **IMPORT)
    assert (found["state"], found["succeeded"], found["reason"]) == ("complete", 1, "CompletionsReached")


async def test_a_pod_that_cannot_start_is_an_error_and_one_that_starts_is_none(shop: Shop) -> None:
    await shop.cluster.apply(job("import:missing"))

    def waits() -> bool:
        return any(
            "waiting" in s["state"] for p in shop.pods("import") for s in p["status"].get("containerStatuses", [])
        )

    await until(waits)
    found = await shop.read("kubernetes.get_job", **IMPORT)
    (error,) = found["errors"]
    assert error["reason"] in {"ErrImagePull", "ImagePullBackOff"}
    assert (error["exit_code"], error["ended_at"], found["state"], found["active"]) == (None, None, "running", 1)


async def test_a_pod_that_no_node_takes_is_an_error_of_the_pod(shop: Shop) -> None:
    made = job()
    made["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "fast"}
    await shop.cluster.apply(made)
    await until(lambda: any(one["status"].get("conditions") for one in shop.pods("import")))
    (error,) = (await shop.read("kubernetes.get_job", **IMPORT))["errors"]
    assert (error["reason"], error["container"]) == ("Unschedulable", "")


async def test_a_job_that_is_gone_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound, match=r"jobs\.batch shop/gone"):
        await shop.read("kubernetes.get_job", namespace="shop", name="gone")


async def test_a_cronjob_tells_its_last_jobs_and_how_often_they_failed_in_a_row(shop: Shop) -> None:
    status = {"lastScheduleTime": "2026-01-02T03:00:00Z", "lastSuccessfulTime": "2026-01-01T03:00:10Z"}
    spec = {"timeZone": "Europe/Zurich", "concurrencyPolicy": "Forbid", "failedJobsHistoryLimit": 5}
    cron = await shop.cluster.apply(cron_job(suspend=True, **spec) | {"status": status})
    await shop.cluster.apply(made_by(cron, "nightly-1", conditions=ended("Complete", "CompletionsReached")))
    await shop.cluster.apply(made_by(cron, "nightly-2", conditions=ended("Failed", "DeadlineExceeded")))
    await shop.cluster.apply(made_by(cron, "nightly-3", conditions=ended("Failed", "BackoffLimitExceeded"), failed=7))
    await shop.cluster.apply(made_by(cron, "nightly-4"))
    await shop.cluster.apply(job(suspend=True))
    found = await shop.read("kubernetes.get_cronjob", namespace="shop", name="nightly")
    assert (found["schedule"], found["time_zone"], found["concurrency"]) == ("0 3 * * *", "Europe/Zurich", "Forbid")
    assert (found["suspended"], found["active"], found["failures"]) == (True, 1, 2)
    assert {one["name"] for one in found["jobs"]} == {f"nightly-{number}" for number in (1, 2, 3, 4)}
    third = next(one for one in found["jobs"] if one["name"] == "nightly-3")
    assert (third["state"], third["reason"], third["failed"]) == ("failed", "BackoffLimitExceeded", 7)
    assert parse_duration(found["since_successful"]) > parse_duration(found["since_scheduled"])
    assert (await shop.read("kubernetes.get_job", namespace="shop", name="nightly-4"))["cronjob"] == "nightly"


async def test_a_cronjob_that_never_ran_says_so(shop: Shop) -> None:
    await shop.cluster.apply(cron_job(suspend=True))
    found = await shop.read("kubernetes.get_cronjob", namespace="shop", name="nightly")
    assert (found["suspended"], found["jobs"], found["failures"], found["active"]) == (True, [], 0, 0)
    assert (found["last_scheduled_at"], found["since_scheduled"], found["since_successful"]) == (None, None, None)
