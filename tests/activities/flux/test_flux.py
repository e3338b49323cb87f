"""Flux goes back by holding its source at a commit, and what it says of a revision is told as it is."""

from pathlib import Path
from typing import Any

import pytest
from custom_objects import CustomObjects, kubernetes
from flux_double import KUSTOMIZATION, NEW, OLD, REPOSITORY, flux
from vendor import vendor_world
from world import World

from activities.flux.get_revisions import GetRevisions
from halon.clients.kubernetes.api import KubernetesApi

SHOP = {"namespace": "flux-system", "name": "shop"}


@pytest.fixture
async def double() -> CustomObjects:
    return flux()


@pytest.fixture
async def api(double: CustomObjects, tmp_path: Path) -> Any:
    async with kubernetes(double, tmp_path) as one:
        yield one


async def test_it_says_which_revision_was_well_before_the_one_that_fails(
    double: CustomObjects, api: KubernetesApi, run: Any
) -> None:
    found = await run(GetRevisions, api, kind="Kustomization", **SHOP)
    assert (found["ready"], found["message"], found["good"]) == (False, "timeout waiting for cart", OLD)
    assert [one["commit"] for one in found["history"]] == [NEW, OLD]
    double.objects[KUSTOMIZATION]["status"] = {}
    nothing = await run(GetRevisions, api, kind="Kustomization", **SHOP)
    assert (nothing["no_data"], nothing["ready"], nothing["good"]) == (True, False, "")


async def test_a_source_that_is_held_is_let_go_as_it_was(double: CustomObjects, api: KubernetesApi) -> None:
    here: World = vendor_world(double, "flux.pin_source", {**SHOP, "commit": OLD}, api)
    plan = await here.plan()
    await here.apply(plan)
    assert double.objects[REPOSITORY]["spec"]["ref"] == {"branch": "main", "commit": OLD}
    assert (await here.confirmed(plan)).observed == {"revision": f"sha1:{OLD}"}
    await here.apply(await here.plan(plan.undo.call, undoing=plan), key="back")
    assert double.objects[REPOSITORY]["spec"]["ref"] == {"branch": "main"}


async def test_a_source_that_is_suspended_is_not_held(double: CustomObjects, api: KubernetesApi) -> None:
    double.objects[REPOSITORY]["spec"]["suspend"] = True
    plan = await vendor_world(double, "flux.pin_source", {**SHOP, "commit": OLD}, api).plan()
    assert (plan.kind, "resume it first" in plan.reason) == ("refused", True)


async def test_who_manages_an_object_is_said(double: CustomObjects, api: KubernetesApi) -> None:
    labels = {"kustomize.toolkit.fluxcd.io/name": "root", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    double.objects[KUSTOMIZATION]["metadata"]["labels"] = labels
    plan = await vendor_world(double, "flux.suspend", {**SHOP, "kind": "Kustomization"}, api).plan()
    assert any("Flux Kustomization flux-system/root" in one for one in plan.notes)
