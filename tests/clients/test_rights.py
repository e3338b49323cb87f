"""Clusters and accounts are asked for what playbooks need; what could not be asked is never fine."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
import yaml
from emulator import ACCOUNT, REGION, Emulator, emulated
from layers_iam import IAM_LAYERS

import worker
from halon.clients import rights as module
from halon.clients.aws.api import AwsApi
from halon.clients.kubernetes.api import KubernetesApi, KubernetesConfig
from halon.clients.kubernetes.connection import ClusterConfig
from halon.clients.rights import Right, rights_of_accounts, rights_of_clusters
from halon.clients.targets import accounts_of
from halon.contracts.playbook import Playbook
from halon.demo.cluster import DemoCluster, Fault, FaultKind
from halon.kit.privileges.iam import policies_of
from halon.kit.privileges.manifests import Account, manifests
from halon.kit.privileges.needs import Need, needs_of
from halon.kit.privileges.rbac import Wanted, roles_of
from halon.settings import Settings

REGISTRY = worker.registry()
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def needs(*calls: tuple[str, dict[str, Any]]) -> list[Need]:
    steps = [{"id": f"s{number}", "uses": action, "with": given} for number, (action, given) in enumerate(calls)]
    meta = {"name": "mend", "title": "Mend it", "owner": "team-a"}
    book = Playbook.model_validate({"apiVersion": "halon/v1", "kind": "Playbook", "metadata": meta, "steps": steps})
    return needs_of([book], {}, REGISTRY)


RESTART = ("kubernetes.restart_deployment", {"namespace": "shop", "name": "cart"})
ANYWHERE = ("kubernetes.get_pod", {"namespace": "${{ inputs.ns }}", "name": "x"})
CORDON = ("kubernetes.cordon", {"name": "node-a"})
KEY = ("aws.deactivate_access_key", {"user": "ana", "access_key_id": "AKIA0000000000000000"})


def states(found: Sequence[Right]) -> dict[str, list[str]]:
    by: dict[str, list[str]] = {}
    for one in found:
        by.setdefault(one.state, []).append(f"{one.verb} {one.resource} {one.namespace}/{one.name}")
    return by


class Cluster:
    """A cluster, and Halon's service account in it."""

    def __init__(self, demo: DemoCluster) -> None:
        self.demo = demo
        kubeconfig = demo.kubeconfig_for(demo.add_account("halon", "halon"))
        self.api = KubernetesApi(KubernetesConfig({"eu": ClusterConfig(kubeconfig=kubeconfig)}))
        self.settings = Settings.model_validate({"kubernetes": {"clusters": {"eu": {"kubeconfig": str(kubeconfig)}}}})

    async def grant(self, wanted: Sequence[Need], *namespaces: str) -> None:
        text = manifests(roles_of(wanted, Wanted(namespaces=namespaces)), Account(), [])
        for one in yaml.safe_load_all(text):
            await self.demo.apply(one)

    async def ask(self, asked: Sequence[Need], *namespaces: str) -> list[Right]:
        return await rights_of_clusters(asked, self.settings, self.api, namespaces)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with DemoCluster() as demo:
        one = Cluster(demo)
        yield one
        await one.api.close()


async def test_what_the_generated_roles_grant_is_allowed_and_the_rest_is_missing_for_its_steps(
    cluster: Cluster,
) -> None:
    await cluster.grant(needs(RESTART), "shop")
    found = await cluster.ask(needs(RESTART, CORDON), "shop")
    restart = [one for one in found if one.needed_by[0].step == "s0"]
    assert restart
    assert {one.state for one in restart} == {"allowed"}
    lacking = [one for one in found if one.state != "allowed"]
    assert {(one.state, one.resource, one.namespace) for one in lacking} == {("missing", "/nodes", "")}
    assert {one.needed_by[0].step for one in lacking} == {"s1"}
    assert {one.target for one in found} == {"eu"}


async def test_a_name_and_a_namespace_are_asked_for_as_they_are_granted(cluster: Cluster) -> None:
    await cluster.grant(needs(RESTART), "shop")
    other = ("kubernetes.restart_deployment", {"namespace": "shop", "name": "other"})
    missing = states(await cluster.ask(needs(other), "shop"))["missing"]
    assert "patch apps/deployments shop/other" in missing
    await cluster.grant(needs(ANYWHERE), "shop")
    assert set(states(await cluster.ask(needs(ANYWHERE), "shop"))) == {"allowed"}
    assert states(await cluster.ask(needs(ANYWHERE)))["missing"] == ["get /pods /"]
    assert states(await cluster.ask(needs(ANYWHERE), "shop", "web"))["missing"] == ["get /pods web/"]


async def test_a_cluster_that_nobody_knows_is_told(cluster: Cluster) -> None:
    there = ("kubernetes.restart_deployment", {"namespace": "shop", "name": "cart", "cluster": "us"})
    found = await cluster.ask(needs(there), "shop")
    assert {(one.target, one.state) for one in found} == {("us", "missing")}
    assert "does not name it under kubernetes.clusters" in found[0].problem


