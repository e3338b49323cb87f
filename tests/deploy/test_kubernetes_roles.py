"""Halon's account in a cluster may do what the actions declare, and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import worker
from halon.contracts.plan import Effect

MANIFESTS: list[dict[str, Any]] = list(
    yaml.safe_load_all((Path(__file__).parents[2] / "deploy" / "rbac.yaml").read_text(encoding="utf-8"))
)
READING = {"get", "list", "watch"}


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in MANIFESTS if one["kind"] == kind]


def granted(*roles: str) -> set[tuple[str, str, str]]:
    rules = [rule for role in of_kind("ClusterRole") if role["metadata"]["name"] in roles for rule in role["rules"]]
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def declared(*effects: Effect) -> Iterator[tuple[str, str, str]]:
    registry = worker.registry()
    for name in registry.names:
        action = registry.action(name)
        for permission in action.permissions if action.effect in effects else ():
            if permission.system == "kubernetes":
                group, _, resource = permission.resource.partition("/")
                yield from ((group, resource, verb) for verb in permission.verbs)


def test_both_roles_together_grant_what_the_actions_declare_and_no_more() -> None:
    assert granted("halon-observe", "halon-change") == set(declared(*Effect))


def test_the_observing_role_is_enough_for_every_read_and_changes_nothing() -> None:
    observe = granted("halon-observe")
    assert set(declared(Effect.READ)) <= observe
    assert {verb for _, _, verb in observe} <= READING


def test_nothing_is_granted_beyond_a_namespace() -> None:
    assert of_kind("ClusterRoleBinding") == []
    assert all(one["metadata"]["namespace"] for one in of_kind("RoleBinding"))


@pytest.mark.parametrize("binding", of_kind("RoleBinding"), ids=lambda one: one["metadata"]["name"])
def test_a_binding_gives_a_role_of_this_file_to_the_account_of_this_file(binding: dict[str, Any]) -> None:
    assert binding["roleRef"]["name"] in {role["metadata"]["name"] for role in of_kind("ClusterRole")}
    accounts = [(one["metadata"]["name"], one["metadata"]["namespace"]) for one in of_kind("ServiceAccount")]
    assert [(one["name"], one["namespace"]) for one in binding["subjects"]] == accounts
