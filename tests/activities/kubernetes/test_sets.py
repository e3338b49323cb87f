"""StatefulSets and DaemonSets: rolled back, restarted and scaled as they allow it, refused where nothing would move."""

from typing import Any

import pytest
from manifests import autoscaler, daemon_set, stateful_set
from shop import Shop, until
from workload_worlds import complete

from halon.demo.cluster import Fault, FaultKind
from halon.errors import TransientError

DB: dict[str, Any] = {"namespace": "shop", "name": "db"}
AGENT: dict[str, Any] = {"namespace": "shop", "name": "agent"}


def pods(shop: Shop, app: str) -> dict[str, str]:
    """Image by pod."""
    found = [one for one in shop.cluster.list("v1", "Pod", "shop") if one["metadata"]["labels"].get("app") == app]
    return {one["metadata"]["name"]: one["spec"]["containers"][0]["image"] for one in found}


def there(shop: Shop, kind: str, name: str) -> Any:
    return shop.cluster.read("apps/v1", kind, name, "shop")


async def stuck(shop: Shop, image: str) -> None:
    """Roll out what never gets ready, and wait until the last pod shows it."""
    await shop.cluster.apply(stateful_set(image))

    def waits() -> bool:
        pod = shop.cluster.read("v1", "Pod", "db-1", "shop") or {}
        states = [one["state"].get("waiting", {}) for one in pod.get("status", {}).get("containerStatuses", [])]
        return any(one.get("reason") in {"CrashLoopBackOff", "ImagePullBackOff"} for one in states)

    await until(waits)


@pytest.mark.parametrize("image", ["db:2.0-missing", "db:2.0-crash"])
async def test_a_rollback_gets_past_the_pod_that_holds_everything_up(shop: Shop, image: str) -> None:
    await complete(shop.cluster, stateful_set())
    await stuck(shop, image)
    plan = await shop.plan("kubernetes.rollback_statefulset", **DB)
    assert "db-1 never got ready and would hold up the update, so it is deleted" in plan.notes
    await shop.applied(plan)
    assert (await shop.confirmed(plan)).state == "settled"
    assert pods(shop, "db") == {"db-0": "db:1.0", "db-1": "db:1.0"}


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("kind", [FaultKind.LOSE_REQUEST, FaultKind.LOSE_REPLY], ids=lambda kind: kind.name)
@pytest.mark.parametrize("action", ["rollback_statefulset", "restart_statefulset"])
async def test_a_worker_that_dies_between_the_template_and_the_pods_does_the_rest(
    shop: Shop, method: str, kind: FaultKind, action: str
) -> None:
    await complete(shop.cluster, stateful_set())
    await stuck(shop, "db:2.0-missing")
    plan = await shop.plan(f"kubernetes.{action}", **DB)
    # aiohttp repeats a deletion by itself when a kept connection breaks.
    shop.cluster.faults.inject(Fault(kind=kind, method=method, count=1 if method == "PATCH" else 2))
    with pytest.raises(TransientError):
        await shop.apply(plan)
    assert (await shop.applied(plan)).status == "applied"
    again = await shop.apply(plan)
    assert (again.status, again.ours) == ("already", True)
    meta, template = there(shop, "StatefulSet", "db")["metadata"], there(shop, "StatefulSet", "db")["spec"]["template"]
    assert "halon.dev/unfinished-change" not in meta["annotations"]
    if action == "restart_statefulset":
        assert template["metadata"]["annotations"]["halon.dev/restart"] == "1"
    else:
        assert (await shop.confirmed(plan)).state == "settled"


async def test_without_that_the_controller_would_wait_for_ever_and_it_is_told(shop: Shop) -> None:
    await complete(shop.cluster, stateful_set())
    await stuck(shop, "db:2.0-crash")
    await shop.in_trouble("db")
    await shop.cluster.apply(stateful_set())
    meta = there(shop, "StatefulSet", "db")["metadata"]
    await until(lambda: there(shop, "StatefulSet", "db")["status"]["observedGeneration"] == meta["generation"])
    found = await shop.broken("StatefulSet", **DB)
    assert (found["complete"], found["stuck"]) == (False, ["db-1"])
    assert "db-1 never got ready, and holds up the update until it is deleted" in found["reason"]


async def test_a_crash_loop_is_found_broken_and_no_success(shop: Shop) -> None:
    await complete(shop.cluster, stateful_set())
    plan = await shop.plan("kubernetes.set_image", kind="StatefulSet", **DB, images={"db": "db:2.0-crash"})
    await shop.apply(plan)
    found = await shop.confirmed(plan)
    assert (found.state, "db-1/db is in CrashLoopBackOff" in found.reason) == ("broken", True)


