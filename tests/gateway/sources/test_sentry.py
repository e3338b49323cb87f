"""Sentry's integration platform, and the webhooks plugin of before."""

from datetime import UTC, datetime

import pytest
from reading import ends, read, taken

from halon.contracts.alert import AlertStatus
from halon.errors import InvalidInput


def test_a_metric_alert_is_named_by_its_rule_and_may_change_its_severity() -> None:
    (warning,), (critical,) = read("sentry", "metric-warning").alerts, read("sentry", "firing").alerts
    assert (critical.name, critical.fingerprint) == ("Too many errors", "metric-alert/7")
    assert [warning.severity, critical.severity] == ["warning", "critical"]
    assert warning.episode == critical.episode
    assert critical.labels == {
        "organization": "5",
        "project": "checkout",
        "environment": "production",
        "rule_id": "7",
    }
    assert critical.starts_at == datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
    assert ends(read("sentry", "firing"), read("sentry", "resolved"))


def test_an_issue_alert_has_project_level_release_and_environment() -> None:
    (alert,) = read("sentry", "event-alert", sentry_hook_resource="event_alert").alerts
    assert (alert.name, alert.fingerprint) == ("ReferenceError: heck is not defined", "1170820242")
    assert alert.labels == {
        "organization": "shop",
        "project": "checkout",
        "level": "error",
        "severity": "warning",
        "platform": "python",
        "release": "shop@2.4.1",
        "environment": "production",
    }
    assert alert.annotations["rule"] == "Errors in production"
    assert alert.annotations["tag.server_name"] == "checkout-7d9f"
    assert alert.url.startswith("https://sentry.io/organizations/shop/issues/1170820242/events/")


def test_a_sample_event_is_a_test() -> None:
    parsed = read("sentry", "sample", sentry_hook_resource="event_alert")
    assert (parsed.alerts, parsed.remarks) == ((), ("Sentry tests with a sample event",))


def test_an_error_is_the_same_episode_as_the_alert_that_it_sets_off() -> None:
    (error,) = read("sentry", "error-created", sentry_hook_resource="error").alerts
    (alert,) = read("sentry", "event-alert", sentry_hook_resource="event_alert").alerts
    assert (error.episode, error.name, error.labels) == (alert.episode, alert.name, alert.labels)


@pytest.mark.parametrize("case", ["issue-resolved", "issue-archived"])
@pytest.mark.parametrize("begun", ["error-created", "event-alert", "issue-created", "issue-unresolved"])
def test_an_issue_that_is_resolved_or_archived_ends_what_it_began(begun: str, case: str) -> None:
    assert ends(read("sentry", begun), read("sentry", case))


def test_an_issue_that_comes_back_is_a_new_episode() -> None:
    (created,), (again,) = read("sentry", "issue-created").alerts, read("sentry", "issue-unresolved").alerts
    assert created.condition == again.condition
    assert created.episode != again.episode


@pytest.mark.parametrize(
    ("case", "resource", "remark"),
    [
        ("issue-assigned", "issue", "issue assigned is no alert"),
        ("installation", "installation", "installation created is no alert"),
        ("installation", "", "a webhook created is no alert"),
    ],
)
def test_other_resources_are_no_alerts(case: str, resource: str, remark: str) -> None:
    headers = {"sentry_hook_resource": resource} if resource else {}
    parsed = read("sentry", case, **headers)
    assert (parsed.alerts, parsed.remarks) == ((), (remark,))


def test_the_plugin_of_before_is_read_too() -> None:
    (alert,) = read("sentry", "plugin").alerts
    assert (alert.name, alert.fingerprint) == ("This is an example Python exception", "541485531")
    assert (alert.labels["release"], alert.annotations["rule"]) == ("shop@2.4.1", "Errors in production")
    assert alert.status is AlertStatus.FIRING


def test_a_header_that_says_what_the_body_does_not_hold_is_refused_with_the_field() -> None:
    with pytest.raises(InvalidInput, match=r"data\.event\.title: Field required"):
        taken("sentry", {"action": "triggered", "data": {}}, sentry_hook_resource="event_alert")
