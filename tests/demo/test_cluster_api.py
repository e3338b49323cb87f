"""The demonstration cluster's API: conflicts, dry runs, permissions, watches, bad input, and faults on request."""

import asyncio
import json

import httpx
import pytest
from demo_cluster import CART, JSON_PATCH, PATHS, Api, Json, client_of

from halon.demo.cluster import DemoCluster, Fault, FaultKind, Rule


def refusal(response: httpx.Response) -> tuple[int, str]:
    body = response.json()
    assert (body["kind"], body["status"], body["code"]) == ("Status", "Failure", response.status_code)
    return response.status_code, body["reason"]


async def test_only_the_clusters_own_authority_makes_it_trusted(cluster: DemoCluster) -> None:
    async with httpx.AsyncClient(base_url=cluster.url) as stranger:
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await stranger.get("/version")


async def test_a_replacement_of_what_has_changed_since_is_a_conflict(api: Api) -> None:
    stale = await api.get(CART)
    (await api.patch(CART, {"metadata": {"labels": {"touched": "yes"}}})).raise_for_status()

    stale["spec"]["replicas"] = 5
    assert refusal(await api.http.put(CART, json=stale)) == (409, "Conflict")
    mine = {"metadata": {"resourceVersion": stale["metadata"]["resourceVersion"]}, "spec": {"replicas": 5}}
    assert refusal(await api.patch(CART, mine)) == (409, "Conflict")
    assert (await api.get(CART))["spec"]["replicas"] == 2


async def test_a_json_patch_whose_test_fails_changes_nothing(api: Api) -> None:
    guarded = [
        {"op": "replace", "path": "/spec/replicas", "value": 5},
        {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
    ]
    assert refusal(await api.patch(CART, guarded, JSON_PATCH)) == (422, "Invalid")
    assert (await api.get(CART))["spec"]["replicas"] == 2


async def test_a_dry_run_answers_as_if_and_changes_nothing(api: Api, cluster: DemoCluster) -> None:
    before = await api.get(CART)

    answer = await api.patch(CART, {"spec": {"replicas": 5}}, dryRun="All")
    assert (answer.status_code, answer.json()["spec"]["replicas"]) == (200, 5)
    wrong = await api.patch(CART, {"spec": {"replicas": -1}}, dryRun="All")
    assert refusal(wrong) == (422, "Invalid")

    assert await api.get(CART) == before
    assert [entry.dry_run for entry in cluster.journal] == [True]
    assert cluster.journal.changes() == []


async def test_a_write_that_changes_nothing_leaves_version_and_generation_alone(api: Api, cluster: DemoCluster) -> None:
    before = (await api.get(CART))["metadata"]
    after = (await api.patch(CART, {"spec": {"replicas": 2}})).json()["metadata"]

    assert (after["resourceVersion"], after["generation"]) == (before["resourceVersion"], before["generation"])
    assert cluster.journal.changes() == []


async def test_who_may_not_is_told_what_by_name_and_nothing_happens(api: Api, cluster: DemoCluster) -> None:
    async with client_of(cluster, cluster.read_only_token) as http:
        reader = Api(http)
        assert (await reader.get(CART))["spec"]["replicas"] == 2
        refused = await reader.patch(CART, {"spec": {"replicas": 5}})
    assert refusal(refused) == (403, "Forbidden")
    assert 'User "read-only" cannot patch resource "deployments" in API group "apps"' in refused.json()["message"]
    assert (await api.get(CART))["spec"]["replicas"] == 2


async def test_the_scale_subresource_needs_a_permission_of_its_own(cluster: DemoCluster) -> None:
    rule = Rule(frozenset({"get", "patch"}), frozenset({"apps"}), frozenset({"deployments"}), frozenset({"shop"}))
    async with client_of(cluster, cluster.add_token(user="narrow", allow=[rule])) as http:
        narrow = Api(http)
        assert refusal(await narrow.patch(f"{CART}/scale", {"spec": {"replicas": 5}})) == (403, "Forbidden")
        assert (await narrow.patch(CART, {"spec": {"replicas": 5}})).status_code == 200
        elsewhere = await http.get("/apis/apps/v1/namespaces/default/deployments/cart")
        assert refusal(elsewhere) == (403, "Forbidden")


async def test_without_a_known_token_there_is_no_answer(cluster: DemoCluster) -> None:
    async with client_of(cluster, "nobody") as http:
        assert refusal(await http.get(CART)) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("method", "path", "content", "expected"),
    [
        ("GET", f"{PATHS['deployments']}/nothing", "", (404, "NotFound")),
        ("POST", PATHS["deployments"], "{", (400, "BadRequest")),
        ("POST", PATHS["deployments"], '{"metadata": {"name": "Not A Name"}}', (422, "Invalid")),
        ("PATCH", CART, "{}", (415, "UnsupportedMediaType")),
    ],
)
async def test_what_makes_no_sense_is_refused_in_kubernetes_own_words(
    api: Api, method: str, path: str, content: str, expected: tuple[int, str]
) -> None:
    headers = {"Content-Type": "application/json"}
    assert refusal(await api.http.request(method, path, content=content, headers=headers)) == expected


