"""What comes through a topic of Amazon SNS: alarms, budgets, events, and whatever else programs publish."""

from datetime import UTC, datetime

import pytest
from reading import bodies, ends, read, taken

from halon.contracts.alert import AlertStatus
from halon.errors import InvalidInput
from halon.gateway.parsing import Parsed
from halon.gateway.sources import build_source
from halon.settings import Auth, Source

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
ALARM = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-cpu"
SINCE = datetime(2026, 1, 2, 3, 0, 28, 831000, tzinfo=UTC)


def published(message: str, **changes: object) -> Parsed:
    """What is read of a message in the envelope of another one."""
    return taken("sns", bodies("sns")["text"] | {"Message": message} | changes)


def test_an_alarm_has_its_own_identity_time_and_dimensions() -> None:
    (alert,) = read("sns", "firing").alerts
    assert (alert.name, alert.fingerprint, alert.starts_at) == ("checkout-cpu", ALARM, SINCE)
    assert (alert.status, alert.severity) == (AlertStatus.FIRING, "warning")
    assert alert.labels == {
        "account": "123456789012",
        "region": "eu-west-1",
        "alarm": "checkout-cpu",
        "metric": "CPUUtilization",
        "metric_namespace": "AWS/EC2",
        "severity": "warning",
        "instance_id": "i-0abc1234def567890",
        "InstanceId": "i-0abc1234def567890",
    }
    assert alert.annotations["threshold"] == "90.0"
    link = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/checkout-cpu"
    assert alert.url == link


def test_ok_ends_whatever_episode_there_is() -> None:
    firing, resolved = read("sns", "firing"), read("sns", "resolved")
    assert ends(firing, resolved)
    assert resolved.alerts[0].ends_at == datetime(2026, 1, 2, 3, 10, 28, 901000, tzinfo=UTC)


def test_no_data_is_neither_an_alert_nor_an_end() -> None:
    parsed = read("sns", "no-data")
    assert (parsed.alerts, parsed.rejected) == ((), ())
    assert parsed.remarks == ("checkout-cpu: INSUFFICIENT_DATA begins no alert and ends none",)


def test_an_alarm_from_before_alarms_wrote_their_arn_is_the_same_condition() -> None:
    (old,), (new,) = read("sns", "old").alerts, read("sns", "firing").alerts
    assert (old.condition, old.labels["region"], old.severity) == (new.condition, "eu-west-1", "critical")


def test_a_composite_alarm_names_its_children() -> None:
    (alert,) = read("sns", "composite").alerts
    assert alert.annotations["rule"] == "ALARM(checkout-5xx) OR ALARM(checkout-cpu)"
    assert alert.annotations["children"].endswith(":alarm:checkout-5xx")
    assert "metric" not in alert.labels


def test_an_alarm_on_an_expression_has_the_labels_of_all_its_metrics() -> None:
    (alert,) = read("sns", "math").alerts
    assert [alert.labels[name] for name in ("metric", "FunctionName", "function_name")] == [
        "Errors,Invocations",
        "orders",
        "orders",
    ]


def test_a_series_that_is_well_again_ends_no_other_of_its_alarm() -> None:
    firing, resolved = read("sns", "contributor"), read("sns", "contributor-ok")
    (alert,) = firing.alerts
    assert [alert.labels[name] for name in ("alarm", "TableName")] == ["writes-per-table", "orders"]
    assert ends(firing, resolved)
    message = bodies("sns")["contributor-ok"]["Message"].replace("4f0c1d2e3b5a6978", "another")
    assert not ends(firing, published(message))


def test_a_state_that_nobody_knows_is_refused_and_so_is_an_alarm_without_a_time() -> None:
    with pytest.raises(InvalidInput, match="ALARM, OK or INSUFFICIENT_DATA was expected"):
        published('{"AlarmName": "x", "NewStateValue": "MAYBE", "StateChangeTime": "2026-01-02T03:00:28.831+0000"}')
    with pytest.raises(InvalidInput, match=r"Message\.StateChangeTime"):
        read("sns", "malformed")


def test_json_that_is_cut_off_is_no_text() -> None:
    with pytest.raises(InvalidInput, match="it begins as JSON"):
        read("sns", "truncated")


def test_a_notice_of_a_budget_is_read_line_by_line() -> None:
    (alert,) = read("sns", "budget").alerts
    assert (alert.name, alert.severity) == ("AWS Budget Notification", "warning")
    assert {name: alert.labels[name] for name in ("account", "budget", "budget_type", "alert_type", "threshold")} == {
        "account": "123456789012",
        "budget": "shop",
        "budget_type": "Cost",
        "alert_type": "ACTUAL",
        "threshold": "> $80.00",
    }
    assert (alert.annotations["budgeted"], alert.annotations["amount"]) == ("$100.00", "$85.50")


