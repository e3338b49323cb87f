"""CloudEvents 1.0: structured, batched and binary."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from reading import NOW, bodies, ends, read, taken

from halon.contracts.alert import AlertStatus
from halon.errors import InvalidInput

ATTRIBUTES = {
    "ce_specversion": "1.0",
    "ce_id": "A234-1234-1234",
    "ce_source": "https://monitoring.example.com/shop",
    "ce_type": "com.example.checkout.alert",
    "ce_subject": "checkout",
    "ce_time": "2026-01-02T03:00:28Z",
    "ce_region": "eu-west-1",
}


def test_an_event_in_structured_mode_is_an_alert() -> None:
    (alert,) = read("cloudevents", "firing").alerts
    assert (alert.name, alert.fingerprint) == ("CheckoutDown", "https://monitoring.example.com/shop#checkout")
    assert (alert.severity, alert.starts_at) == ("critical", datetime(2026, 1, 2, 3, 0, 28, tzinfo=UTC))
    assert alert.labels == {
        "service": "checkout",
        "event_source": "https://monitoring.example.com/shop",
        "event_type": "com.example.checkout.alert",
        "subject": "checkout",
        "region": "eu-west-1",
    }
    assert alert.annotations == {"event_id": "A234-1234-1234", "summary": "HTTP 503"}
    assert ends(read("cloudevents", "firing"), read("cloudevents", "resolved"))


def test_binary_mode_says_the_same_in_headers() -> None:
    assert read("cloudevents", "binary", **ATTRIBUTES) == read("cloudevents", "firing")
    (alert,) = read("cloudevents", "binary", **ATTRIBUTES | {"ce_subject": quote("Kasse für Köln")}).alerts
    assert alert.labels["subject"] == "Kasse für Köln"


def test_data_may_be_in_base64() -> None:
    (one,), (other,) = read("cloudevents", "encoded").alerts, read("cloudevents", "firing").alerts
    assert (one.name, one.episode) == (other.name, other.episode)
    with_text = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data_base64": "bm8ganNvbg=="}
    assert taken("cloudevents", with_text).rejected == ("events[0].data_base64: JSON in base64 was expected",)


def test_an_event_without_a_time_and_without_fields_of_an_alert_is_told_apart_by_its_id() -> None:
    (alert,) = read("cloudevents", "bare").alerts
    assert (alert.name, alert.starts_at) == ("com.example.too.hot", NOW)
    assert alert.labels == {
        "event_source": "/sensors",
        "event_type": "com.example.too.hot",
        "celsius": "91",
        "room": "b",
    }
    later = read("cloudevents", "bare", now=datetime(2026, 1, 3, tzinfo=UTC)).alerts[0]
    assert later.episode == alert.episode


def test_a_batch_is_read_one_by_one() -> None:
    parsed = read("cloudevents", "batch")
    assert [alert.name for alert in parsed.alerts] == ["CheckoutDown", "com.example.too.hot"]
    assert parsed.rejected == ("events[2].specversion: 1.0 was expected",)


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(InvalidInput, match="neither body nor headers are a CloudEvent"):
        taken("cloudevents", {"name": "CheckoutDown"})


def test_the_state_of_a_thing_is_no_status_of_an_alert() -> None:
    (alert,) = read("cloudevents", "state-of-a-thing").alerts
    assert (alert.status, alert.labels["status"]) == (AlertStatus.FIRING, "Succeeded")
    assert (alert.severity, alert.labels["severity"]) == ("warning", "Error")
    assert alert.starts_at == datetime(2026, 1, 2, 3, 0, 28, 123456, tzinfo=UTC)
    body = bodies("cloudevents")["state-of-a-thing"]
    of_an_object = taken("cloudevents", body | {"data": {"status": {"phase": "Failed"}}})
    assert of_an_object.alerts[0].status is AlertStatus.FIRING
    of_an_alert = taken("cloudevents", body | {"data": {"name": "CheckoutDown", "status": "Succeeded"}})
    assert of_an_alert.rejected == ("events[0].data.status: firing or resolved was expected",)


def test_a_field_of_the_data_hides_nothing_that_the_event_says() -> None:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "/shop",
        "type": "down",
        "data": {"event_source": "/other", "a": 1},
    }
    (alert,) = taken("cloudevents", event).alerts
    assert [alert.labels[name] for name in ("event_source", "a")] == ["/shop", "1"]
