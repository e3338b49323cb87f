"""What playbooks need is what their steps' actions declare, narrowed by what the playbook says as a constant."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

import pytest

import worker
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement
from halon.contracts.playbook import Playbook
from halon.errors import InvalidInput
from halon.kit.action import Action, Change, Nothing, NoUndo, Output, Permission, Proposal, Read, State
from halon.kit.env import Env
from halon.kit.privileges.iam import MAX_POLICY, AwsAccount, policies_of, statements_of
from halon.kit.privileges.manifests import Account, manifests
from halon.kit.privileges.needs import Need, needs_of, undo_actions
from halon.kit.privileges.rbac import Roles, Wanted, roles_of
from halon.kit.registry import Registry
from halon.playbook.loader import load


class Seen(State):
    there: bool


class Answer(Output):
    there: bool


class Look(Read[Answer]):
    """Look."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get", "list"), "apps/deployments", "to look", name="{name}"),
        Permission("kubernetes", ("list",), "/nodes", "to see where", scope="cluster"),
    )
    example: ClassVar[JsonObject] = {}

    namespace: str
    name: str = ""
    cluster: str = ""


class See(Read[Answer]):
    """Look at something of one kind or another."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get",), "apps/deployments", "to look", when=(("kind", "Deployment"),)),
        Permission("kubernetes", ("get",), "apps/daemonsets", "to look", when=(("kind", "DaemonSet"),)),
        Permission("kubernetes", ("get",), "batch/jobs", "to look", when=(("name", "*"),)),
        Permission("kubernetes", ("get",), "batch/cronjobs", "to look", when=(("kind", "Job"), ("name", ""))),
    )
    example: ClassVar[JsonObject] = {}

    namespace: str
    kind: str = "Deployment"
    name: str = ""


class Unmark(Change[Seen]):
    """Take a mark off."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("delete",), "example.org/marks", "to take it off", name="{name}"),
    )
    example: ClassVar[JsonObject] = {}

    namespace: str
    name: str
    cluster: str = ""

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        return NoUndo("none")


class Mark(Unmark):
    """Put a mark on."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("create", "patch"), "example.org/marks", "to put it on", name="{name}"),
    )

    def undo(self, before: JsonObject, after: JsonObject) -> "Unmark | NoUndo":  # type: ignore[override]  # another one
        return Unmark(namespace=self.namespace, name=self.name)

    def plan(self, state: Seen, now: datetime) -> Proposal | Nothing:
        return Nothing("marked")

    def settled(self, state: Seen, after: JsonObject) -> Settlement:
        return Settlement(state="settled")

    async def observe(self, env: Env) -> Seen:
        return Seen(there=True)


class Lock(Read[Answer]):
    """Something of AWS."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("aws", ("iam:GetUser", "iam:UpdateAccessKey"), "arn:aws:iam::*:user/{user}", "to lock it"),
        Permission("aws", ("logs:StartQuery",), "arn:aws:logs:{region}:{account}:log-group:{groups}", "to ask"),
        Permission("aws", ("ec2:DescribeInstances",), "*", "to find it"),
    )
    example: ClassVar[JsonObject] = {}

    user: str = ""
    groups: tuple[str, ...] = ()
    account: str = ""
    region: str = ""


ACTIONS: dict[str, type[Action]] = {
    "kubernetes.look": Look,
    "kubernetes.see": See,
    "kubernetes.mark": Mark,
    "kubernetes.unmark": Unmark,
    "aws.lock": Lock,
}
REGISTRY = Registry(ACTIONS)
HEAD = "apiVersion: halon/v1\nkind: Playbook\nmetadata: {name: NAME, title: A title, owner: team-a}\n"


def books(**texts: str) -> dict[str, Playbook]:
    loaded: dict[str, Playbook] = {}
    for name, text in texts.items():
        result = load((HEAD.replace("NAME", name) + text).encode(), f"{name}.yaml", REGISTRY.schemas)
        assert result.playbook is not None, result.problems
        loaded[name] = result.playbook
    return loaded


def needs(**texts: str) -> list[Need]:
    loaded = books(**texts)
    return needs_of(loaded.values(), loaded, REGISTRY)


