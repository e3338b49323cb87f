"""A pod is cut off before it is let go, is kept with its labels, and never goes back."""

import json
from typing import Any

import pytest
from manifests import daemon_set, stateful_set
from shop import Shop, opened_as, until
from workload_worlds import complete

from halon.clients.kubernetes.pods import QUARANTINE
from halon.demo.cluster import Fault, FaultKind, Rule
from halon.errors import PermanentError, PermissionDenied, TransientError

QUARANTINE_POD = "kubernetes.quarantine_pod"
LABELS = "halon.dev/quarantined-labels"


def policies(shop: Shop) -> list[Any]:
    return shop.cluster.list("networking.k8s.io/v1", "NetworkPolicy", "shop")


def pod_of(shop: Shop, name: str) -> Any:
    return shop.cluster.read("v1", "Pod", name, "shop")


def policy(name: str, **spec: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "shop"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def bare(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "loose", "namespace": "shop", "labels": {"app": "loose"}},
        "spec": {"containers": [{"name": "main", "image": "loose:1"}], **spec},
    }


async def test_a_pod_is_cut_off_first_and_kept_while_a_new_one_starts(shop: Shop) -> None:
    before = shop.pods()[0]
    name, uid = before["metadata"]["name"], before["metadata"]["uid"]
    plan = await shop.plan(QUARANTINE_POD, namespace="shop", name=name)
    assert plan.undo.call is None
    assert "never goes back" in plan.undo.reason
    assert (await shop.apply(plan)).status == "applied"
    assert [one.resource for one in shop.cluster.journal.changes()] == ["networkpolicies", "pods"]
    assert (await shop.confirmed(plan)).state == "settled"
    kept = pod_of(shop, name)
    assert kept["metadata"]["labels"] == {QUARANTINE: uid}
    assert json.loads(kept["metadata"]["annotations"][LABELS]) == before["metadata"]["labels"]
    assert "ownerReferences" not in kept["metadata"]
    (cut,) = policies(shop)
    assert cut["spec"]["podSelector"] == {"matchLabels": {QUARANTINE: uid}}
    assert sorted(cut["spec"]["policyTypes"]) == ["Egress", "Ingress"]
    assert not {"ingress", "egress"} & set(cut["spec"])
    assert cut["metadata"]["ownerReferences"][0]["uid"] == uid
    await until(lambda: len([one for one in shop.pods() if one["status"].get("phase") == "Running"]) == 2)
    assert (await shop.plan(QUARANTINE_POD, namespace="shop", name=name)).kind == "nothing"
    assert (await shop.plan("kubernetes.delete_pod", namespace="shop", name=name, bare=True)).kind == "refused"


async def test_the_policy_goes_with_the_pod(shop: Shop) -> None:
    name = shop.pods()[0]["metadata"]["name"]
    plan = await shop.plan(QUARANTINE_POD, namespace="shop", name=name)
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"  # its controller has let it go, and drifts no plan
    gone = await shop.plan("kubernetes.delete_pod", namespace="shop", name=name, bare=True, quarantined=True)
    assert (await shop.apply(gone, "k-2")).status == "applied"
    assert (await shop.confirmed(gone)).state == "settled"
    await until(lambda: not policies(shop))
    assert (await shop.confirmed(plan)).state == "broken"


async def test_what_a_crash_left_between_the_two_writes_is_finished(shop: Shop) -> None:
    name = shop.pods()[0]["metadata"]["name"]
    plan = await shop.plan(QUARANTINE_POD, namespace="shop", name=name)
    shop.cluster.faults.inject(Fault(kind=FaultKind.STATUS, status=503, method="PATCH", count=1))
    with pytest.raises(TransientError):
        await shop.apply(plan)
    assert len(policies(shop)) == 1
    assert QUARANTINE not in pod_of(shop, name)["metadata"]["labels"]
    assert (await shop.apply(plan)).status == "applied"
    assert (await shop.confirmed(plan)).state == "settled"
    assert [one.verb for one in shop.cluster.journal.changes()] == ["create", "patch"]


