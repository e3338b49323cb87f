"""The demonstration cluster's controllers: revisions, crash loops, scaling, disruption budgets."""

from demo_cluster import CART, JSON_PATCH, PATHS, REVISION, Api, Json, conditions


async def revisions(api: Api) -> dict[int, Json]:
    found = await api.get(PATHS["replicasets"], labelSelector="app=cart")
    return {int(one["metadata"]["annotations"][REVISION]): one for one in found["items"]}


def image(owner: Json) -> str:
    return owner["spec"]["template"]["spec"]["containers"][0]["image"]


async def test_a_rollout_makes_a_new_revision_and_keeps_the_old_one_at_zero(api: Api) -> None:
    await api.roll_out("cart:2")
    deployment = await api.rolled_out()

    kept = await revisions(api)
    assert {number: (image(one), one["spec"]["replicas"]) for number, one in kept.items()} == {
        1: ("cart:1", 0),
        2: ("cart:2", 2),
    }
    assert deployment["metadata"]["annotations"][REVISION] == "2"
    assert {one["metadata"]["ownerReferences"][0]["uid"] for one in kept.values()} == {deployment["metadata"]["uid"]}


async def test_going_back_renumbers_the_revision_instead_of_making_a_third(api: Api) -> None:
    await api.roll_out("cart:2")
    await api.rolled_out()
    template = (await revisions(api))[1]["spec"]["template"]
    del template["metadata"]["labels"]["pod-template-hash"]

    back = [{"op": "replace", "path": "/spec/template", "value": template}]
    assert (await api.patch(CART, back, JSON_PATCH)).status_code == 200
    await api.rolled_out()

    assert {number: image(one) for number, one in (await revisions(api)).items()} == {2: "cart:2", 3: "cart:1"}


async def test_a_crash_loop_shows_in_pods_logs_events_and_conditions_and_the_old_pods_go_on_serving(api: Api) -> None:
    await api.roll_out("cart-crash:2")

    stuck = await api.until(CART, lambda one: conditions(one).get("Progressing") == "ProgressDeadlineExceeded")
    assert stuck["status"]["availableReplicas"] >= 1

    def looping(pods: Json) -> list[Json]:
        states = [(pod, pod["status"].get("containerStatuses", [{}])[0]) for pod in pods["items"]]
        return [
            pod
            for pod, state in states
            if state.get("restartCount", 0) >= 2
            and state["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"
        ]

    pod = looping(await api.until(PATHS["pods"], lambda pods: bool(looping(pods))))[0]
    assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1
    name = pod["metadata"]["name"]
    log = await api.http.get(f"{PATHS['pods']}/{name}/log", params={"previous": "true"})
    assert "fatal" in log.text
    events = await api.get(PATHS["events"], fieldSelector=f"involvedObject.name={name}")
    assert "BackOff" in {event["reason"] for event in events["items"]}


async def test_a_paused_deployment_takes_a_new_template_only_once_it_is_resumed(api: Api) -> None:
    await api.patch(CART, {"spec": {"paused": True}})
    await api.roll_out("cart:2")
    seen = await api.until(CART, lambda one: one["status"]["observedGeneration"] == one["metadata"]["generation"])
    assert seen["status"].get("updatedReplicas", 0) == 0
    assert list(await revisions(api)) == [1]

    await api.patch(CART, {"spec": {"paused": None}})
    await api.rolled_out()
    assert sorted(await revisions(api)) == [1, 2]


async def test_the_scale_subresource_changes_the_count_and_no_revision(api: Api) -> None:
    scaled = await api.patch(f"{CART}/scale", {"spec": {"replicas": 4}})
    assert (scaled.json()["kind"], scaled.json()["spec"]["replicas"]) == ("Scale", 4)

    deployment = await api.rolled_out()
    assert (deployment["spec"]["replicas"], deployment["metadata"]["annotations"][REVISION]) == (4, "1")
    assert len((await api.get(PATHS["pods"]))["items"]) == 4


async def test_a_deleted_pod_is_replaced(api: Api) -> None:
    before = {pod["metadata"]["name"] for pod in (await api.get(PATHS["pods"]))["items"]}
    gone = min(before)
    (await api.http.delete(f"{PATHS['pods']}/{gone}")).raise_for_status()

    def replaced(pods: Json) -> bool:
        names = {pod["metadata"]["name"] for pod in pods["items"]}
        return gone not in names and len(names) == 2

    await api.until(PATHS["pods"], replaced)
    await api.rolled_out()


async def test_an_eviction_that_a_disruption_budget_forbids_is_told_to_come_back(api: Api) -> None:
    budget = {
        "metadata": {"name": "cart"},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "cart"}}},
    }
    (await api.http.post(PATHS["budgets"], json=budget)).raise_for_status()
    await api.until(f"{PATHS['budgets']}/cart", lambda one: one.get("status", {}).get("currentHealthy") == 2)
    pod = (await api.get(PATHS["pods"]))["items"][0]["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "shop"}}

    refused = await api.http.post(f"{PATHS['pods']}/{pod}/eviction", json=eviction)
    assert (refused.status_code, refused.json()["reason"]) == (429, "TooManyRequests")
    assert refused.json()["details"]["causes"][0]["reason"] == "DisruptionBudget"

    await api.patch(f"{PATHS['budgets']}/cart", {"spec": {"minAvailable": 1}})
    await api.until(f"{PATHS['budgets']}/cart", lambda one: one["status"]["disruptionsAllowed"] == 1)
    assert (await api.http.post(f"{PATHS['pods']}/{pod}/eviction", json=eviction)).status_code == 201
    await api.until(PATHS["pods"], lambda pods: pod not in {one["metadata"]["name"] for one in pods["items"]})
