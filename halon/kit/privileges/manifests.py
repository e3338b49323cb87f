"""Roles as YAML for `kubectl apply -f -`: the account, each role with its binding, and why each rule is there."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from halon.kit.privileges.rbac import CLUSTER, Roles, Rule, reason

_WIDTH = 120
_API = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Account:
    """The service account that Halon's worker acts as."""

    namespace: str = "halon"
    name: str = "halon"


def manifests(roles: Roles, account: Account, title: Sequence[str]) -> str:
    """Give the manifests. The lines of `title` stand first, as comments."""
    documents = ["\n".join(_service_account(account))]
    for place, rules in roles.rules.items():
        documents += ["\n".join(_role(place, rules, account)), "\n".join(_binding(place, account))]
    left = [f"{need.verb} on {need.resource} for {need.playbook} ({need.step})" for need in roles.left_out]
    lines = [*title, *(f"Left out, for no namespace holds it: {one}" for one in dict.fromkeys(left))]
    return "".join(_comment(one, "") + "\n" for one in lines) + "\n---\n".join(documents) + "\n"


def _service_account(account: Account) -> Iterator[str]:
    yield "apiVersion: v1"
    yield "kind: ServiceAccount"
    yield f"metadata: {{name: {json.dumps(account.name)}, namespace: {json.dumps(account.namespace)}}}"


def _role(place: str, rules: Sequence[Rule], account: Account) -> Iterator[str]:
    yield f"apiVersion: {_API}/v1"
    yield f"kind: {_kind(place)}"
    yield f"metadata: {_metadata(place, account)}"
    yield "rules:"
    for rule in rules:
        for verbs, who in rule.reasons:
            yield _comment(reason(verbs, who), "  ")
        yield f"  - apiGroups: {json.dumps([rule.group])}"
        yield f"    resources: {json.dumps(list(rule.resources))}"
        if rule.names:
            yield f"    resourceNames: {json.dumps(list(rule.names))}"
        yield f"    verbs: {json.dumps(list(rule.verbs))}"


def _binding(place: str, account: Account) -> Iterator[str]:
    yield f"apiVersion: {_API}/v1"
    yield f"kind: {_kind(place)}Binding"
    yield f"metadata: {_metadata(place, account)}"
    yield f"roleRef: {{apiGroup: {_API}, kind: {_kind(place)}, name: {json.dumps(account.name)}}}"
    subject = f"name: {json.dumps(account.name)}, namespace: {json.dumps(account.namespace)}"
    yield f"subjects: [{{kind: ServiceAccount, {subject}}}]"


def _kind(place: str) -> str:
    return "ClusterRole" if place == CLUSTER else "Role"


def _metadata(place: str, account: Account) -> str:
    where = "" if place == CLUSTER else f", namespace: {json.dumps(place)}"
    return f"{{name: {json.dumps(account.name)}{where}}}"


def _comment(text: str, indent: str) -> str:
    lines = textwrap.wrap(text, _WIDTH - len(indent) - 2, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(f"{indent}# {line}" for line in lines)