def granted(roles: Roles) -> set[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    return {
        (place, resource, rule.names, rule.verbs)
        for place, rules in roles.rules.items()
        for rule in rules
        for resource in rule.resources
    }


LOOK = "steps: [{id: look, uses: kubernetes.look, with: {namespace: shop, name: cart}}]\n"
OPEN = (
    "inputs: {namespace: {}}\n"
    "steps: [{id: look, uses: kubernetes.look, with: {namespace: '${{ inputs.namespace }}', name: cart}}]\n"
)


def test_constants_narrow_a_role_to_a_namespace_and_to_names_where_a_verb_names_an_object() -> None:
    assert granted(roles_of(needs(one=LOOK), Wanted())) == {
        ("", "nodes", (), ("list",)),
        ("shop", "deployments", ("cart",), ("get",)),
        ("shop", "deployments", (), ("list",)),
    }


def test_what_is_known_only_when_it_runs_is_granted_everywhere_or_in_the_namespaces_that_are_named() -> None:
    everywhere = granted(roles_of(needs(one=OPEN), Wanted()))
    assert {place for place, *_ in everywhere} == {""}
    named = granted(roles_of(needs(one=OPEN), Wanted(namespaces=("shop", "web"))))
    assert {place for place, resource, *_ in named if resource == "deployments"} == {"shop", "web"}
    assert ("", "nodes", (), ("list",)) in named


def test_an_input_that_can_only_be_one_of_some_values_is_as_good_as_constants() -> None:
    text = OPEN.replace("{namespace: {}}", "{namespace: {enum: [web, shop]}}")
    assert {place for place, *_ in granted(roles_of(needs(one=text), Wanted()))} == {"", "shop", "web"}


@pytest.mark.parametrize(
    ("kind", "resources"),
    [
        ("kind: DaemonSet", {"daemonsets"}),
        ("kind: '${{ inputs.kind }}'", {"cronjobs", "daemonsets", "deployments"}),
        ("name: cart", {"deployments", "jobs"}),
        ("name: ''", {"deployments"}),
        ("name: '${{ inputs.kind }}'", {"deployments", "jobs"}),
        ("kind: Job", {"cronjobs"}),
        ("kind: Job, name: cart", {"jobs"}),
    ],
    ids=["constant", "open", "default", "none", "any", "both", "one of two"],
)
def test_what_only_some_calls_need_is_granted_to_those_that_may_be_such(kind: str, resources: set[str]) -> None:
    step = f"steps: [{{id: see, uses: kubernetes.see, with: {{namespace: shop, {kind}}}}}]\n"
    found = granted(roles_of(needs(one=f"inputs: {{kind: {{}}}}\n{step}"), Wanted()))
    assert {resource for _, resource, *_ in found} == resources


def test_roles_of_namespaces_only_leave_out_what_is_the_clusters_and_say_so() -> None:
    roles = roles_of(needs(one=OPEN), Wanted(namespaces=("shop",), namespaced=True))
    assert [(one.step, one.resource) for one in roles.left_out] == [("look", "/nodes")]
    text = manifests(roles, Account(), ["a title"])
    assert text.startswith("# a title\n# Left out, for no namespace holds it: list on /nodes for one (look)\n")
    assert "ClusterRole" not in text
    with pytest.raises(InvalidInput, match="step look of playbook one may act in any namespace"):
        roles_of(needs(one=OPEN), Wanted(namespaced=True))


def test_what_is_granted_widely_is_not_granted_narrowly_again_and_says_for_whom() -> None:
    roles = roles_of(needs(one=LOOK, two=OPEN.replace(", name: cart", "")), Wanted())
    assert granted(roles) == {("", "deployments", (), ("get", "list")), ("", "nodes", (), ("list",))}
    assert "# get, list: one (look), two (look)" in manifests(roles, Account(), [])


EVERYWHERE = """
inputs: {ns: {}, list: {type: list}}
resolve: [{id: found, uses: kubernetes.look, with: {namespace: a-resolve}}]
steps:
  - id: both
    parallel:
      left: {steps: [{id: one, uses: kubernetes.look, with: {namespace: a-branch}}]}
  - id: loop
    for_each: {in: "${{ inputs.list }}", max_items: 3, steps: [{uses: kubernetes.look, with: {namespace: a-loop}}]}
  - id: choose
    switch:
      cases: [{if: "${{ inputs.ns == '' }}", steps: [{uses: kubernetes.look, with: {namespace: a-case}}]}]
      default: [{uses: kubernetes.look, with: {namespace: a-default}}]
  - id: sure
    verify: {uses: kubernetes.look, with: {namespace: a-verify}}
    until: ${{ result.there }}
    on_failure: [{uses: kubernetes.look, with: {namespace: a-handler}}]
  - id: mark
    uses: kubernetes.mark
    with: {namespace: a-change, name: x}
    undo: {uses: kubernetes.unmark, with: {namespace: an-undo, name: x}}
  - id: child
    playbook: other
    inputs: {}
on_failure: [{uses: kubernetes.look, with: {namespace: a-failure}}]
finally: [{uses: kubernetes.look, with: {namespace: an-end}}]
"""


def test_every_place_that_uses_an_action_is_found_also_in_the_playbooks_that_are_called() -> None:
    other = "steps: [{id: look, uses: kubernetes.look, with: {namespace: a-child}}]\n"
    known = books(everywhere=EVERYWHERE, other=other)
    found = needs_of([known["everywhere"]], known, REGISTRY)
    places = {one.namespaces[0] for one in found if one.namespaces}
    kinds = ("resolve", "branch", "loop", "case", "default", "verify", "handler", "change", "failure", "child")
    assert places == {"an-undo", "an-end", *(f"a-{kind}" for kind in kinds)}


def test_the_undo_of_a_change_is_needed_too_unless_nothing_is_taken_back() -> None:
    text = "steps: [{id: mark, uses: kubernetes.mark, with: {namespace: shop, name: x}UNDO}]\n"
    taken_back = needs(one=text.replace("UNDO", ""))
    assert [(one.verb, one.step, one.names) for one in taken_back] == [
        ("create", "mark", ()),
        ("patch", "mark", ("x",)),
        ("delete", "mark (undo)", ("x",)),
    ]
    assert [one.verb for one in needs(one=text.replace("UNDO", ", undo: never"))] == ["create", "patch"]


@pytest.mark.parametrize("name", worker.registry().names)
def test_what_takes_a_change_back_is_known_before_it_is_made(name: str) -> None:
    action = worker.registry().action(name)
    found = undo_actions(action)
    if issubclass(action, Change) and action.undoable:
        assert found, f"annotate what {name}.undo gives with the action's class, not with Change"
        assert all(worker.registry().name_of(one) for one in found)


@pytest.mark.parametrize("name", worker.registry().names)
def test_what_an_action_needs_is_written_so_that_it_can_be_granted(name: str) -> None:
    action = worker.registry().action(name)
    for one in action.permissions:
        if one.system == "kubernetes":
            assert one.resource.count("/") in {1, 2}, "group/plural[/subresource]"
        if one.system == "aws":
            assert one.resource == "*" or one.resource.startswith("arn:aws:")
            assert all(":" in verb for verb in one.verbs)
        fields = _fields(one.resource if one.system == "aws" else one.name)
        assert set(fields) <= {*action.model_fields, "account", "region"}, "a placeholder is a parameter's name"
        assert all(name in action.model_fields for name, _ in one.when), "a condition is on a parameter"


def _fields(template: str) -> Sequence[str]:
    return [part.partition("}")[0] for part in template.split("{")[1:]]


AWS = "steps: [{id: lock, uses: aws.lock, with: {user: bob, groups: [a, b], account: prod, region: eu-west-1}}]\n"


def test_arns_are_filled_from_constants_and_from_what_the_account_is() -> None:
    prod = AwsAccount("prod", "123456789012")
    (policy,) = policies_of(needs(**{"lock-it": AWS}), prod)
    assert {tuple(one["Resource"]): (one["Sid"], one["Action"]) for one in policy.document()["Statement"]} == {
        ("*",): ("LockIt1", ["ec2:DescribeInstances"]),
        ("arn:aws:iam::123456789012:user/bob",): ("LockIt2", ["iam:GetUser", "iam:UpdateAccessKey"]),
        (
            "arn:aws:logs:eu-west-1:123456789012:log-group:a",
            "arn:aws:logs:eu-west-1:123456789012:log-group:b",
        ): ("LockIt3", ["logs:StartQuery"]),
    }


def test_another_account_needs_nothing_and_what_is_open_is_open_within_what_the_account_allows() -> None:
    assert policies_of(needs(one=AWS), AwsAccount("test", is_default=False)) == []
    text = "inputs: {user: {}}\nsteps: [{id: lock, uses: aws.lock, with: {user: '${{ inputs.user }}'}}]\n"
    found = statements_of(needs(one=text), AwsAccount("test", "1", region="eu-west-1", regions=("eu-west-1", "x")))
    assert {resource for one in found for resource in one.resources} == {
        "*",
        "arn:aws:iam::1:user/*",
        "arn:aws:logs:eu-west-1:1:log-group:*",
    }


def test_a_resource_may_be_named_by_its_arn() -> None:
    text = AWS.replace("bob", "'arn:aws:iam::1:user/bob'")
    found = {resource for one in statements_of(needs(one=text), AwsAccount()) for resource in one.resources}
    assert "arn:aws:iam::1:user/bob" in found


def test_a_policy_that_would_be_too_long_is_several_with_ids_of_their_own() -> None:
    names = [f"user-{number:03}-{'x' * 40}" for number in range(20)]
    steps = ", ".join(f"{{uses: aws.lock, with: {{user: '{one}{two}'}}}}" for one in names for two in "abcdefghij")
    found = policies_of(needs(**{"many-users": f"steps: [{steps}]\n"}), AwsAccount("prod", "123456789012"))
    assert [one.name for one in found] == [f"halon-prod-{number}" for number in range(1, len(found) + 1)]
    sids = [sid for one in found for sid, _ in one.statements]
    assert len(sids) == len(set(sids))
    assert all(sid.isalnum() for sid in sids)
    for one in found:
        assert sum(not char.isspace() for char in json.dumps(one.document())) <= MAX_POLICY
    resources = {arn for one in found for _, statement in one.statements for arn in statement.resources}
    assert len(resources) == 20 * 10 + 2


def test_who_denies_users_everything_may_attach_no_policy_and_touch_no_role() -> None:
    step = "steps: [{id: deny, uses: aws.attach_deny_policy, with: {kind: user, name: bob}}]\n"
    registry = worker.registry()
    book = load((HEAD.replace("NAME", "deny") + step).encode(), "deny.yaml", registry.schemas).playbook
    assert book is not None
    verbs = {one.verb for one in needs_of([book], {}, registry)}
    assert verbs == {"iam:GetUser", "iam:GetUserPolicy", "iam:PutUserPolicy", "iam:DeleteUserPolicy"}
