"""A draft lints, passes its own tests, and takes from an alert what the alert shows."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

import worker
from halon.contracts.alert import Alert, AlertStatus
from halon.core.matching import match
from halon.errors import InvalidInput
from halon.playbook.catalogue import assemble
from halon.playbook.drafts import TEMPLATES, Wish, draft
from halon.playbook.lint import lint
from halon.playbook.loader import LoadResult, load
from halon.playbook.testing import run_tests

ACTIONS = worker.registry().schemas
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
POD = {"namespace": "shop", "pod": "cart-7d9f-x2x", "container": "cart", "severity": "critical", "cluster": "eu-1"}
DEPLOYMENT = {"namespace": "kube-system", "deployment": "coredns", "severity": "warning"}
ODD = {"namespace": "yes", "deployment": "true", "note": "a: \"b\" # ${{ c }} 'd' [e] {f}", "severity": "!*"}
ARN = {"account_id": "1234", "region": "eu-west-1", "resource": "arn:aws:iam::1234:user/ana", "severity": "HIGH"}


def alert_of(labels: Mapping[str, str], name: str = "CartBroken") -> Alert:
    return Alert(
        source="mixin",
        name=name,
        fingerprint="f",
        status=AlertStatus.FIRING,
        severity=labels.get("severity", ""),
        labels={"alertname": name, **labels},
        starts_at=NOW,
    )


def made(template: str, alert: Alert | None = None, **more: Any) -> LoadResult:
    text = draft(Wish("cart-broken", template, "../schema.json", alert=alert, **more))
    result = load(text, "cart-broken.yaml", ACTIONS)
    assert result.problems == (), text
    return result


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    "labels", [None, POD, DEPLOYMENT, ODD], ids=["no alert", "names a pod", "names a deployment", "odd values"]
)
def test_a_draft_has_no_findings_and_passes_its_tests(template: str, labels: dict[str, str] | None) -> None:
    alert = alert_of(labels) if labels else None
    result = made(template, alert)
    assert result.playbook is not None
    assert [one.message for one in lint(assemble([result]), ACTIONS, (), "production")] == []
    results = run_tests(result.playbook, {}, ACTIONS, result.document)
    assert [(one.name, one.status) for one in results] == [(one.name, "passed") for one in result.playbook.tests]
    if alert is not None:
        assert match(result.playbook, alert, NOW).matched


def test_triggers_groups_and_tests_are_those_of_the_alert() -> None:
    book = made("rollback", alert_of(POD)).playbook
    assert book is not None
    assert book.trigger is not None
    assert book.trigger.alerts == ("CartBroken",)
    assert book.trigger.labels == {"namespace": ("*", "!kube-*"), "pod": ("*",), "severity": ("critical",)}
    assert book.trigger.group_by == ("cluster", "namespace", "container")
    assert [step.uses for step in book.resolve] == ["kubernetes.get_owner"]
    assert all(test.alert is not None and test.alert.labels == POD for test in book.tests)


@pytest.mark.parametrize(
    ("labels", "group"),
    [
        ({"namespace": "shop", "consumergroup": "orders", "topic": "new"}, ("namespace", "consumergroup")),
        ({"account": "1", "region": "eu", "QueueName": "orders-dlq"}, ("account", "region", "QueueName")),
        ({"namespace": "monitoring", "exported_namespace": "shop", "pod": "x"}, ("namespace", "exported_namespace")),
    ],
)
def test_alerts_of_different_things_are_different_incidents(labels: dict[str, str], group: tuple[str, ...]) -> None:
    book = made("diagnose", alert_of(labels)).playbook
    assert book is not None
    assert book.trigger is not None
    assert book.trigger.group_by == group


def test_the_clusters_own_namespaces_are_left_out_unless_the_alert_is_of_one() -> None:
    book = made("restart", alert_of(DEPLOYMENT)).playbook
    assert book is not None
    assert book.trigger is not None
    assert (book.trigger.labels["namespace"], book.resolve) == (("*",), ())


def test_an_alert_of_something_else_is_diagnosed_and_names_its_source() -> None:
    alert = alert_of(ARN, "UnauthorizedAccess:IAMUser/ConsoleLogin[x]")
    result = made("diagnose", alert, sources=("guardduty",))
    assert result.playbook is not None
    assert result.playbook.trigger is not None
    assert result.playbook.trigger.group_by == ("account_id", "region", "resource")
    assert match(result.playbook, alert.model_copy(update={"source": "guardduty"}), NOW).matched
    assert [one.status for one in run_tests(result.playbook, {}, ACTIONS, result.document)] == ["passed"]


def test_an_alert_that_names_nothing_to_act_on_is_refused_with_what_it_has() -> None:
    with pytest.raises(InvalidInput, match=r"acts on a Deployment.*account_id, region, resource, severity"):
        draft(Wish("x", "restart", "s", alert=alert_of(ARN)))


@pytest.mark.parametrize(
    ("name", "template", "said"), [("Cart", "restart", "cannot name a playbook"), ("cart", "fix", "there are diagnose")]
)
def test_what_cannot_be_drafted_is_told(name: str, template: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        draft(Wish(name, template, "s"))
