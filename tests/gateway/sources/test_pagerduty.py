"""PagerDuty's webhooks, version 3."""

from datetime import UTC, datetime

import pytest
from reading import ends, read, taken

from halon.contracts.alert import AlertStatus
from halon.errors import InvalidInput


def test_an_incident_that_triggers_is_an_alert() -> None:
    (alert,) = read("pagerduty", "firing").alerts
    assert (alert.name, alert.fingerprint, alert.status) == ("Checkout answers 503", "PGR0VU2", AlertStatus.FIRING)
    assert alert.severity == "critical"
    assert alert.starts_at == datetime(2026, 1, 2, 3, 0, 27, tzinfo=UTC)
    assert alert.labels == {
        "service": "Checkout",
        "service_id": "PF9KMXH",
        "severity": "critical",
        "priority": "P1",
        "urgency": "high",
        "team": "Web, Payments",
        "escalation_policy": "Default",
        "incident_key": "d3640fbd41094207a1c11e58e46b1662",
        "incident_type": "incident_default",
    }
    assert alert.url == "https://acme.pagerduty.com/incidents/PGR0VU2"
    assert (alert.annotations["assignees"], alert.annotations["number"]) == ("Rosa Diaz", "2")


def test_its_resolution_ends_it_and_says_why() -> None:
    firing, resolved = read("pagerduty", "firing"), read("pagerduty", "resolved")
    assert ends(firing, resolved)
    assert "Everything answers 503" in resolved.alerts[0].annotations["resolve_reason"]
    assert resolved.alerts[0].ends_at == datetime(2026, 1, 2, 3, 9, 45, 169000, tzinfo=UTC)


def test_one_that_is_reopened_is_a_new_episode_that_the_next_resolution_ends() -> None:
    firing, reopened, resolved = (read("pagerduty", case) for case in ("firing", "reopened", "resolved"))
    assert reopened.alerts[0].episode != firing.alerts[0].episode
    assert reopened.alerts[0].condition == firing.alerts[0].condition
    assert reopened.alerts[0].severity == "critical", "by its urgency, for want of a priority"
    assert ends(reopened, resolved)


@pytest.mark.parametrize(
    ("case", "remark"),
    [
        ("acknowledged", "incident.acknowledged is no alert"),
        ("service", "service.updated is no alert"),
        ("test", "PagerDuty tests the webhook"),
    ],
)
def test_what_is_no_alert_is_taken_and_does_nothing_but_say_so(case: str, remark: str) -> None:
    parsed = read("pagerduty", case)
    assert (parsed.alerts, parsed.rejected, parsed.remarks) == ((), (), (remark,))


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({}, "event.event_type"),
        ({"event_type": "incident.triggered"}, "event.data.title"),
        ({"event_type": "incident.triggered", "data": {"title": "x"}}, "event.data.id"),
        ({"event_type": "incident.triggered", "data": {"title": "x", "id": "P"}}, "event.data.created_at"),
    ],
)
def test_what_names_an_incident_has_to_be_there(event: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        taken("pagerduty", {"event": event})


def test_a_body_of_another_version_is_refused() -> None:
    with pytest.raises(InvalidInput, match="version 3"):
        taken("pagerduty", {"messages": [{"event": "incident.trigger"}]})