async def test_a_watch_tells_every_change_after_the_version_that_it_begins_at(api: Api) -> None:
    listed = await api.get(PATHS["deployments"])
    query = {"watch": "true", "resourceVersion": listed["metadata"]["resourceVersion"], "timeoutSeconds": "5"}
    seen: list[tuple[str, int]] = []
    async with asyncio.timeout(5), api.http.stream("GET", PATHS["deployments"], params=query) as stream:
        await api.patch(CART, {"spec": {"replicas": 3}})
        await api.http.delete(CART)
        async for line in stream.aiter_lines():
            event: Json = json.loads(line)
            seen.append((event["type"], event["object"]["spec"]["replicas"]))
            if event["type"] == "DELETED":
                break
    assert seen[0] == ("MODIFIED", 3)
    assert seen[-1] == ("DELETED", 3)


async def test_deleting_a_deployment_takes_what_it_owns_along(api: Api) -> None:
    (await api.http.delete(CART)).raise_for_status()
    await api.until(PATHS["replicasets"], lambda found: not found["items"])
    await api.until(PATHS["pods"], lambda found: not found["items"])


async def test_a_lost_reply_has_its_effect_and_a_lost_request_has_none(api: Api, cluster: DemoCluster) -> None:
    for kind, replicas in ((FaultKind.LOSE_REQUEST, 2), (FaultKind.LOSE_REPLY, 5)):
        cluster.faults.inject(Fault(kind=kind, method="PATCH"))
        with pytest.raises(httpx.TransportError):
            await api.patch(CART, {"spec": {"replicas": 5}})
        assert (await api.get(CART))["spec"]["replicas"] == replicas
    assert cluster.faults.hits == 2


async def test_a_late_request_has_its_effect_when_its_sender_is_gone(api: Api, cluster: DemoCluster) -> None:
    cluster.faults.inject(Fault(kind=FaultKind.LATE, method="PATCH", seconds=0.05))
    with pytest.raises(httpx.TransportError):
        await api.patch(CART, {"spec": {"replicas": 5}})
    assert (await api.get(CART))["spec"]["replicas"] == 2
    await api.until(CART, lambda found: found["spec"]["replicas"] == 5)


async def test_a_fault_lets_as_many_requests_pass_as_it_says(api: Api, cluster: DemoCluster) -> None:
    cluster.faults.inject(Fault(kind=FaultKind.STATUS, path="/deployments/cart$", skip=2))
    assert [(await api.http.get(CART)).status_code for _ in range(4)] == [200, 200, 503, 200]


async def test_the_journal_tells_what_was_before_a_write_and_what_after(api: Api, cluster: DemoCluster) -> None:
    await api.patch(CART, {"spec": {"replicas": 5}})
    (entry,) = cluster.journal.changes()
    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["spec"]["replicas"], entry.after["spec"]["replicas"]) == (2, 5)
    await api.http.delete(CART)
    gone = cluster.journal[1]
    assert (gone.before or {})["spec"]["replicas"] == 5
    assert gone.after is None


async def test_a_refusal_on_request_comes_as_often_as_asked_and_says_when_to_come_back(
    api: Api, cluster: DemoCluster
) -> None:
    cluster.faults.inject(Fault(kind=FaultKind.STATUS, path="/deployments/cart$", count=2, status=429, retry_after=7))
    answers = [await api.http.get(CART) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"


async def test_when_it_ends_its_port_and_its_secrets_are_gone() -> None:
    async with DemoCluster() as cluster:
        secrets = cluster.kubeconfig
        assert secrets.stat().st_mode & 0o077 == 0
        context = client_of(cluster)
    assert not secrets.parent.exists()
    async with context as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("/version")