def test_a_later_notice_of_the_same_budget_is_another_episode_of_the_same_condition() -> None:
    (one,), body = read("sns", "budget").alerts, bodies("sns")["budget"]
    (other,) = taken("sns", body | {"MessageId": "0afa48ef-db9f-5b07-9359-149237adeae5"}).alerts
    assert (one.condition == other.condition, one.episode == other.episode) == (True, False)


def test_text_is_an_alert_by_its_subject() -> None:
    (alert,) = read("sns", "text").alerts
    assert (alert.name, alert.severity, alert.status) == ("CheckoutDown", "warning", AlertStatus.FIRING)
    assert alert.labels == {"account": "123456789012", "region": "eu-west-1", "topic": TOPIC}
    assert alert.annotations["description"].startswith("[FIRING:1] CheckoutDown (shop)\nsee")


def test_text_without_a_subject_is_named_by_its_first_line() -> None:
    (alert,) = published("\n  disk is full\non web-1", Subject=None).alerts
    assert alert.name == "disk is full"


@pytest.mark.parametrize(
    "message",
    [
        bodies("sns")["group-test"]["Message"],
        '{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "orders"}',
        "Successfully validated SNS topic for Amazon SES event publishing.",
    ],
)
def test_a_test_of_a_service_of_aws_is_no_alert(message: str) -> None:
    parsed = published(message)
    assert (parsed.alerts, parsed.remarks) == ((), ("a service of AWS tests the topic",))


def test_any_object_is_an_alert_with_its_plain_fields_as_labels() -> None:
    (alert,) = read("sns", "object").alerts
    assert (alert.name, alert.labels["Source ID"]) == ("RDS Notification Message", "orders")
    assert published('{"severity": "HIGH", "state": "down"}').alerts[0].severity == "critical"


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        ("all is well", "[RESOLVED] CheckoutDown (shop)"),
        ("[RESOLVED] CheckoutDown", None),
        ("OK: disk", None),
        ('{"check": "disk", "state": "recovered"}', "disk"),
    ],
)
def test_what_says_that_something_is_over_begins_nothing(message: str, subject: str | None) -> None:
    parsed = published(message, Subject=subject)
    assert parsed.alerts == ()
    assert "begins no alert and ends none" in parsed.remarks[0]


def test_a_word_that_only_begins_alike_says_nothing_of_an_end() -> None:
    assert published("x", Subject="Okapi is down").alerts[0].name == "Okapi is down"


def test_an_object_in_the_words_of_an_alert_is_taken_by_its_word() -> None:
    (alert,) = read("sns", "own").alerts
    assert (alert.name, alert.fingerprint, alert.status) == ("CheckoutDown", "chk-81", AlertStatus.RESOLVED)
    assert (alert.undated, alert.labels["service"]) == (True, "checkout")
    with pytest.raises(InvalidInput, match="firing or resolved was expected"):
        published('{"name": "x", "fingerprint": "1", "status": "perhaps"}')


def test_events_of_eventbridge_are_read_within() -> None:
    (alert,) = read("sns", "event").alerts
    assert (alert.fingerprint, alert.starts_at, alert.labels["InstanceId"]) == (ALARM, SINCE, "i-0abc1234def567890")
    (other,) = read("sns", "events").alerts
    assert (other.name, other.labels["instance-id"]) == (
        "EC2 Instance State-change Notification",
        "i-0abc1234def567890",
    )


def test_a_message_about_the_subscription_is_no_alert() -> None:
    (remark,) = read("sns", "confirmation").remarks
    assert remark.endswith("is not confirmed: only a source that names its `topics` does so")
    settings = Source(type="sns", auth=Auth(topics=(TOPIC,)))
    parsed = build_source("shop", settings).parse(bodies("sns")["confirmation"], {}, SINCE)
    assert parsed.remarks == (f"the subscription to {TOPIC} is confirmed",)
    assert read("sns", "ended").remarks == (f"the subscription to {TOPIC} has ended: nothing more comes from it",)


def test_what_is_no_message_of_sns_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no message of Amazon SNS"):
        taken("sns", {"AlarmName": "x", "NewStateValue": "ALARM"})


def test_a_field_of_a_message_hides_nothing_of_its_topic() -> None:
    (alert,) = published('{"account": "999999999999", "topic": "another", "check": "disk"}').alerts
    assert [alert.labels[name] for name in ("account", "topic", "check")] == ["123456789012", TOPIC, "disk"]
