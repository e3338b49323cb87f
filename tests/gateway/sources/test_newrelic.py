"""New Relic's workflows, in their default template, and the incidents of the channels of before."""

from datetime import UTC, datetime

import pytest
from reading import NOW, bodies, ends, read, taken

from halon.contracts.alert import AlertStatus
from halon.errors import InvalidInput


def test_an_issue_is_named_by_its_condition() -> None:
    (alert,) = read("newrelic", "firing").alerts
    assert (alert.name, alert.fingerprint) == ("Error rate is high", "0ea2df1c-adab-45d2-aae0-042b609d2322")
    assert (alert.status, alert.severity) == (AlertStatus.FIRING, "critical")
    assert alert.starts_at == datetime(2026, 1, 2, 3, 0, 27, 104000, tzinfo=UTC)
    assert alert.labels == {
        "condition": "Error rate is high",
        "policy": "Shop",
        "entity": "checkout",
        "severity": "critical",
        "priority": "CRITICAL",
        "workflow": "Halon",
        "origin": "newrelic",
    }
    assert alert.annotations["summary"] == "checkout query result is > 5.0 on 'Error rate is high'"
    assert alert.url.startswith("https://radar-api.service.newrelic.com/accounts/1000/issues/")


def test_an_issue_that_grows_is_the_same_and_ends_once() -> None:
    firing, grown, resolved = (read("newrelic", case) for case in ("firing", "more-incidents", "resolved"))
    assert firing.alerts[0].episode == grown.alerts[0].episode == resolved.alerts[0].episode
    assert firing.alerts[0].labels == grown.alerts[0].labels
    assert grown.alerts[0].annotations["entities"] == '["checkout", "cart"]'
    assert ends(firing, resolved)


def test_fields_may_be_lists_because_a_template_makes_them_so() -> None:
    (alert,) = read("newrelic", "arrays").alerts
    assert alert.name == "Memory is short", "for want of a condition"
    assert "entity" not in alert.labels


def test_incidents_of_the_channels_of_before_are_read_too() -> None:
    firing, closed = read("newrelic", "incident-open"), read("newrelic", "incident-closed")
    (alert,) = firing.alerts
    assert (alert.name, alert.fingerprint, alert.labels["entity"]) == ("Error rate is high", "42", "checkout")
    assert alert.labels == closed.alerts[0].labels
    assert ends(firing, closed)


def test_a_template_may_put_an_issue_into_the_words_of_the_channels_of_before() -> None:
    firing = read("newrelic", "incident-of-an-issue")
    (alert,) = firing.alerts
    assert (alert.name, alert.fingerprint) == ("Error rate is high", "0ea2df1c-adab-45d2-aae0-042b609d2322")
    assert (alert.severity, alert.labels["policy"], alert.labels["entity"]) == ("critical", "Shop", "checkout")
    closed = bodies("newrelic")["incident-of-an-issue"] | {"current_state": "CLOSED", "updatedAt": 1767323227104}
    (end,) = taken("newrelic", closed).alerts
    assert (end.episode, end.labels) == (alert.episode, alert.labels)
    assert end.ends_at == datetime(2026, 1, 2, 3, 7, 7, 104000, tzinfo=UTC)


def test_a_template_may_leave_out_when_an_issue_began() -> None:
    body = bodies("newrelic")["without-start"]
    firing, again = taken("newrelic", body), taken("newrelic", body, now=datetime(2026, 1, 2, 4, tzinfo=UTC))
    assert (firing.alerts[0].starts_at, firing.alerts[0].severity) == (NOW, "warning")
    assert firing.alerts[0].episode == again.alerts[0].episode
    assert ends(firing, taken("newrelic", body | {"state": "CLOSED"}))


@pytest.mark.parametrize(
    ("case", "remark"),
    [("acknowledged", "state ACKNOWLEDGED is no alert"), ("test", "New Relic tests the destination")],
)
def test_what_is_no_alert_is_taken_and_does_nothing_but_say_so(case: str, remark: str) -> None:
    parsed = read("newrelic", case)
    assert (parsed.alerts, parsed.remarks) == ((), (remark,))


def test_one_that_is_not_fit_is_named() -> None:
    assert read("newrelic", "malformed").rejected[0].startswith("body[0].createdAt: no time")
    with pytest.raises(InvalidInput, match="no notification of New Relic"):
        taken("newrelic", "text")
