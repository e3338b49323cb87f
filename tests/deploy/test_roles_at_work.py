"""With the roles that are shipped, and nothing more, every step of the shipped playbooks can do what it does.

Reads are called as each step calls them, on a cluster in which a shop runs; changes are planned, made, confirmed and
taken back on the worlds that they have. Whatever else may be wrong with a call, it lacks no right.
"""

import importlib.util
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster_world import FAST, rolled_out
from granting import ACCOUNT, install, installed
from manifests import daemon_set, job, stateful_set
from node_worlds import deployment
from workload_worlds import complete
from world import REGISTRY, Opening

from halon.clients.kubernetes.api import KubernetesApi, KubernetesConfig
from halon.clients.kubernetes.connection import ClusterConfig
from halon.contracts.activity import ReadRequest
from halon.contracts.base import Json, JsonObject
from halon.contracts.plan import ActionCall
from halon.demo.cluster import DemoCluster
from halon.errors import HalonError, PermissionDenied
from halon.kit.action import Action, Change
from halon.kit.env import Env
from halon.kit.lifecycle import Lifecycle
from halon.kit.privileges.needs import undo_actions
from halon.playbook.catalogue import load_catalogue
from halon.playbook.uses import Use, uses_of
from halon.store.evidence import EvidenceDirectory

ROOT = Path(__file__).parents[2]
FILES = ("rbac.yaml", "rbac-cluster.yaml")
NAMES = {"Deployment": "cart", "StatefulSet": "db", "DaemonSet": "agent", "Job": "import"}
OPEN: dict[str, Json] = {"namespace": "shop", "name": "cart", "pod": "db-0", "selector": "app=cart", "node": "node-a"}
OF_ACTION: dict[str, JsonObject] = {"kubernetes.get_pod": {"name": "db-0"}, "kubernetes.get_node": {"name": "node-a"}}
"""What open parameters are in the cluster of the test."""
SURE = {"collect_evidence", "get_owner", "get_pod", "get_rollout_history", "get_workload", "rollout_status"}
"""Reads that must not only lack no right, but answer."""


def _worlds() -> dict[str, Opening]:
    """Of the family: its file has the name of others'."""
    place = ROOT / "tests" / "activities" / "kubernetes" / "worlds.py"
    spec = importlib.util.spec_from_file_location("worlds_for_roles", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Opening] = module.WORLDS
    return found


def _uses() -> list[Use]:
    books = load_catalogue([ROOT / "playbooks"], REGISTRY.schemas).playbooks
    return [use for book in books.values() for use in uses_of(book) if _kubernetes(REGISTRY.action(use.action))]


def _kubernetes(action: type[Action]) -> bool:
    return any(one.system == "kubernetes" for one in action.permissions)


USES = _uses()
WORLDS = _worlds()


def _is_namespaced(action: type[Action]) -> bool:
    return all(one.scope == "namespace" for one in action.permissions if one.system == "kubernetes")


def _fits(file: str, action: type[Action]) -> bool:
    """Whether the roles of a file are for the action: what needs the whole cluster is left out of `rbac.yaml`."""
    return file == "rbac-cluster.yaml" or _is_namespaced(action)


def _changes() -> Iterator[tuple[str, str]]:
    """The changes of the playbooks, each with the files whose roles are for it."""
    for action in sorted({one.action for one in USES if issubclass(REGISTRY.action(one.action), Change)}):
        yield from ((file, action) for file in FILES if _fits(file, REGISTRY.action(action)))


