"""Jobs, autoscalers, quotas and volume claims in the demonstration cluster: defaults, refusals, and what moves."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from demo_cluster import JSON_PATCH, PATHS, Api, Json

from halon.demo.cluster import DemoCluster
from halon.demo.cluster.schedules import schedule

JOBS = "/apis/batch/v1/namespaces/shop/jobs"
CRON_JOBS = "/apis/batch/v1/namespaces/shop/cronjobs"
IMPORT = f"{JOBS}/import"
CLAIMS = "/api/v1/namespaces/shop/persistentvolumeclaims"
QUOTAS = "/api/v1/namespaces/shop/resourcequotas"
SCALERS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
CART_SETS = "/apis/apps/v1/namespaces/shop/replicasets"


def job(image: str = "import:1", *, restart: str | None = "Never", **spec: Any) -> Json:
    pod: Json = {"containers": [{"name": "main", "image": image}], "terminationGracePeriodSeconds": 0}
    pod |= {"restartPolicy": restart} if restart else {}
    return {"metadata": {"name": "import"}, "spec": {"template": {"spec": pod}, **spec}}


def claim(size: str, **spec: Any) -> Json:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return {"metadata": {"name": "data"}, "spec": {**wanted, **spec}}


async def create(api: Api, path: str, body: Json) -> Json:
    return (await api.http.post(path, json=body)).raise_for_status().json()


def causes(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422
    return [str(one["field"]) for one in answer.json()["details"]["causes"]]


def holds(job: Json, kind: str) -> bool:
    return any(one["type"] == kind and one["status"] == "True" for one in job["status"].get("conditions", []))


async def test_a_job_that_does_not_say_how_its_pods_restart_is_refused(api: Api) -> None:
    for restart in (None, "Always"):
        answer = await api.http.post(JOBS, json=job(restart=restart))
        assert causes(answer) == ["spec.template.spec.restartPolicy"]
        assert 'valid values: "OnFailure", "Never"' in answer.json()["message"]


async def test_a_job_counts_one_completion_unless_it_says_how_many_run_at_a_time(api: Api) -> None:
    one = await create(api, JOBS, job(suspend=True))
    assert (one["spec"]["completions"], one["spec"]["parallelism"]) == (1, 1)
    queue = job("work:done", parallelism=2)
    queue["metadata"]["name"] = "queue"
    made = await create(api, JOBS, queue)
    assert "completions" not in made["spec"]
    over = await api.until(f"{JOBS}/queue", lambda found: holds(found, "Complete"))
    assert over["status"]["succeeded"] == 2


async def test_a_suspended_job_loses_its_pods_and_its_start_and_gets_new_ones_when_it_is_resumed(api: Api) -> None:
    await create(api, JOBS, job(parallelism=2, completions=2))
    await api.until(IMPORT, lambda found: found["status"].get("ready") == 2)
    (await api.patch(IMPORT, {"spec": {"suspend": True}})).raise_for_status()
    stopped = await api.until(
        IMPORT, lambda found: holds(found, "Suspended") and not found["status"].get("terminating")
    )
    assert "startTime" not in stopped["status"]
    assert "active" not in stopped["status"]
    left = await api.get(PATHS["pods"], labelSelector="job-name=import")
    assert left["items"] == []
    (await api.patch(IMPORT, {"spec": {"suspend": False}})).raise_for_status()
    again = await api.until(IMPORT, lambda found: found["status"].get("ready") == 2)
    assert not holds(again, "Suspended")
    assert "startTime" in again["status"]


async def test_what_a_job_is_made_of_stays(api: Api) -> None:
    await create(api, JOBS, job())
    for field, value in (("completions", 3), ("completionMode", "Indexed"), ("selector", {"matchLabels": {"a": "b"}})):
        assert f"spec.{field}" in causes(await api.patch(IMPORT, {"spec": {field: value}}))
    assert (await api.patch(IMPORT, {"spec": {"parallelism": 3}})).status_code == 200


async def test_a_deletion_of_a_job_that_was_meant_for_another_one_is_a_conflict(api: Api) -> None:
    made = await create(api, JOBS, job(suspend=True))
    for expected in ({"uid": "other"}, {"uid": made["metadata"]["uid"], "resourceVersion": "1"}):
        answer = await api.http.request("DELETE", IMPORT, json={"preconditions": expected})
        assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")
    assert (await api.http.get(IMPORT)).status_code == 200


async def test_a_cronjob_that_makes_no_sense_is_refused(api: Api) -> None:
    template = {"spec": job(restart=None)["spec"]}
    spec = {"schedule": "* * *", "concurrencyPolicy": "Maybe", "jobTemplate": template}
    answer = await api.http.post(CRON_JOBS, json={"metadata": {"name": "nightly"}, "spec": spec})
    assert causes(answer) == [
        "spec.schedule",
        "spec.concurrencyPolicy",
        "spec.jobTemplate.spec.template.spec.restartPolicy",
    ]


async def test_an_autoscaler_goes_by_the_processor_unless_it_says_otherwise(api: Api) -> None:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}
    body = {"metadata": {"name": "cart"}, "spec": {"scaleTargetRef": reference, "maxReplicas": 3}}
    made = await create(api, SCALERS, body)
    assert made["spec"]["minReplicas"] == 1
    assert made["spec"]["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}


async def test_a_claim_gets_its_volume_and_grows_but_never_shrinks(api: Api) -> None:
    made = await create(api, CLAIMS, claim("2Gi"))
    assert (made["status"]["phase"], made["spec"]["storageClassName"]) == ("Pending", "standard")
    bound = await api.until(f"{CLAIMS}/data", lambda found: found["status"]["phase"] == "Bound")
    assert bound["status"]["capacity"] == {"storage": "2Gi"}
    smaller = await api.patch(f"{CLAIMS}/data", {"spec": {"resources": {"requests": {"storage": "1Gi"}}}})
    assert causes(smaller) == ["spec.resources.requests.storage"]
    assert causes(await api.patch(f"{CLAIMS}/data", {"spec": {"storageClassName": "fast"}})) == ["spec"]
    larger = await api.patch(f"{CLAIMS}/data", {"spec": {"resources": {"requests": {"storage": "3Gi"}}}})
    assert larger.status_code == 200


@pytest.mark.parametrize(("name", "reason"), [("missing", "ProvisioningFailed"), ("", "FailedBinding")])
async def test_a_claim_for_which_there_is_no_class_stays_pending_and_says_so_once(
    api: Api, name: str, reason: str
) -> None:
    await create(api, CLAIMS, claim("1Gi", storageClassName=name))
    about = {"fieldSelector": "involvedObject.kind=PersistentVolumeClaim"}
    said = await api.until(PATHS["events"], lambda found: bool(found["items"]), **about)
    assert [(one["reason"], one["count"]) for one in said["items"]] == [(reason, 1)]
    assert (await api.get(f"{CLAIMS}/data"))["status"] == {"phase": "Pending"}
    bare = await api.http.post(CLAIMS, json={"metadata": {"name": "bare"}, "spec": {}})
    assert causes(bare) == ["spec.accessModes", "spec.resources[storage]"]


async def test_what_a_quota_has_no_room_for_is_refused_to_clients_and_to_controllers(api: Api) -> None:
    hard = {"pods": "3", "requests.cpu": "1", "count/jobs.batch": "1"}
    await create(api, QUOTAS, {"metadata": {"name": "small"}, "spec": {"hard": hard}})
    counted = await api.until(f"{QUOTAS}/small", lambda found: "used" in found["status"])
    assert counted["status"]["used"] == {"pods": "2", "requests.cpu": "0", "count/jobs.batch": "0"}

    bare = {"metadata": {"name": "bare"}, "spec": {"containers": [{"name": "main", "image": "x:1"}]}}
    unsaid = await api.http.post(PATHS["pods"], json=bare)
    assert unsaid.status_code == 403
    assert "failed quota: small: must specify requests.cpu for: main" in unsaid.json()["message"]
    bare["spec"] = {"containers": [{"name": "main", "image": "x:1", "resources": {"requests": {"cpu": "1500m"}}}]}
    over = await api.http.post(PATHS["pods"], json=bare)
    said = "exceeded quota: small, requested: requests.cpu=1500m, used: requests.cpu=0, limited: requests.cpu=1"
    assert (over.status_code, said in over.json()["message"]) == (403, True)

    await create(api, JOBS, job(suspend=True))
    second = job(suspend=True)
    second["metadata"]["name"] = "second"
    assert (await api.http.post(JOBS, json=second)).status_code == 403

    (await api.patch(f"{PATHS['deployments']}/cart", {"spec": {"replicas": 3}})).raise_for_status()
    about = {"fieldSelector": "involvedObject.kind=ReplicaSet,reason=FailedCreate"}
    told = await api.until(PATHS["events"], lambda found: bool(found["items"]), **about)
    assert "is forbidden: failed quota: small" in told["items"][0]["message"]
    assert (await api.get(f"{PATHS['deployments']}/cart"))["status"]["replicas"] == 2


async def test_pods_that_a_quota_held_back_come_once_there_is_room(api: Api) -> None:
    await create(api, QUOTAS, {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "3"}}})
    await create(api, JOBS, job(parallelism=2, completions=2))
    held = await api.until(IMPORT, lambda found: found["status"].get("ready") == 1)
    assert held["status"]["active"] == 1
    more = [{"op": "replace", "path": "/spec/hard/pods", "value": "4"}]
    (await api.patch(f"{QUOTAS}/small", more, JSON_PATCH)).raise_for_status()
    await api.until(IMPORT, lambda found: found["status"].get("ready") == 2)
    full = await api.until(f"{QUOTAS}/small", lambda found: found["status"]["used"] == {"pods": "4"})
    assert full["status"]["hard"] == {"pods": "4"}


def cron_job(schedule: str = "0 3 * * *", **spec: Any) -> Json:
    template = {"spec": job("import:done")["spec"]}
    return {"metadata": {"name": "nightly"}, "spec": {"schedule": schedule, "jobTemplate": template, **spec}}


async def test_a_resumed_cronjob_makes_up_for_the_last_run_that_it_missed(api: Api, cluster: DemoCluster) -> None:
    await create(api, CRON_JOBS, cron_job(suspend=True))
    missed = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly", "namespace": "shop"}}
    await cluster.apply(missed | {"status": {"lastScheduleTime": "2026-01-02T03:00:00Z"}})
    assert (await api.get(JOBS))["items"] == []
    (await api.patch(f"{CRON_JOBS}/nightly", {"spec": {"suspend": False}})).raise_for_status()
    ran = await api.until(f"{CRON_JOBS}/nightly", lambda found: "lastSuccessfulTime" in found["status"])
    assert ran["status"]["lastScheduleTime"].endswith("T03:00:00Z")
    (made,) = (await api.get(JOBS))["items"]
    assert made["metadata"]["ownerReferences"][0]["name"] == "nightly"
    assert made["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"].endswith("T03:00:00Z")


async def test_a_run_that_is_too_late_or_may_not_run_beside_another_is_left_out(api: Api, cluster: DemoCluster) -> None:
    missed = {"apiVersion": "batch/v1", "kind": "CronJob", "status": {"lastScheduleTime": "2026-01-02T03:00:00Z"}}
    for name, spec in (("late", {"startingDeadlineSeconds": 1}), ("alone", {"concurrencyPolicy": "Forbid"})):
        made = cron_job("30 2 1 1 *", suspend=True, **spec)
        made["metadata"]["name"] = name
        made = await create(api, CRON_JOBS, made)
        owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": name, "uid": made["metadata"]["uid"]}
        runs = job(suspend=True)
        runs["metadata"] = {"name": f"{name}-runs", "ownerReferences": [{**owner, "controller": True}]}
        await create(api, JOBS, runs)
        meta = {"metadata": {"name": name, "namespace": "shop"}}
        missed["status"] = {"lastScheduleTime": "2020-01-01T02:30:00Z"}
        await cluster.apply({**missed, **meta, "spec": {"suspend": False}})
        await api.until(f"{CRON_JOBS}/{name}", lambda found: bool(found["status"].get("active")))
    assert {one["metadata"]["name"] for one in (await api.get(JOBS))["items"]} == {"late-runs", "alone-runs"}


AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
DUE = [
    ("*/15 * * * *", "2026-03-04T05:15", "2026-03-04T05:00"),
    ("0 3 * * *", "2026-03-05T03:00", "2026-03-04T03:00"),
    ("30 5 * * mon-fri", "2026-03-04T05:30", "2026-03-03T05:30"),
    ("0 0 13 * 5", "2026-03-06T00:00", "2026-02-27T00:00"),
    ("0 12 29 feb *", "2028-02-29T12:00", "2024-02-29T12:00"),
    ("5,6 4-5 * * 7", "2026-03-08T04:05", "2026-03-01T05:06"),
    ("@monthly", "2026-04-01T00:00", "2026-03-01T00:00"),
]


@pytest.mark.parametrize(("text", "following", "before"), DUE, ids=[one[0] for one in DUE])
def test_a_schedule_says_when_it_is_due_next_and_when_it_was_last(text: str, following: str, before: str) -> None:
    plan = schedule(text)
    assert plan.next(AT, UTC) == datetime.fromisoformat(f"{following}+00:00")
    assert plan.last(AT, UTC) == datetime.fromisoformat(f"{before}+00:00")


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "0 3 * * */0", "5-1 * * * *", "x * * * *", "@often"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"fields|within|literal"):
        schedule(text)


def test_the_thirtieth_of_february_never_comes() -> None:
    assert schedule("0 0 30 2 *").next(AT, UTC) is None
