"""The same roles and policies as Terraform, for the providers `hashicorp/kubernetes` and `hashicorp/aws`."""

import json
import re
import textwrap
from collections.abc import Iterator, Sequence

from halon.kit.privileges.iam import AwsPolicy
from halon.kit.privileges.manifests import Account
from halon.kit.privileges.rbac import CLUSTER, Roles, Rule, reason

_WIDTH = 110


def terraform(roles: Roles | None, policies: Sequence[AwsPolicy], account: Account, title: Sequence[str] = ()) -> str:
    """Give the configuration; without roles or policies that part is left out. `title` stands first, as comments."""
    blocks = ["\n".join(line for one in title for line in _comment(one, ""))] if title else []
    if roles is not None and roles.rules:
        blocks.append("\n".join(_service_account(account)))
        for place, rules in roles.rules.items():
            blocks += ["\n".join(_role(place, rules, account)), "\n".join(_binding(place, account))]
    several = len({one.account.name for one in policies}) > 1
    for policy in policies:
        blocks += ["\n".join(_document(policy)), "\n".join(_policy(policy, aliased=several))]
    return "\n\n".join(blocks) + "\n"


def _service_account(account: Account) -> Iterator[str]:
    yield f'resource "kubernetes_service_account_v1" {_label(account.name)} {{'
    yield from _metadata(account.name, account.namespace)
    yield "}"


def _role(place: str, rules: Sequence[Rule], account: Account) -> Iterator[str]:
    yield f'resource "kubernetes_{_kind(place)}_v1" {_label(account.name, place)} {{'
    yield from _metadata(account.name, place)
    for rule in rules:
        yield ""
        for verbs, who in rule.reasons:
            yield from _comment(reason(verbs, who), "  ")
        yield "  rule {"
        yield f"    api_groups{' ' * 5 if rule.names else ''} = {_list([rule.group])}"
        yield f"    resources{' ' * 6 if rule.names else '  '}= {_list(rule.resources)}"
        if rule.names:
            yield f"    resource_names = {_list(rule.names)}"
        yield f"    verbs{' ' * 10 if rule.names else '      '}= {_list(rule.verbs)}"
        yield "  }"
    yield "}"


def _binding(place: str, account: Account) -> Iterator[str]:
    kind, label = _kind(place), _label(account.name, place)
    yield f'resource "kubernetes_{kind}_binding_v1" {label} {{'
    yield from _metadata(account.name, place)
    yield ""
    yield "  role_ref {"
    yield '    api_group = "rbac.authorization.k8s.io"'
    yield f'    kind      = "{"ClusterRole" if place == CLUSTER else "Role"}"'
    yield f"    name      = kubernetes_{kind}_v1.{label[1:-1]}.metadata[0].name"
    yield "  }"
    yield ""
    yield "  subject {"
    yield '    kind      = "ServiceAccount"'
    yield f"    name      = kubernetes_service_account_v1.{_label(account.name)[1:-1]}.metadata[0].name"
    yield f"    namespace = {_text(account.namespace)}"
    yield "  }"
    yield "}"


def _document(policy: AwsPolicy) -> Iterator[str]:
    where = policy.account.account_id or policy.account.name
    yield f'data "aws_iam_policy_document" {_label(policy.name)} {{' + (f" # account {where}" if where else "")
    for number, (sid, statement) in enumerate(policy.statements):
        if number:
            yield ""
        yield from _comment(reason(["needed by"], statement.who), "  ")
        yield "  statement {"
        yield f"    sid       = {_text(sid)}"
        yield '    effect    = "Allow"'
        yield f"    actions   = {_list(statement.actions)}"
        yield f"    resources = {_list(statement.resources)}"
        yield "  }"
    yield "}"


def _policy(policy: AwsPolicy, *, aliased: bool) -> Iterator[str]:
    label = _label(policy.name)
    yield f'resource "aws_iam_policy" {label} {{'
    if aliased:
        yield f"  provider = aws.{_label(policy.account.name)[1:-1]}"
    yield f"  name{'    ' if aliased else '  '} = {_text(policy.name)}"
    yield f"  policy{'  ' if aliased else ''} = data.aws_iam_policy_document.{label[1:-1]}.json"
    yield "}"


def _metadata(name: str, namespace: str) -> Iterator[str]:
    yield "  metadata {"
    if namespace:
        yield f"    name      = {_text(name)}"
        yield f"    namespace = {_text(namespace)}"
    else:
        yield f"    name = {_text(name)}"
    yield "  }"


def _kind(place: str) -> str:
    return "cluster_role" if place == CLUSTER else "role"


def _label(*names: str) -> str:
    """Give a block's label, which holds letters, digits, dashes and underscores and begins with no digit."""
    joined = re.sub(r"[^A-Za-z0-9_-]", "_", "_".join(one for one in names if one)).replace("-", "_")
    return f'"{joined}"' if joined[:1].isalpha() else f'"_{joined}"'


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(_text(one) for one in values)}]"


def _text(value: str) -> str:
    """Quote a text; what Terraform would take for a template is escaped."""
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _comment(text: str, indent: str) -> Iterator[str]:
    for line in textwrap.wrap(text, _WIDTH - len(indent), subsequent_indent="  ", break_on_hyphens=False):
        yield f"{indent}# {line}"
