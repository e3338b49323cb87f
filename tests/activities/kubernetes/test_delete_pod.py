"""Deleting a pod: only the one that was seen, only what is made again, and done once the new one serves."""

from datetime import timedelta
from typing import Any

import pytest
from cluster_world import patched
from manifests import job, stateful_set
from shop import Shop, opened_as, until
from workload_worlds import complete

from halon.clients.kubernetes.api import PODS, KubernetesApi
from halon.clients.kubernetes.pods import QUARANTINE
from halon.contracts.activity import ConfirmRequest
from halon.demo.cluster import Rule
from halon.errors import PermissionDenied

DELETE = "kubernetes.delete_pod"


def bare(**meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "loose", "namespace": "shop", **meta},
        "spec": {"containers": [{"name": "main", "image": "loose:1"}]},
    }


def name(shop: Shop) -> str:
    return str(shop.pods()[0]["metadata"]["name"])


def uid(shop: Shop, pod: str) -> str:
    return str((shop.cluster.read("v1", "Pod", pod, "shop") or {})["metadata"]["uid"])


async def test_it_is_done_when_the_new_pod_is_ready_and_nothing_takes_it_back(shop: Shop) -> None:
    pod = name(shop)
    plan = await shop.plan(DELETE, namespace="shop", name=pod)
    assert plan.effect == "destroy"
    assert plan.params["uid"] == uid(shop, pod)
    assert str(plan.params["controller"]).startswith("ReplicaSet/cart-")
    assert plan.undo.call is None
    assert "does not come back" in plan.undo.reason
    assert (await shop.apply(plan)).status == "applied"
    settled = await shop.confirmed(plan)
    assert settled.state == "settled"
    assert "is gone; all 2 pods of ReplicaSet/cart-" in settled.reason
    assert shop.cluster.read("v1", "Pod", pod, "shop") is None
    assert len(shop.pods()) == 2


async def test_a_pod_that_came_later_under_the_same_name_is_left_alone(shop: Shop) -> None:
    await complete(shop.cluster, stateful_set())
    plan = await shop.plan(DELETE, namespace="shop", name="db-0")
    await shop.cluster.remove("v1", "Pod", "db-0", "shop")
    await until(lambda: shop.cluster.read("v1", "Pod", "db-0", "shop") is not None)
    later = uid(shop, "db-0")
    assert (await shop.apply(plan)).status == "already"
    assert (await shop.confirmed(plan)).state == "settled"
    assert uid(shop, "db-0") == later
    gone = await shop.plan(DELETE, namespace="shop", name="db-0", uid=plan.params["uid"])
    assert (gone.kind, "is gone" in gone.reason) == ("nothing", True)
    assert (await shop.plan(DELETE, namespace="shop", name="db-9")).kind == "nothing"


async def test_what_nothing_makes_again_is_refused_unless_that_is_allowed(shop: Shop) -> None:
    await shop.cluster.apply(bare())
    refused = await shop.plan(DELETE, namespace="shop", name="loose")
    assert refused.kind == "refused"
    assert "nothing makes it again: `bare: true` deletes it" in refused.reason
    plan = await shop.plan(DELETE, namespace="shop", name="loose", bare=True)
    assert plan.notes == ("nobody waits for a new one: nothing controls it",)
    assert (await shop.apply(plan)).status == "applied"
    assert (await shop.confirmed(plan)).reason == "pod shop/loose is gone"


@pytest.mark.parametrize(
    ("meta", "why"),
    [
        ({"annotations": {"kubernetes.io/config.mirror": "x"}}, "it is static"),
        ({"labels": {QUARANTINE: "u"}}, "kept for forensics"),
    ],
)
async def test_static_pods_and_those_in_quarantine_are_refused(shop: Shop, meta: dict[str, Any], why: str) -> None:
    await shop.cluster.apply(bare(**meta))
    refused = await shop.plan(DELETE, namespace="shop", name="loose", bare=True)
    assert refused.kind == "refused"
    assert why in refused.reason
    if "labels" in meta:
        assert (await shop.plan(DELETE, namespace="shop", name="loose", bare=True, quarantined=True)).kind == "change"


async def test_another_controller_than_the_one_that_was_meant_is_refused(shop: Shop) -> None:
    refused = await shop.plan(DELETE, namespace="shop", name=name(shop), controller="ReplicaSet/other")
    assert "controls it, not ReplicaSet/other" in refused.reason


