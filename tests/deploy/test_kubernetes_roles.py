"""The roles that are shipped grant what the shipped playbooks need, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import worker
from halon.kit.privileges.manifests import Account, manifests
from halon.kit.privileges.needs import Need, needs_of
from halon.kit.privileges.rbac import Wanted, roles_of
from halon.playbook.catalogue import load_catalogue

ROOT = Path(__file__).parents[2]
FILES = {"rbac.yaml": Wanted(namespaces=("shop",), namespaced=True), "rbac-cluster.yaml": Wanted()}
every_file = pytest.mark.parametrize("file", FILES)


def shipped(file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "deploy" / file).read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def needs() -> list[Need]:
    registry = worker.registry()
    catalogue = load_catalogue([ROOT / "playbooks"], registry.schemas).playbooks
    return needs_of(catalogue.values(), catalogue, registry)


@every_file
def test_a_file_is_as_the_playbooks_are_now(file: str, needs: list[Need]) -> None:
    text = (ROOT / "deploy" / file).read_text(encoding="utf-8")
    title = [line.removeprefix("# ") for line in text.partition("\napiVersion")[0].splitlines()]
    anew = manifests(roles_of(needs, FILES[file]), Account(), [])
    assert list(yaml.safe_load_all(anew)) == list(yaml.safe_load_all(text)), "run `make schema`"
    assert title[0].startswith("What these playbooks need")


@every_file
def test_every_rule_says_who_needs_it(file: str) -> None:
    text = (ROOT / "deploy" / file).read_text(encoding="utf-8")
    assert text.count("\n  # ") >= text.count("\n  - apiGroups:") > 0
    for rule in text.split("\n  - apiGroups:")[:-1]:
        assert "  # " in rule.rpartition("verbs:")[2]


def test_the_namespaced_file_grants_nothing_beyond_its_namespace_and_those_that_playbooks_name(
    needs: list[Need],
) -> None:
    named = {one for need in needs if need.system == "kubernetes" for one in need.namespaces or ()}
    kinds = {one["kind"] for one in shipped("rbac.yaml")[1:]}
    assert kinds == {"Role", "RoleBinding"}
    assert {one["metadata"]["namespace"] for one in shipped("rbac.yaml")[1:]} == {"shop", *named}


@every_file
def test_a_binding_gives_a_role_of_the_file_to_the_account_of_the_file(file: str) -> None:
    documents = shipped(file)
    roles = {(one["kind"], one["metadata"]["name"]) for one in documents if one["kind"] in {"Role", "ClusterRole"}}
    account = documents[0]["metadata"]
    for binding in (one for one in documents if one["kind"].endswith("Binding")):
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in roles
        assert [(one["namespace"], one["name"]) for one in binding["subjects"]] == [
            (account["namespace"], account["name"])
        ]
