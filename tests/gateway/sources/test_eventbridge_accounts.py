"""Events of EventBridge about the account: AWS Health, recorded calls, costs, and findings that stand until mended."""

from datetime import UTC, datetime
from typing import Any

import pytest
from reading import ends, read, taken
from test_eventbridge import INSTANCE, only, with_detail

from halon.contracts.alert import AlertStatus


def test_an_event_of_aws_health_ends_when_it_is_closed() -> None:
    alert, closed = only("health"), only("health-closed")
    assert (alert.name, alert.severity) == ("AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", "warning")
    assert alert.starts_at == datetime(2026, 1, 2, 5, 1, 10, tzinfo=UTC)
    assert (alert.labels["account"], alert.labels["instance_id"]) == ("210987654321", INSTANCE)
    assert alert.annotations["summary"] == "An instance is scheduled for retirement."
    assert (closed.status, closed.episode, closed.labels) == (AlertStatus.RESOLVED, alert.episode, alert.labels)
    assert closed.ends_at == datetime(2026, 1, 2, 6, 1, 10, tzinfo=UTC)
    assert ends(read("eventbridge", "health"), read("eventbridge", "health-closed"))


def test_one_entity_on_the_last_of_several_pages_is_not_all_that_is_affected() -> None:
    (alert,) = taken("eventbridge", with_detail("health", page="2", totalPages="2")).alerts
    assert not {"entity", "instance_id"} & alert.labels.keys()
    assert alert.annotations["affected_entities"] == INSTANCE


def test_a_status_of_aws_health_that_nobody_knows_is_refused() -> None:
    parsed = taken("eventbridge", with_detail("health", statusCode="perhaps"))
    assert parsed.rejected == ("events[0].detail.statusCode: open, upcoming or closed was expected",)


def test_a_recorded_call_says_who_did_what() -> None:
    alert = only("call")
    assert (alert.name, alert.starts_at) == ("StopLogging", datetime(2026, 1, 2, 3, 0, 20, tzinfo=UTC))
    wanted = ("api", "api_service", "user_type", "role_name", "session_name", "access_key_id", "trail")
    assert [alert.labels[name] for name in wanted] == [
        "StopLogging",
        "cloudtrail.amazonaws.com",
        "AssumedRole",
        "admin",
        "rosa@example.com",
        "ASIAIOSFODNN7EXAMPLE",
        "arn:aws:cloudtrail:eu-west-1:123456789012:trail/main",
    ]
    assert alert.labels["principal_arn"] == "arn:aws:sts::123456789012:assumed-role/admin/rosa@example.com"
    assert alert.annotations["remote_ip"] == "198.51.100.7"


def test_whom_a_call_is_about_is_not_who_made_it() -> None:
    labels = only("key-made").labels
    assert (labels["target_user"], labels["role_name"], "user_name" in labels) == ("deploy", "admin", False)


def test_a_sign_in_says_how_it_went() -> None:
    alert = only("sign-in")
    assert (alert.name, alert.labels["user_type"], alert.labels["result"]) == ("ConsoleLogin", "Root", "Success")
    assert alert.annotations["mfa"] == "No"


def test_the_same_call_again_is_another_episode_and_the_same_event_again_is_not() -> None:
    one, twice = only("call"), only("call")
    (other,) = taken("eventbridge", with_detail("call", eventID="another")).alerts
    assert (one.episode == twice.episode, one.episode == other.episode, one.condition == other.condition) == (
        True,
        False,
        True,
    )


def test_an_anomaly_of_costs_says_what_costs_so_much() -> None:
    alert = only("anomaly")
    assert (alert.name, alert.labels["service"], alert.labels["account"]) == (
        "Anomaly Detected",
        "Amazon EC2",
        "123456789012",
    )
    assert alert.annotations["impact"] == "151"


def test_what_stands_until_it_is_mended_ends_by_its_own_word() -> None:
    alert = only("inspector")
    assert (alert.name, alert.severity, alert.labels["account"]) == (
        "CVE-2026-0001 - openssl",
        "critical",
        "210987654321",
    )
    assert alert.labels["resource_id"] == INSTANCE
    assert ends(read("eventbridge", "inspector"), read("eventbridge", "inspector-closed"))
    config = only("config")
    assert (config.name, config.labels["resource_id"]) == ("s3-bucket-public-read-prohibited", "shop-orders")
    assert read("eventbridge", "config-unknown").alerts == ()
    macie = only("macie")
    assert (macie.name, macie.severity) == ("Policy:IAMUser/S3BucketPublic", "critical")
    assert macie.labels["bucket_name"] == "shop-orders"


@pytest.mark.parametrize("change", [{"status": "ARCHIVED"}, {"status": "RESOLVED"}, {"isDeleted": True}])
def test_access_that_nobody_uses_ends_by_its_status_and_when_it_is_deleted(change: dict[str, Any]) -> None:
    alert = only("unused-access")
    wanted = ("account", "finding_type", "resource_type", "resource_id")
    assert [alert.labels[name] for name in wanted] == [
        "210987654321",
        "UnusedIAMRole",
        "AWS::IAM::Role",
        "arn:aws:iam::210987654321:role/deploy-of-before",
    ]
    assert ends(read("eventbridge", "unused-access"), taken("eventbridge", with_detail("unused-access", **change)))


def test_access_that_could_not_be_looked_at_begins_nothing() -> None:
    parsed = taken("eventbridge", with_detail("unused-access", error="INTERNAL_ERROR"))
    assert parsed.alerts == ()
    assert "INTERNAL_ERROR, a check that could not be made begins no alert" in parsed.remarks[0]


def test_what_is_wrong_again_after_it_was_mended_is_a_new_episode() -> None:
    first, again = only("config"), only("config-again")
    assert first.starts_at == datetime(2026, 1, 2, 3, 0, 20, tzinfo=UTC)
    assert (first.condition, first.labels) == (again.condition, again.labels)
    assert first.episode != again.episode
    for begun in ("config", "config-again"):
        assert ends(read("eventbridge", begun), read("eventbridge", "config-mended"))


def test_a_finding_of_inspector_began_when_it_was_first_seen_and_an_update_is_the_same_episode() -> None:
    alert = only("inspector")
    assert alert.starts_at == datetime(2026, 1, 1, 22, 46, 15, tzinfo=UTC)
    update = with_detail("inspector", severity="MEDIUM", updatedAt="Jan 9, 2026, 1:02:03 AM")
    assert taken("eventbridge", update | {"time": "2026-01-09T01:02:05Z"}).alerts[0].episode == alert.episode
    unread = with_detail("inspector", firstObservedAt="a while ago")
    assert taken("eventbridge", unread).alerts[0].starts_at == datetime(2026, 1, 2, 3, 0, 31, tzinfo=UTC)


def test_an_insight_of_cloudtrail_is_no_call() -> None:
    assert only("insight").name == "AWS Insight via CloudTrail"


def test_an_event_of_aws_health_without_a_status_is_over_when_its_end_has_come() -> None:
    body = with_detail("health", statusCode=None, endTime="Fri, 2 Jan 2026 02:00:00 GMT")
    assert taken("eventbridge", body).alerts[0].status is AlertStatus.RESOLVED
    assert taken("eventbridge", with_detail("health", statusCode=None)).alerts[0].status is AlertStatus.FIRING
