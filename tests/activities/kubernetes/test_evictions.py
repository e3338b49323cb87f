"""Which pods a drain takes, which it leaves, and what it says about budgets: tables, without a cluster."""

from typing import Any

import pytest

from activities.kubernetes._eviction import Allowed, covering, sort, waits_for, warnings
from halon.clients.kubernetes.nodes import Budget
from halon.clients.kubernetes.objects import Pod, view

NOTHING = Allowed()


def pod(name: str = "p", owner: str = "ReplicaSet", *, phase: str = "Running", **meta: Any) -> Pod:
    owners = [{"kind": owner, "name": "o", "uid": "u", "controller": True}] if owner else []
    volumes = meta.pop("volumes", [])
    metadata = {"name": name, "namespace": "shop", "ownerReferences": owners, "labels": {"app": "cart"}, **meta}
    return view(Pod, {"metadata": metadata, "spec": {"volumes": volumes}, "status": {"phase": phase}})


def budget(name: str = "b", *, namespace: str = "shop", selector: Any = None, **status: int) -> Budget:
    chosen = {"matchLabels": {"app": "cart"}} if selector is None else selector
    spec = {} if selector == "none" else {"selector": chosen}
    return view(Budget, {"metadata": {"name": name, "namespace": namespace}, "spec": spec, "status": status})


STATIC = {"annotations": {"kubernetes.io/config.mirror": "hash"}}
GOING = {"deletionTimestamp": "2026-01-02T03:04:05Z"}
EMPTY_DIR = {"volumes": [{"name": "data", "emptyDir": {}}]}
SORTED: list[tuple[str, Pod, str, str]] = [
    ("of a ReplicaSet", pod(), "evict", ""),
    ("of a StatefulSet", pod(owner="StatefulSet"), "evict", ""),
    ("of a DaemonSet", pod(owner="DaemonSet"), "stay", ""),
    ("of a DaemonSet, ended", pod(owner="DaemonSet", phase="Failed"), "evict", ""),
    ("static", pod(owner="Node", **STATIC), "stay", ""),
    ("stopping", pod(**GOING), "going", ""),
    ("bare and stopping", pod(owner="", **GOING), "going", ""),
    ("bare", pod(owner=""), "evict", "no controller"),
    ("bare and ended", pod(owner="", phase="Succeeded"), "evict", ""),
    ("with data", pod(**EMPTY_DIR), "evict", "emptyDir"),
    ("with data and ended", pod(phase="Failed", **EMPTY_DIR), "evict", ""),
    ("in quarantine", pod(owner="", labels={"halon.dev/quarantine": "u"}), "evict", "kept for forensics"),
]


@pytest.mark.parametrize(("one", "where", "why"), [row[1:] for row in SORTED], ids=[row[0] for row in SORTED])
def test_a_pod_goes_stays_or_is_objected_to(one: Pod, where: str, why: str) -> None:
    found = sort([one], (), NOTHING)
    assert {name: len(getattr(found, name)) for name in ("evict", "going", "stay")} == {
        name: int(name == where) for name in ("evict", "going", "stay")
    }
    assert len(found.objections) == bool(why)
    assert why in "".join(found.objections)


def test_what_is_allowed_is_not_objected_to_but_evidence_always_is() -> None:
    everything = Allowed(bare=True, empty_dir=True)
    assert sort([pod(owner="", **EMPTY_DIR)], (), everything).objections == ()
    kept = pod(owner="", labels={"halon.dev/quarantine": "u"})
    assert len(sort([kept], (), everything).objections) == 1


def test_a_pod_of_two_budgets_can_never_be_evicted() -> None:
    (why,) = sort([pod()], [budget("one"), budget("two")], NOTHING).objections
    assert "shop/one and shop/two" in why


COVERED = [
    ("by its labels", budget(), True),
    ("by an empty selector", budget(selector={}), True),
    ("by an expression", budget(selector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}), True),
    (
        "not by values",
        budget(selector={"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["cart"]}]}),
        False,
    ),
    ("not by what nobody knows", budget(selector={"matchExpressions": [{"key": "app", "operator": "Like"}]}), False),
    ("not without a selector", budget(selector="none"), False),
    ("not from elsewhere", budget(namespace="other"), False),
]


@pytest.mark.parametrize(("one", "covers"), [row[1:] for row in COVERED], ids=[row[0] for row in COVERED])
def test_a_budget_speaks_of_a_pod(one: Budget, covers: bool) -> None:  # noqa: FBT001  # a table's column
    assert bool(covering(pod(), [one])) is covers


def test_budgets_that_hold_a_drain_up_are_named_with_their_numbers() -> None:
    tight = budget("tight", currentHealthy=2, desiredHealthy=2, expectedPods=3)
    never = budget("never", currentHealthy=2, desiredHealthy=2, expectedPods=2)
    free = budget("free", disruptionsAllowed=1, currentHealthy=2, desiredHealthy=1, expectedPods=2)
    said = warnings([pod()], [tight, never, free])
    assert [text.split()[1] for text in said] == ["shop/never", "shop/tight"]
    assert "waiting does not help" in said[0]
    assert "2 are healthy and 2 must be" in said[1]
    assert waits_for(pod("x"), [tight]) == "shop/x (budget shop/tight allows none)"
    assert waits_for(pod("x"), []) == "shop/x"
