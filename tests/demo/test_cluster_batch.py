"""Jobs, autoscalers, quotas and volume claims in the demonstration cluster: defaults, refusals, and what moves."""

from typing import Any

import httpx
import pytest
from demo_cluster import JSON_PATCH, PATHS, Api, Json

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