async def test_a_cluster_that_does_not_answer_leaves_everything_unknown(cluster: Cluster) -> None:
    cluster.demo.faults.inject(Fault(kind=FaultKind.STATUS, status=503, count=1))
    found = await cluster.ask(needs(RESTART), "shop")
    assert {one.state for one in found} == {"unknown"}
    assert "cluster eu" in found[0].problem
    assert {one.state for one in await cluster.ask(needs(RESTART), "shop")} == {"missing"}  # it was asked once


async def test_questions_are_bounded_in_number_and_time(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    await cluster.grant(needs(RESTART), "shop")
    monkeypatch.setattr(module, "MAX_QUESTIONS", 2)
    found = await cluster.ask(needs(RESTART), "shop")
    assert [one.state for one in found[:3]] == ["allowed", "allowed", "unknown"]
    assert "more than 2 rights" in found[2].problem
    monkeypatch.setattr(module, "WITHIN", 0.2)
    cluster.demo.faults.inject(Fault(kind=FaultKind.DELAY_REPLY, seconds=2, count=10))
    slow = await cluster.ask(needs(RESTART), "shop")
    assert (slow[0].state, slow[0].problem) == ("unknown", "no answer within 0 s")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with emulated(IAM_LAYERS) as one:
        yield one


@pytest.fixture
def account(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> "Aws":
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTING")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret-key")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    emulator.state.clear()
    emulator.denied.clear()
    return Aws(emulator)


class Aws:
    """An account, in which Halon has a role."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.iam = emulator.admin("iam")
        name = f"halon-{len(self.iam.list_roles()['Roles'])}"
        self.role = self.iam.create_role(RoleName=name, Path="/automation/", AssumeRolePolicyDocument=TRUST)["Role"]
        about = {"endpoint": emulator.url, "region": REGION, "role": self.role["Arn"]}
        self.settings = Settings.model_validate({"aws": {"accounts": {"prod": about}}})

    def grant(self, wanted: Sequence[Need]) -> None:
        for policy in policies_of(wanted, accounts_of(self.settings)[0]):
            document = json.dumps(policy.document())
            self.iam.put_role_policy(RoleName=self.role["RoleName"], PolicyName=policy.name, PolicyDocument=document)

    async def ask(self, asked: Sequence[Need]) -> list[Right]:
        api = AwsApi(self.settings.aws)
        try:
            return await rights_of_accounts(asked, self.settings, api)
        finally:
            await api.close()


async def test_the_generated_policies_are_enough_in_an_account_and_less_is_missing(account: Aws) -> None:
    before = await account.ask(needs(KEY))
    assert {one.state for one in before} == {"missing"}
    assert before[0].problem == "no policy allows it"
    account.grant(needs(KEY))
    found = await account.ask(needs(KEY))
    assert {one.state for one in found} == {"allowed"}
    assert {one.target for one in found} == {"prod"}
    assert all(f":{ACCOUNT}:" in one.resource or one.resource == "*" for one in found)


async def test_a_policy_that_denies_and_a_condition_are_told_apart(account: Aws) -> None:
    account.emulator.state["context"] = {"iam:UpdateAccessKey": "aws:RequestTag/team"}
    unknown = next(one for one in await account.ask(needs(KEY)) if one.verb == "iam:UpdateAccessKey")
    assert unknown.state == "unknown"
    assert "depends on aws:RequestTag/team" in unknown.problem
    account.grant(needs(KEY))
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:Update*", "Resource": "*"}]}
    account.iam.put_role_policy(RoleName=account.role["RoleName"], PolicyName="deny", PolicyDocument=json.dumps(deny))
    denied = next(one for one in await account.ask(needs(KEY)) if one.verb == "iam:UpdateAccessKey")
    assert (denied.state, denied.problem) == ("missing", "a policy denies it")


async def test_an_account_in_which_halon_may_not_ask_is_unknown_and_says_which_right_that_takes(account: Aws) -> None:
    account.grant(needs(KEY))
    account.emulator.denied = {"iam:SimulatePrincipalPolicy"}
    found = await account.ask(needs(KEY))
    assert {one.state for one in found} == {"unknown"}
    assert "iam:SimulatePrincipalPolicy" in found[0].problem


async def test_a_role_whose_path_nobody_may_look_up_is_asked_about_without_it(account: Aws) -> None:
    account.grant(needs(KEY))
    account.emulator.denied = {"iam:GetRole"}
    assert {one.state for one in await account.ask(needs(KEY))} == {"allowed"}


async def test_what_only_its_own_worker_reaches_is_not_asked_from_here(cluster: Cluster) -> None:
    own = {"kubernetes": {"clusters": {"eu": {"worker": True}}}, "aws": {"accounts": {"prod": {"worker": True}}}}
    settings = Settings.model_validate(own)
    assert await rights_of_clusters(needs(RESTART), settings, cluster.api) == []
    assert await rights_of_accounts(needs(KEY), settings, AwsApi(settings.aws)) == []