async def test_a_rolled_back_set_is_not_rolled_back_again_to_what_was_bad(shop: Shop) -> None:
    await complete(shop.cluster, stateful_set())
    await complete(shop.cluster, stateful_set("db:2.0"))
    plan = await shop.plan("kubernetes.rollback_statefulset", **DB)
    await shop.apply(plan)
    await shop.confirmed(plan)
    assert (await shop.apply(plan)).status == "already"
    assert pods(shop, "db") == {"db-0": "db:1.0", "db-1": "db:1.0"}


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        ({"type": "OnDelete", "rollingUpdate": None}, "StatefulSet shop/db has the update strategy OnDelete"),
        ({"rollingUpdate": {"partition": 2}}, "updates of StatefulSet shop/db begin at pod 2, and it has 2"),
    ],
    ids=["on delete", "partition"],
)
async def test_where_a_template_reaches_no_pod_it_is_refused(shop: Shop, strategy: dict[str, Any], reason: str) -> None:
    await complete(shop.cluster, stateful_set())
    await complete(shop.cluster, stateful_set("db:2.0"))
    await shop.cluster.apply(stateful_set("db:2.0", updateStrategy=strategy))
    to_set = {"kind": "StatefulSet", "images": {"db": "db:3"}}
    calls = {
        "kubernetes.restart_statefulset": {},
        "kubernetes.set_image": to_set,
        "kubernetes.rollback_statefulset": {},
    }
    for action, more in calls.items():
        plan = await shop.plan(action, **DB, **more)
        assert (plan.kind, reason in plan.reason) == ("refused", True)


async def test_a_partition_that_leaves_pods_out_is_told_and_the_others_are_waited_for(shop: Shop) -> None:
    await complete(shop.cluster, stateful_set(updateStrategy={"rollingUpdate": {"partition": 1}}))
    plan = await shop.plan("kubernetes.set_image", kind="StatefulSet", **DB, images={"db": "db:2.0"})
    assert any("pods 1 to 1 get the template" in note for note in plan.notes)
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"
    assert pods(shop, "db") == {"db-0": "db:1.0", "db-1": "db:2.0"}


async def test_scaling_down_takes_the_last_away_and_back_up_brings_it_back(shop: Shop) -> None:
    await complete(shop.cluster, stateful_set())
    plan = await shop.plan("kubernetes.scale_statefulset", **DB, replicas=1)
    assert "the volume claims of the replicas that go stay" in plan.notes
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"
    assert list(pods(shop, "db")) == ["db-0"]
    back = await shop.taken_back(plan)
    await shop.apply(back, key="k-undo")
    assert (await shop.confirmed(back)).state == "settled"
    assert list(pods(shop, "db")) == ["db-0", "db-1"]


async def test_scaling_down_that_would_delete_data_is_refused_and_up_is_not(shop: Shop) -> None:
    policy = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}
    await complete(shop.cluster, stateful_set(**policy))
    plan = await shop.plan("kubernetes.scale_statefulset", **DB, replicas=1)
    assert (plan.kind, "with them their data" in plan.reason) == ("refused", True)
    assert (await shop.plan("kubernetes.scale_statefulset", **DB, replicas=3)).kind == "change"


async def test_an_autoscaler_of_the_set_is_not_fought_and_one_of_its_namesake_does_not_count(shop: Shop) -> None:
    await complete(shop.cluster, stateful_set())
    await shop.cluster.apply(autoscaler("Deployment", "db", 2, 6))
    assert (await shop.plan("kubernetes.scale_statefulset", **DB, replicas=3)).kind == "change"
    await shop.cluster.apply(autoscaler("StatefulSet", "db", 2, 6))
    plan = await shop.plan("kubernetes.scale_statefulset", **DB, replicas=3)
    assert (plan.kind, "autoscaler db sets the replicas (2 to 6)" in plan.reason) == ("refused", True)


async def test_a_restart_of_a_daemon_set_replaces_the_pod_of_every_node(shop: Shop) -> None:
    await complete(shop.cluster, daemon_set())
    before = pods(shop, "agent")
    plan = await shop.plan("kubernetes.restart_daemonset", **AGENT)
    assert plan.summary == "Restart DaemonSet shop/agent (2 nodes)"
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"
    assert not {*before} & {*pods(shop, "agent")}


async def test_a_daemon_set_is_taken_back_and_its_crash_loop_is_found(shop: Shop) -> None:
    await complete(shop.cluster, daemon_set())
    bad = await shop.plan("kubernetes.set_image", kind="DaemonSet", **AGENT, images={"agent": "agent:2.0-crash"})
    await shop.apply(bad)
    assert (await shop.confirmed(bad)).state == "broken"
    plan = await shop.plan("kubernetes.rollback_daemonset", **AGENT)
    assert [(row.field, row.before, row.after) for row in plan.rows][1:] == [
        ("image of agent", "agent:2.0-crash", "agent:1.0")
    ]
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"
    assert set(pods(shop, "agent").values()) == {"agent:1.0"}


async def test_a_daemon_set_that_is_updated_on_delete_is_refused(shop: Shop) -> None:
    await shop.cluster.apply(daemon_set(updateStrategy={"type": "OnDelete"}))
    await until(lambda: len(shop.cluster.list("apps/v1", "ControllerRevision", "shop")) == 1)
    plan = await shop.plan("kubernetes.restart_daemonset", **AGENT)
    assert (plan.kind, "update strategy OnDelete" in plan.reason) == ("refused", True)