async def test_a_policy_that_was_taken_away_is_made_again_and_one_that_lets_through_is_told(shop: Shop) -> None:
    meta = shop.pods()[0]["metadata"]
    plan = await shop.plan(QUARANTINE_POD, namespace="shop", name=meta["name"])
    await shop.apply(plan)
    cut = policies(shop)[0]["metadata"]["name"]
    await shop.cluster.remove("networking.k8s.io/v1", "NetworkPolicy", cut, "shop")
    assert (await shop.confirmed(plan)).state == "broken"
    assert (await shop.apply(plan)).status == "applied"
    assert (await shop.confirmed(plan)).state == "settled"
    await shop.cluster.apply(policy(cut, egress=[{}]))
    assert (await shop.confirmed(plan)).state == "broken"
    again = await shop.plan(QUARANTINE_POD, namespace="shop", name=meta["name"])
    assert (again.kind, "is not as Halon makes it" in again.reason) == ("refused", True)


async def test_a_policy_that_lets_through_by_the_time_of_the_change_stops_it(shop: Shop) -> None:
    meta = shop.pods()[0]["metadata"]
    plan = await shop.plan(QUARANTINE_POD, namespace="shop", name=meta["name"])
    await shop.cluster.apply(policy(f"halon-quarantine-{meta['uid']}", podSelector={}, ingress=[{}]))
    with pytest.raises(PermanentError, match="not as Halon makes it"):
        await shop.apply(plan)
    assert shop.cluster.journal.changes() == []


async def test_policies_that_go_on_allowing_something_are_named(shop: Shop) -> None:
    await shop.cluster.apply(policy("everybody", podSelector={}, policyTypes=["Egress"], egress=[{}]))
    await shop.cluster.apply(policy("denies", podSelector={}, policyTypes=["Ingress", "Egress"]))
    await shop.cluster.apply(policy("cart", podSelector={"matchLabels": {"app": "cart"}}, ingress=[{}]))
    plan = await shop.plan(QUARANTINE_POD, namespace="shop", name=shop.pods()[0]["metadata"]["name"])
    named = [note for note in plan.notes if note.startswith("NetworkPolicy")]
    assert named == ["NetworkPolicy shop/everybody selects it also in quarantine, and what that allows stays open"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [({"hostNetwork": True}, "no NetworkPolicy reaches it"), ({}, "")],
)
async def test_a_pod_in_the_nodes_network_is_refused(shop: Shop, spec: dict[str, Any], why: str) -> None:
    await shop.cluster.apply(bare(**spec))
    plan = await shop.plan(QUARANTINE_POD, namespace="shop", name="loose")
    assert plan.kind == ("refused" if why else "change")
    assert why in plan.reason


async def test_pods_of_daemon_sets_those_that_go_and_those_that_are_gone_are_refused(shop: Shop) -> None:
    await complete(shop.cluster, daemon_set())
    daemon = shop.pods("agent")[0]["metadata"]["name"]
    assert "of a DaemonSet" in (await shop.plan(QUARANTINE_POD, namespace="shop", name=daemon)).reason
    assert "is gone" in (await shop.plan(QUARANTINE_POD, namespace="shop", name="nobody")).reason
    held = bare()
    held["metadata"]["finalizers"] = ["example.com/keep"]
    await shop.cluster.apply(held)
    going = await shop.plan("kubernetes.delete_pod", namespace="shop", name="loose", bare=True)
    await shop.apply(going)
    assert "it is being deleted" in (await shop.plan(QUARANTINE_POD, namespace="shop", name="loose")).reason


async def test_a_set_that_stays_one_short_is_told(shop: Shop) -> None:
    await complete(shop.cluster, stateful_set())
    plan = await shop.plan(QUARANTINE_POD, namespace="shop", name="db-0")
    assert "StatefulSet db can make no new one while this one has its name: it stays one short" in plan.notes
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"


async def test_without_the_right_to_make_policies_the_plan_says_so(shop: Shop) -> None:
    rules = [Rule(verbs=frozenset({"get", "list"})), Rule(verbs=frozenset({"patch"}), resources=frozenset({"pods"}))]
    async with opened_as(shop, rules) as limited:
        with pytest.raises(PermissionDenied, match="networkpolicies"):
            await limited.plan(QUARANTINE_POD, namespace="shop", name=shop.pods()[0]["metadata"]["name"])
