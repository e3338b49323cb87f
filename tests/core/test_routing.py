"""Which worker a call is for, and which workers a playbook will need."""

from datetime import UTC, datetime
from typing import Any

import pytest

from halon.contracts.playbook import Playbook
from halon.contracts.routes import Carrier, Routes
from halon.core.routing import carrier_of, carriers_ahead

ROUTES = Routes(
    queue="halon",
    workers={"cluster:eu-1": "cluster:eu-1", "cluster:eu-2": "worker:edge", "account:prod": "account:prod"},
    reach={"kubernetes.get_pod": "cluster", "kubernetes.drain": "cluster", "aws.stop_instance": "account"},
    defaults={"cluster": "eu-1"},
)
READ = "kubernetes.get_pod"
NAMES: dict[str, Any] = {
    "alert": {"labels": {"cluster": "eu-2"}},
    "inputs": {"clusters": ["eu-1", "us-1"], "drain": False},
    "steps": {"owner": {"output": {"cluster": "eu-2"}, "outcome": "done"}},
    "vars": {},
    "now": datetime(2026, 1, 2, tzinfo=UTC),
}


def targets(*steps: dict[str, Any], **more: Any) -> list[str]:
    metadata = {"name": "p", "title": "P", "owner": "team"}
    given = {"apiVersion": "halon/v1", "kind": "Playbook", "metadata": metadata, "steps": list(steps), **more}
    return [one.target for one in carriers_ahead(ROUTES, Playbook.model_validate(given), NAMES)]


def read(cluster: str, **more: Any) -> dict[str, Any]:
    return {"uses": READ, "with": {"cluster": cluster}, **more}


@pytest.mark.parametrize(
    ("action", "params", "queue"),
    [
        (READ, {"cluster": "eu-1"}, "halon.cluster.eu-1"),
        (READ, {"cluster": "eu-2"}, "halon.worker.edge"),
        (READ, {}, "halon.cluster.eu-1"),
        (READ, {"cluster": "us-1"}, ""),
        (READ, {"cluster": 7}, ""),
        ("aws.stop_instance", {"account": "prod", "cluster": "eu-1"}, "halon.account.prod"),
        ("aws.stop_instance", {}, ""),
        ("http.check", {"cluster": "eu-1"}, ""),
    ],
)
def test_the_parameter_of_what_an_action_acts_on_says_which_worker(
    action: str, params: dict[str, Any], queue: str
) -> None:
    carrier = carrier_of(ROUTES, action, params)
    assert (carrier.queue if carrier else "") == queue


def test_without_workers_of_targets_everything_is_the_central_ones() -> None:
    assert carrier_of(Routes(), READ, {"cluster": "eu-1"}) is None
    assert not carriers_ahead(Routes(), Playbook.model_construct(steps=()), NAMES)


def test_what_is_missing_is_told_with_the_command_that_starts_it() -> None:
    edge = Carrier(target="cluster:eu-2", worker="worker:edge", queue="halon.worker.edge")
    assert edge.missing == (
        "no worker for cluster eu-2: nobody polls task queue halon.worker.edge; "
        "start one with `halon worker --for worker:edge`"
    )


def test_targets_are_known_from_constants_the_alert_inputs_and_what_resolve_found() -> None:
    assert targets(read("eu-1"), read("${{ alert.labels.cluster }}")) == ["cluster:eu-1", "cluster:eu-2"]
    assert targets(read("${{ steps.owner.output.cluster }}")) == ["cluster:eu-2"]
    assert targets({"uses": "aws.stop_instance", "with": {"account": "prod"}}) == ["account:prod"]


def test_what_a_later_step_will_say_is_not_guessed() -> None:
    assert targets(read("${{ steps.?later.?output.?cluster.orValue('eu-1') }}")) == []
    assert targets(read("${{ vars.?cluster.orValue('eu-1') }}")) == []


def test_a_step_whose_condition_is_known_to_be_false_needs_no_worker() -> None:
    assert targets(read("eu-2", **{"if": "${{ inputs.drain }}"})) == []
    assert targets(read("eu-2", **{"if": "${{ steps.later.output.bad }}"})) == ["cluster:eu-2"]


def test_steps_within_steps_count_and_loops_by_their_items() -> None:
    verify = {"verify": {"uses": READ, "with": {"cluster": "eu-1"}}, "until": "${{ true }}"}
    assert targets({"parallel": {"a": {"steps": [verify]}, "b": {"steps": [read("eu-2")]}}}) == [
        "cluster:eu-1",
        "cluster:eu-2",
    ]
    each = {"in": "${{ inputs.clusters }}", "max_items": 5, "steps": [read("${{ item }}")]}
    assert targets({"for_each": each}) == ["cluster:eu-1"]
    assert targets({"for_each": {**each, "in": "${{ steps.later.output.list }}"}}) == []
    cases = [{"if": "${{ inputs.drain }}", "steps": [read("eu-1")]}, {"if": "${{ true }}", "steps": [read("eu-2")]}]
    assert targets({"switch": {"cases": cases}}) == ["cluster:eu-2"]


def test_what_only_a_failure_would_need_refuses_no_run() -> None:
    assert targets(read("us-1"), on_failure=[read("eu-1")]) == []
