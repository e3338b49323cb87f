"""Grafana alerting's contact point."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from reading import NOW, bodies, ends, read, source, taken

from halon.contracts.alert import AlertStatus
from halon.core.grouping import Triggers
from halon.errors import InvalidInput
from halon.gateway.bodies import Bodies


def test_an_alert_is_read_with_its_identity_its_start_and_its_links() -> None:
    (alert,) = read("grafana", "firing").alerts
    assert (alert.source, alert.name, alert.fingerprint) == ("shop", "High memory usage", "c6eadffa33fcdf37")
    assert (alert.status, alert.severity) == (AlertStatus.FIRING, "critical")
    assert alert.starts_at == datetime(2026, 1, 2, 3, 0, 0, 157076, tzinfo=UTC)
    assert alert.ends_at is None
    assert alert.labels["grafana_folder"] == "Shop"
    assert alert.url == "https://grafana.example.com/alerting/grafana/1afz29v7z/view?orgId=1"
    assert alert.annotations["summary"] == "Memory of cart-1 is at 93 %"
    assert alert.annotations["values"] == '{"A": 93.25, "C": 1}'
    assert alert.annotations["panel_url"].endswith("viewPanel=7")
    assert alert.annotations["silence_url"].startswith("https://grafana.example.com/alerting/silence/new")


def test_its_end_is_the_end_of_the_same_episode() -> None:
    firing, resolved = read("grafana", "firing"), read("grafana", "resolved")
    assert firing.alerts[0].episode == resolved.alerts[0].episode
    assert resolved.alerts[0].ends_at == datetime(2026, 1, 2, 3, 6, 10, tzinfo=UTC)
    assert ends(firing, resolved)


def test_a_body_holds_many_and_says_how_many_were_left_out() -> None:
    parsed = read("grafana", "batch")
    assert [(alert.labels["instance"], alert.status.value) for alert in parsed.alerts] == [
        ("cart-1", "firing"),
        ("cart-2", "firing"),
        ("cart-3", "resolved"),
    ]
    assert parsed.truncated == 4


def test_a_test_of_the_contact_point_does_nothing_but_say_so() -> None:
    parsed = read("grafana", "test")
    assert (parsed.alerts, parsed.remarks) == ((), ("Grafana tests the contact point",))


def test_one_that_is_not_fit_does_not_hold_up_the_others() -> None:
    good = {"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-01-02T03:00:00Z"}
    bad = [{"status": "firing"}, good | {"labels": {}}, good | {"status": "pending"}, good | {"startsAt": "soon"}, 7]
    parsed = taken("grafana", {"alerts": [good, *bad]})
    assert [alert.name for alert in parsed.alerts] == ["A"]
    assert [line.partition(": ")[0] for line in parsed.rejected] == [
        "alerts[1].labels",
        "alerts[2].labels.alertname",
        "alerts[3].status",
        "alerts[4].startsAt",
        "alerts[5].labels",
    ]


def test_alerts_that_are_no_list_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no notification of Grafana alerting"):
        read("grafana", "malformed")


def test_a_label_that_is_a_number_of_any_size_is_text() -> None:
    body = bodies("grafana")["firing"]
    (first, *rest) = body["alerts"]
    first = {name: value for name, value in first.items() if name != "fingerprint"}
    first["labels"] = first["labels"] | {"alertname": 2**60}
    alert = taken("grafana", body | {"alerts": [first, *rest]}).alerts[0]
    assert (alert.name, alert.labels["alertname"]) == (str(2**60), str(2**60))
    assert alert.fingerprint


def test_an_end_of_which_grafana_has_forgotten_the_beginning_ends_the_alert_all_the_same() -> None:
    assert ends(read("grafana", "firing"), read("grafana", "resolved-after-restart"))


def test_a_rule_of_legacy_alerting_fires_until_it_is_ok() -> None:
    (alert,) = read("grafana", "legacy").alerts
    assert (alert.name, alert.status, alert.severity) == ("Cart memory", AlertStatus.FIRING, "critical")
    assert (alert.starts_at, alert.undated) == (NOW, True)
    assert alert.labels == {
        "alertname": "Cart memory",
        "severity": "critical",
        "service": "cart",
        "rule_id": "41",
        "dashboard_id": "12",
        "panel_id": "7",
    }
    assert alert.url.startswith("https://grafana.example.com/d/shop/carts")
    (end,) = read("grafana", "legacy-ok", now=NOW + timedelta(hours=1)).alerts
    assert (end.name, end.labels, end.ends_at) == (alert.name, alert.labels, NOW + timedelta(hours=1))
    assert ends(read("grafana", "legacy"), read("grafana", "legacy-ok", now=NOW + timedelta(hours=1)))
    assert read("grafana", "legacy", now=NOW + timedelta(hours=2)).alerts[0].episode != alert.episode


def test_a_body_that_says_no_time_is_read_anew_each_time_and_another_is_remembered() -> None:
    bodies_read, later = Bodies(Triggers([])), NOW + timedelta(minutes=1)
    for case, anew in (("legacy", True), ("firing", False)):
        raw = json.dumps(bodies("grafana")[case]).encode()
        first, again = (bodies_read.read(source("grafana"), raw, {}, now) for now in (NOW, later))
        assert (first is not again) == anew


def test_a_rule_of_legacy_alerting_without_data_fires_too() -> None:
    (alert,) = read("grafana", "legacy-no-data").alerts
    assert (alert.status, alert.annotations["state"]) == (AlertStatus.FIRING, "no_data")


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        ({"state": "paused"}, "state paused is no alert"),
        ({"state": "pending"}, "state pending is no alert"),
    ],
)
def test_other_states_of_legacy_alerting_do_nothing_but_say_so(change: dict[str, str], remark: str) -> None:
    parsed = taken("grafana", bodies("grafana")["legacy"] | change)
    assert (parsed.alerts, parsed.remarks) == ((), (remark,))
    assert read("grafana", "legacy-test").remarks == ("Grafana tests the notification channel",)
