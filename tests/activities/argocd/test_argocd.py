"""Argo CD's own rules: no roll-back under automated sync, a policy is put back as it was, failures are told."""

from typing import Any

import pytest
from argocd_double import NEW, OLD, ArgoCdDouble, argocd
from vendor import vendor_world
from world import World

from halon.errors import PermissionDenied


@pytest.fixture
async def double() -> Any:
    made = ArgoCdDouble()
    async with made.serving():
        yield made


@pytest.fixture
async def world(double: ArgoCdDouble) -> Any:
    client = argocd(double.url)

    def make(action: str, **params: Any) -> World:
        return vendor_world(double, f"argocd.{action}", {"application": "cart", **params}, client)

    yield make
    await client.close()


async def test_a_roll_back_waits_for_the_pause(double: ArgoCdDouble, world: Any) -> None:
    plan = await world("roll_back").plan()
    assert (plan.kind, "argocd.pause_sync" in plan.reason) == ("refused", True)
    pause = world("pause_sync")
    await pause.apply(await pause.plan())
    assert double.app["spec"]["syncPolicy"] == {"syncOptions": ["CreateNamespace=true"]}
    plan = await world("roll_back").plan()
    assert (plan.before, plan.after) == ({"revision": NEW}, {"revision": OLD})


async def test_a_policy_comes_back_as_it_was(double: ArgoCdDouble, world: Any) -> None:
    pause: World = world("pause_sync")
    plan = await pause.plan()
    await pause.apply(plan)
    await pause.apply(await pause.plan(plan.undo.call, undoing=plan), key="back")
    assert double.app["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    assert double.app["metadata"]["annotations"] == {"halon.dev/change-sync-policy": "back"}


async def test_a_policy_that_is_there_and_switched_off_is_paused(double: ArgoCdDouble, world: Any) -> None:
    double.app["spec"]["syncPolicy"]["automated"]["enabled"] = False
    assert (await world("pause_sync").plan()).kind == "nothing"


async def test_who_may_put_the_policy_back_is_said(double: ArgoCdDouble, world: Any) -> None:
    double.app["metadata"]["ownerReferences"] = [{"kind": "ApplicationSet", "name": "shops"}]
    assert "ApplicationSet shops" in (await world("pause_sync").plan()).notes[0]


async def test_a_roll_back_that_fails_is_broken_with_the_reason(double: ArgoCdDouble, world: Any) -> None:
    del double.app["spec"]["syncPolicy"]["automated"]
    double.fate = "Failed"
    here: World = world("roll_back")
    plan = await here.plan()
    await here.apply(plan)
    settlement = await here.confirmed(plan)
    assert (settlement.state, "it Failed" in settlement.reason) == ("broken", True)


async def test_a_revision_that_is_not_in_the_history_is_refused(double: ArgoCdDouble, world: Any) -> None:
    del double.app["spec"]["syncPolicy"]["automated"]
    assert (await world("roll_back", to_revision="f" * 40).plan()).kind == "refused"


async def test_only_applications_that_are_allowed_are_asked(double: ArgoCdDouble, world: Any) -> None:
    with pytest.raises(PermissionDenied, match=r"argocd\.allow"):
        await world("pause_sync", application="other").plan()
    assert double.asked == []