async def test_a_new_pod_that_does_not_start_is_told_and_older_troubles_are_not_waited_for(shop: Shop) -> None:
    await shop.roll_out("cart:1.1-crash", wait=False)
    await shop.in_trouble()
    serving = [one for one in shop.pods() if one["spec"]["containers"][0]["image"] == "cart:1.0"]
    plan = await shop.plan(DELETE, namespace="shop", name=serving[0]["metadata"]["name"])
    assert (await shop.apply(plan)).status == "applied"
    assert (await shop.confirmed(plan)).state == "settled"
    crashing = next(one for one in shop.pods() if one["spec"]["containers"][0]["image"] == "cart:1.1-crash")
    plan = await shop.plan(DELETE, namespace="shop", name=crashing["metadata"]["name"])
    await shop.apply(plan)
    broken = await shop.confirmed(plan)
    assert broken.state == "broken"
    assert "the new pod of ReplicaSet/cart-" in broken.reason
    assert "CrashLoopBackOff" in broken.reason


async def test_a_pod_that_is_stopping_is_not_deleted_again_and_what_holds_it_is_named(shop: Shop) -> None:
    await shop.cluster.apply(bare(finalizers=["example.com/keep"]))
    plan = await shop.plan(DELETE, namespace="shop", name="loose", bare=True, grace_seconds=1)
    assert (await shop.apply(plan)).status == "applied"
    body = shop.cluster.journal.changes()[-1].body
    assert (body["gracePeriodSeconds"], body["preconditions"]) == (1, {"uid": plan.params["uid"]})
    assert (await shop.apply(plan, "k-2")).status == "already"
    again = await shop.plan(DELETE, namespace="shop", name="loose", bare=True)
    assert (again.kind, again.reason) == ("nothing", "pod shop/loose is being deleted already")
    waiting = await shop.lifecycle.confirm(
        ConfirmRequest(plan=plan, incident="i-1", step="s", poll=timedelta(seconds=1))
    )
    assert waiting.reason == "pod shop/loose is stopping, and the finalizers example.com/keep must be taken off it"
    api = shop.env.get(KubernetesApi).cluster("")
    seen = (await api.pod("shop", "loose")).metadata
    await api.patch(PODS, seen, [{"op": "remove", "path": "/metadata/finalizers"}])
    assert (await shop.confirmed(plan)).state == "settled"


async def test_the_only_ready_pod_and_data_that_is_lost_are_told(shop: Shop) -> None:
    volume = {"volumes": [{"name": "tmp", "emptyDir": {}}]}
    manifest = stateful_set(replicas=1)
    manifest["spec"]["template"]["spec"] |= volume
    await complete(shop.cluster, manifest)
    plan = await shop.plan(DELETE, namespace="shop", name="db-0")
    assert plan.notes == (
        "it is the only ready pod of StatefulSet/db: none serves until the new one does",
        "data in its emptyDir is lost",
    )


async def test_a_pod_of_another_kind_is_not_waited_for(shop: Shop) -> None:
    await shop.cluster.apply(job(backoffLimit=3))
    await until(lambda: bool(shop.pods("import")))
    pod = shop.pods("import")[0]["metadata"]["name"]
    plan = await shop.plan(DELETE, namespace="shop", name=pod)
    assert plan.params["controller"] == "Job.batch/import"
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).reason == f"pod shop/{pod} is gone"


async def test_without_the_right_to_delete_the_plan_says_so(shop: Shop) -> None:
    looking = Rule(verbs=frozenset({"get", "list"}))
    async with opened_as(shop, [looking]) as limited:
        with pytest.raises(PermissionDenied, match="lack the permission 'delete' on 'pods'"):
            await limited.plan(DELETE, namespace="shop", name=name(shop))


async def test_a_pod_that_its_controller_let_go_meanwhile_stays(shop: Shop) -> None:
    pod = name(shop)
    plan = await shop.plan(DELETE, namespace="shop", name=pod)
    there = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": "shop"}}
    await patched(shop.cluster, there, {"metadata": {"name": pod, "namespace": "shop", "labels": {"app": "mine"}}})()
    await until(lambda: not (shop.cluster.read("v1", "Pod", pod, "shop") or {})["metadata"].get("ownerReferences"))
    applied = await shop.apply(plan)
    assert applied.status == "drift"
    assert applied.drift is not None
    assert applied.drift.kind == "refused"
    assert "nothing controls it, not ReplicaSet/cart-" in applied.drift.reason
