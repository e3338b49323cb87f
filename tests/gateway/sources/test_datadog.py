"""Datadog's webhooks: the documented template, other spellings of it, and the default body."""

from datetime import UTC, datetime
from typing import Any

import pytest
from reading import NOW, bodies, ends, read, taken

from halon.contracts.alert import AlertStatus
from halon.errors import InvalidInput


def test_an_alert_is_named_by_the_monitor_and_has_its_tags_as_labels() -> None:
    (alert,) = read("datadog", "firing").alerts
    assert (alert.name, alert.fingerprint) == ("Load is high", "1234567/host:web-1,env:prod")
    assert (alert.status, alert.severity) == (AlertStatus.FIRING, "critical")
    assert (alert.cycle, alert.starts_at) == ("1767322920000000007", datetime(2026, 1, 2, 3, 2, tzinfo=UTC))
    assert alert.labels == {
        "monitor_id": "1234567",
        "scope": "host:web-1,env:prod",
        "priority": "P2",
        "metric": "system.load.1",
        "host": "web-1",
        "organisation": "Shop",
        "severity": "critical",
        "env": "prod",
        "service": "checkout",
        "team": "sre,web",
    }
    assert alert.annotations["tags"] == "monitor"
    assert alert.annotations["query"].endswith("by {host} > 8")
    assert alert.url.startswith("https://app.datadoghq.eu/monitors/1234567")


def test_the_cycle_tells_repeats_and_the_end() -> None:
    firing, again, resolved = (read("datadog", case) for case in ("firing", "renotified", "resolved"))
    assert firing.alerts[0].episode == again.alerts[0].episode == resolved.alerts[0].episode
    assert ends(firing, resolved)
    assert "snapshot" not in resolved.alerts[0].annotations, "a variable without a value says null"


def test_the_default_body_is_read_by_the_title_of_its_event() -> None:
    firing, recovered = read("datadog", "default"), read("datadog", "default-recovered")
    (alert,) = firing.alerts
    assert (alert.name, alert.severity, alert.labels["host"]) == ("Load is high", "critical", "web-1")
    assert alert.labels == recovered.alerts[0].labels
    assert ends(firing, recovered)


def test_a_warning_without_a_priority_is_a_warning() -> None:
    (alert,) = read("datadog", "warned").alerts
    assert (alert.severity, "severity" in alert.labels, "priority" in alert.labels) == ("warning", False, False)


def test_the_names_of_a_template_may_be_spelt_otherwise() -> None:
    (alert,) = read("datadog", "camel").alerts
    assert (alert.name, alert.fingerprint, alert.cycle) == ("Load is high", "1234567", "")
    assert alert.starts_at == datetime(2026, 1, 2, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize("case", ["nested", "metadata"])
def test_a_template_may_have_the_variables_within_an_object(case: str) -> None:
    (alert,), (plain,) = read("datadog", case).alerts, read("datadog", "firing").alerts
    assert alert.episode == plain.episode
    assert (alert.name, alert.severity, alert.labels, alert.url) == (
        plain.name,
        plain.severity,
        plain.labels,
        plain.url,
    )
    assert ends(read("datadog", case), read("datadog", "resolved"))


def test_other_words_of_templates_are_understood() -> None:
    (alert,) = read("datadog", "other-words").alerts
    assert (alert.name, alert.fingerprint) == ("Load is high", "1234567/host:web-1,env:prod")
    assert (alert.severity, alert.annotations["transition"]) == ("warning", "warn")
    assert alert.starts_at == datetime(2026, 1, 2, 3, 2, tzinfo=UTC)


def test_without_a_time_and_a_cycle_the_event_is_told_apart_by_its_id_and_the_end_ends_it() -> None:
    body = bodies("datadog")["without-time"]
    firing, again = taken("datadog", body), taken("datadog", body, now=datetime(2026, 1, 2, 4, tzinfo=UTC))
    assert firing.alerts[0].episode == again.alerts[0].episode
    other = taken("datadog", body | {"id": "2647382937999"})
    assert other.alerts[0].episode != firing.alerts[0].episode
    assert ends(firing, taken("datadog", body | {"id": "2647382938000", "alert_transition": "Recovered"}))
    with pytest.raises(InvalidInput, match="into the webhook's payload"):
        taken("datadog", body | {"id": body["alert_id"]})


@pytest.mark.parametrize(
    ("case", "remark"),
    [("test", "Datadog tests the monitor's notifications"), ("event", "deployment is no alert")],
)
def test_what_is_no_alert_is_taken_and_does_nothing_but_say_so(case: str, remark: str) -> None:
    parsed = read("datadog", case)
    assert (parsed.alerts, parsed.remarks) == ((), (remark,))


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("[Triggered] Load is high", "Load is high"),
        ("[P1] [Triggered on {host:a}] [checkout] Load is high", "[checkout] Load is high"),
        ("[No Data on {host:a,env:b}] Load is high", "Load is high"),
        ("[Triggered]", "[Triggered]"),
        ("[[Triggered] x", "[[Triggered] x"),
    ],
)
def test_the_title_gives_the_name(title: str, name: str) -> None:
    body: dict[str, Any] = {"title": title, "alert_transition": "Triggered", "date": "1767322920000"}
    assert taken("datadog", body).alerts[0].name == name


def test_a_tag_may_say_the_severity() -> None:
    body = bodies("datadog")["warned"] | {"tags": "severity:info"}
    (alert,) = taken("datadog", body).alerts
    assert (alert.severity, alert.labels["severity"]) == ("info", "info")


def test_with_a_cycle_no_time_is_needed_and_with_neither_the_template_is_to_be_mended() -> None:
    body = {"title": "x", "alert_transition": "Triggered", "alert_cycle_key": "7"}
    assert taken("datadog", body).alerts[0].starts_at == NOW
    with pytest.raises(InvalidInput, match=r"put \$DATE and \$ALERT_CYCLE_KEY into the webhook's payload"):
        taken("datadog", body | {"alert_cycle_key": "$ALERT_CYCLE_KEY"})


def test_a_tag_hides_nothing_that_the_monitor_says() -> None:
    (alert,) = taken("datadog", bodies("datadog")["firing"] | {"tags": "priority:low,monitor_id:9,zone:a"}).alerts
    assert [alert.labels[name] for name in ("priority", "monitor_id", "zone")] == ["P2", "1234567", "a"]
