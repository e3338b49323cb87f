"""Opsgenie's outgoing webhook."""

from datetime import UTC, datetime

import pytest
from reading import bodies, ends, read, taken

from halon.contracts.alert import AlertStatus
from halon.errors import InvalidInput


def test_an_alert_that_is_created_fires_with_its_tags_as_labels() -> None:
    (alert,) = read("opsgenie", "firing").alerts
    assert (alert.name, alert.status, alert.severity) == ("Checkout answers 503", AlertStatus.FIRING, "critical")
    assert alert.fingerprint == "052652ac-5d1c-464a-812a-7dd18bbfba8c-1767322827104"
    assert alert.starts_at == datetime(2026, 1, 2, 3, 0, 27, 104000, tzinfo=UTC)
    assert alert.labels == {
        "alias": "checkout-503",
        "entity": "checkout-prod",
        "origin": "prometheus",
        "severity": "critical",
        "priority": "P1",
        "team": "Web",
        "tags": "urgent",
        "service": "checkout",
        "region": "eu-west-1",
    }
    assert alert.annotations["namespace"] == "shop", "details come only with the first action"
    assert alert.url.endswith("/052652ac-5d1c-464a-812a-7dd18bbfba8c-1767322827104/details")


def test_a_tag_hides_nothing_that_the_alert_says_itself() -> None:
    body = bodies("opsgenie")["firing"]
    tags = {"tags": ["alias:another", "severity:low", "team:Web", "zone:a"]}
    (alert,) = taken("opsgenie", body | {"alert": body["alert"] | tags | {"responders": []}}).alerts
    wanted = ("alias", "severity", "team", "zone")
    assert [alert.labels[name] for name in wanted] == ["checkout-503", "critical", "Web", "a"]


@pytest.mark.parametrize("case", ["resolved", "deleted"])
def test_one_that_is_closed_or_deleted_has_ended(case: str) -> None:
    assert ends(read("opsgenie", "firing"), read("opsgenie", case))


def test_the_time_of_the_end_is_in_nanoseconds() -> None:
    (alert,) = read("opsgenie", "resolved").alerts
    assert alert.ends_at is not None
    assert alert.ends_at.replace(microsecond=0) == datetime(2026, 1, 2, 3, 9, 45, tzinfo=UTC)


@pytest.mark.parametrize(("case", "action"), [("acknowledged", "Acknowledge"), ("note", "AddNote")])
def test_other_actions_are_no_alerts(case: str, action: str) -> None:
    parsed = read("opsgenie", case)
    assert (parsed.alerts, parsed.remarks) == ((), (f"{action} is no alert",))


def test_what_is_no_action_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no action of Opsgenie"):
        taken("opsgenie", {"alert": {}})
