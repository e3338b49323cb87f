"""What the reading actions find: owners of pods that are gone, revisions, evidence that stays home."""

import json
from typing import Any

import pytest
from shop import CART, Shop, until

from halon.errors import NotFound


async def test_a_pod_leads_to_its_deployment(shop: Shop) -> None:
    pod = shop.pods()[0]["metadata"]["name"]
    found = await shop.read("kubernetes.get_owner", namespace="shop", pod=pod)
    assert (found["kind"], found["deployment"], found["pod_exists"]) == ("Deployment", "cart", True)
    assert [one.partition("/")[0] for one in found["chain"]] == ["Pod", "ReplicaSet", "Deployment"]


@pytest.mark.parametrize("ending", ["", "-7d9f8c6b5"])
async def test_a_pod_that_is_gone_is_found_by_its_name(shop: Shop, ending: str) -> None:
    """First its ReplicaSet is still there; then only its Deployment."""
    replica_set = shop.pods()[0]["metadata"]["ownerReferences"][0]["name"]
    name = f"{replica_set}-x2xkp" if not ending else f"cart{ending}-x2xkp"
    found = await shop.read("kubernetes.get_owner", namespace="shop", pod=name)
    assert (found["deployment"], found["pod_exists"]) == ("cart", False)


async def test_a_pod_that_nothing_made_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound, match="is gone"):
        await shop.read("kubernetes.get_owner", namespace="shop", pod="other-7d9f8c6b5-x2xkp")
    assert (await shop.read("kubernetes.get_owner", namespace="shop", pod=""))["deployment"] == ""


async def test_the_history_knows_what_ran_before_and_since_when(shop: Shop) -> None:
    await shop.roll_out("cart:2.0")
    found = await shop.read("kubernetes.get_rollout_history", **CART)
    assert (found["revision"], found["previous"], found["selector"]) == (2, 1, "app=cart")
    assert found["images"] == {"cart": "cart:2.0"}
    assert [one["number"] for one in found["revisions"]] == [1, 2]
    assert found["age"].endswith("s")


async def test_the_status_tells_a_complete_rollout_from_a_crash_loop(shop: Shop) -> None:
    assert (await shop.read("kubernetes.rollout_status", **CART))["complete"] is True
    await shop.roll_out("cart:2.0-crash", wait=False)
    await until(lambda: any(_backs_off(one, 3) for one in shop.pods()))
    found = await shop.read("kubernetes.rollout_status", **CART)
    assert (found["complete"], "CrashLoopBackOff" in found["reason"]) == (False, True)


async def test_evidence_is_kept_at_home_and_only_its_digest_travels(shop: Shop) -> None:
    await shop.roll_out("cart:2.0-crash", wait=False)
    await until(lambda: any(_backs_off(one, 1) for one in shop.pods()))
    found = await shop.read("kubernetes.collect_evidence", namespace="shop", selector="app=cart", logs="both")
    assert len(json.dumps(found)) < 4000
    kept = json.loads(await shop.evidence.get(found["digest"]))
    assert {one["previous"] for one in kept["logs"]} == {True, False}
    assert any(one["reason"] == "BackOff" for one in kept["events"])
    assert any("CrashLoopBackOff" in one for one in found["findings"])
    assert "planted-in-the-template" not in json.dumps(kept)


async def test_evidence_of_nothing_is_an_error(shop: Shop) -> None:
    with pytest.raises(NotFound, match="no pod"):
        await shop.read("kubernetes.collect_evidence", namespace="shop", selector="app=other")


def _backs_off(pod: Any, restarts: int) -> bool:
    """Whether a container waits after so many restarts; between two waits it runs for a moment."""
    return any(
        one["restartCount"] >= restarts and one["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"
        for one in pod.get("status", {}).get("containerStatuses", [])
    )
