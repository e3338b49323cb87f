"""The accounts of halon.yaml as privileges are worked out for them, and which worker reaches what."""

import json
import re

import pytest
from pydantic import ValidationError

import worker
from halon.clients.aws.api import AwsApi
from halon.clients.environment import open_env
from halon.clients.kubernetes.api import KubernetesApi
from halon.clients.targets import accounts_of, carried, carriers_of, reaching, routes_of
from halon.contracts.routes import Routes
from halon.core.routing import carrier_of
from halon.errors import Misconfigured
from halon.kit.privileges.iam import AwsAccount
from halon.settings import Settings

PROD = {"account_id": "123456789012", "region": "eu-west-1", "regions": ["eu-west-1", "eu-central-1"]}
LAB = {"role": "arn:aws:iam::210987654321:role/halon"}


def settings(aws: object) -> Settings:
    return Settings.model_validate_json(json.dumps({"aws": aws}))


def test_each_account_is_known_with_its_number_and_its_regions() -> None:
    prod, lab = accounts_of(settings({"default": "prod", "accounts": {"prod": PROD, "lab": LAB}}))
    assert prod == AwsAccount("prod", "123456789012", "eu-west-1", ("eu-west-1", "eu-central-1"), is_default=True)
    assert lab == AwsAccount("lab", "210987654321", is_default=False)


def test_a_single_account_is_the_default_one() -> None:
    assert accounts_of(settings({"accounts": {"lab": LAB}})) == [AwsAccount("lab", "210987654321")]


def test_of_several_accounts_none_is_the_default_unless_it_is_said() -> None:
    assert [one.is_default for one in accounts_of(settings({"accounts": {"prod": PROD, "lab": LAB}}))] == [False, False]


def test_without_accounts_there_is_the_one_of_the_credentials_that_are_found() -> None:
    assert accounts_of(Settings()) == [AwsAccount()]


BOTH: dict[str, object] = {
    "kubernetes": {
        "default": "eu-1",
        "clusters": {"eu-1": {"worker": True}, "eu-2": {"worker": "edge"}, "home": {}},
    },
    "aws": {"accounts": {"prod": {"worker": "edge"}, "lab": {}}},
    "temporal": {"task_queue": "fire"},
}


def whole(given: object = BOTH) -> Settings:
    return Settings.model_validate_json(json.dumps(given))


def test_each_worker_has_a_task_queue_that_is_named_after_the_central_one() -> None:
    assert [(one.target, one.worker, one.queue) for one in carriers_of(whole())] == [
        ("cluster:eu-1", "cluster:eu-1", "fire.cluster.eu-1"),
        ("cluster:eu-2", "worker:edge", "fire.worker.edge"),
        ("account:prod", "worker:edge", "fire.worker.edge"),
    ]


def test_a_run_carries_the_workers_with_the_defaults_and_nothing_where_all_is_central() -> None:
    registry = worker.registry()
    routes = routes_of(whole(), registry)
    assert routes.defaults == {"cluster": "eu-1"}
    assert (routes.reach["kubernetes.drain"], routes.reach["aws.set_desired_count"]) == ("cluster", "account")
    assert routes.reach["flux.suspend"] == "cluster"
    assert "http.check" not in routes.reach
    assert routes_of(Settings(), registry) == Routes()


def test_an_account_that_is_called_by_its_number_is_sent_to_its_worker_too() -> None:
    routes = routes_of(settings({"accounts": {"prod": {**PROD, "worker": True}, "lab": LAB}}), worker.registry())
    for called in ("prod", "123456789012"):
        carrier = carrier_of(routes, "aws.set_desired_count", {"account": called})
        assert carrier is not None
        assert carrier.queue == "halon.account.prod"
    assert carrier_of(routes, "aws.set_desired_count", {"account": "210987654321"}) is None


def test_every_action_that_names_a_cluster_or_an_account_is_sent_by_it() -> None:
    registry = worker.registry()
    for name in registry.names:
        fields = registry.action(name).model_fields
        wanted = registry.reach.get(name)
        assert wanted is None or wanted in fields, name
        assert wanted is not None or not {"cluster", "account"} & set(fields), name


@pytest.mark.parametrize(
    ("chosen", "central", "targets"),
    [
        ((), True, []),
        (("all",), True, ["cluster:eu-1", "cluster:eu-2", "account:prod"]),
        (("cluster:eu-1",), False, ["cluster:eu-1"]),
        (("worker:edge",), False, ["cluster:eu-2", "account:prod"]),
        (("cluster:eu-1", "worker:edge"), False, ["cluster:eu-1", "cluster:eu-2", "account:prod"]),
    ],
)
def test_a_process_carries_what_it_was_started_for(
    chosen: tuple[str, ...], *, central: bool, targets: list[str]
) -> None:
    found = carried(whole(), chosen)
    assert (found.central, [one.target for one in found.carriers]) == (central, targets)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ("eu-1", "`eu-1` is no target: write cluster:NAME, account:NAME"),
        ("cluster:eu-3", "halon.yaml has no cluster eu-3; those with a worker are: eu-1"),
        ("cluster:home", "cluster home has no `worker: true`"),
        ("cluster:eu-2", "use `--for worker:edge`"),
        ("worker:far", "no worker far; those with a worker are: edge"),
        ("account:lab", "account lab has no `worker: true`"),
    ],
)
def test_what_has_no_worker_of_its_own_is_refused_with_what_there_is(chosen: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(said)):
        carried(whole(), (chosen,))


async def test_a_process_reaches_what_it_carries_and_nothing_else() -> None:
    def reached(settings: Settings, chosen: tuple[str, ...]) -> tuple[list[str], list[str]]:
        given = reaching(settings, carried(settings, chosen))
        clusters = [name for name, one in given.kubernetes.clusters.items() if not one.worker]
        return clusters, [name for name, one in given.aws.accounts.items() if not one.worker]

    assert reached(whole(), ()) == (["home"], ["lab"])
    assert reached(whole(), ("cluster:eu-1",)) == (["eu-1"], [])
    assert reached(whole(), ("worker:edge",)) == (["eu-2"], ["prod"])
    assert reached(whole(), ("all",)) == (["eu-1", "eu-2", "home"], ["prod", "lab"])
    async with open_env(reaching(whole(), carried(whole(), ()))) as env:
        with pytest.raises(Misconfigured, match="cluster eu-1 is reached by its own worker"):
            env.get(KubernetesApi).cluster("")
        with pytest.raises(Misconfigured, match="account prod is reached by its own worker"):
            env.get(AwsApi).account("prod")
        assert env.get(KubernetesApi).cluster("home").name == "home"
        assert env.get(AwsApi).account("lab").name == "lab"


def test_yes_is_not_taken_for_the_name_of_a_shared_worker() -> None:
    with pytest.raises(ValidationError, match="write `true`"):
        whole({"kubernetes": {"clusters": {"eu-1": {"worker": "yes"}}}})