def _calls() -> Iterator[tuple[str, str, JsonObject]]:
    """The reads of the playbooks: each with the constants of a step, and the rest as it is in the test's cluster."""
    seen: set[tuple[str, str]] = set()
    for use in USES:
        action = REGISTRY.action(use.action)
        if issubclass(action, Change):
            continue
        kinds = use.values.get("kind", (None,)) if "kind" in action.model_fields else (None,)
        for kind in kinds:
            constants = {name: values[0] for name, values in use.values.items() if name in action.model_fields}
            filled = {name: value for name, value in OPEN.items() if name in action.model_fields}
            filled |= {"kind": kind, "name": NAMES.get(str(kind), "cart")} if kind else {}
            call = {**action.example, **filled, **OF_ACTION.get(use.action, {}), **constants}
            call |= {"kind": kind} if kind else {}
            call.pop("cluster", None)
            key = (use.action, yaml.safe_dump(call))
            if key not in seen:
                seen.add(key)
                yield from ((file, use.action, call) for file in FILES if _fits(file, action))


def shipped(file: str) -> list[Any]:
    return list(yaml.safe_load_all((ROOT / "deploy" / file).read_text(encoding="utf-8")))


@asynccontextmanager
async def running() -> AsyncIterator[DemoCluster]:
    """A cluster with a workload of every kind."""
    async with DemoCluster(timing=FAST) as cluster:
        await rolled_out(cluster, deployment())
        await complete(cluster, stateful_set())
        await complete(cluster, daemon_set())
        await cluster.apply(job())
        yield cluster


@pytest.mark.parametrize("file", FILES)
async def test_every_read_of_a_step_lacks_no_right(file: str, tmp_path: Path) -> None:
    async with running() as cluster:
        await install(cluster, shipped(file))
        kubeconfig = cluster.kubeconfig_for(cluster.add_account(ACCOUNT.namespace, ACCOUNT.name))
        api = KubernetesApi(KubernetesConfig({"demo": ClusterConfig(kubeconfig=kubeconfig)}))
        lifecycle = Lifecycle(REGISTRY, Env(api, EvidenceDirectory(tmp_path / "evidence")))
        answered: set[str] = set()
        lacking: list[str] = []
        for _, action, params in (one for one in _calls() if one[0] == file):
            request = ReadRequest(call=ActionCall(action=action, params=params), incident="i-1", step="s")
            try:
                await lifecycle.read(request)
            except PermissionDenied as error:
                lacking.append(f"{action} {params}: {error}")
            except HalonError:
                continue  # nothing of that name is in this cluster, or nobody measures
            else:
                answered.add(action.partition(".")[2])
        await api.close()
    assert lacking == []
    assert SURE & {use.action.partition(".")[2] for use in USES} <= answered


@pytest.mark.parametrize(("file", "action"), list(_changes()))
async def test_every_change_of_a_step_can_be_made_confirmed_and_taken_back(file: str, action: str) -> None:
    with installed(shipped(file)):
        async with WORLDS[action]() as here:
            if not any(_may_be(use, here.params) for use in USES if use.action == action):
                pytest.skip("no step makes the call of this world")
            plan = await here.plan()
            assert (plan.kind, plan.reason) == ("change", "")
            assert (await here.applied(plan)).status in {"applied", "already"}
            assert (await here.confirmed(plan)).state == "settled"
            if plan.undo.call is None or not undo_actions(REGISTRY.action(action)):
                return
            back = await here.plan(plan.undo.call, undoing=plan)
            assert back.kind == "change"
            await here.applied(back, key="i-1/step/undo")
            assert (await here.confirmed(back)).state == "settled"


def _may_be(use: Use, params: JsonObject) -> bool:
    """Whether a step may make this call, as far as permissions depend on the call's parameters."""
    depends = {name for one in REGISTRY.action(use.action).permissions for name, _ in one.when}
    return all(name not in use.values or params.get(name) in use.values[name] for name in depends)


def test_the_catalogue_has_reads_and_changes_of_kubernetes_to_try() -> None:
    assert {action for _, action in _changes()} >= {"kubernetes.rollback_deployment", "kubernetes.scale_deployment"}
    assert {action for _, action, _ in _calls()} >= {"kubernetes.get_owner", "kubernetes.get_rollout_history"}
