"""Events of EventBridge: findings and their resources, alarms, and any other."""

from datetime import UTC, datetime
from typing import Any

import pytest
from reading import bodies, ends, read, taken

from halon.contracts.alert import Alert, AlertStatus
from halon.errors import InvalidInput

FINDING = "49514155ed6b4536b05649a87fc3c05a"
INSTANCE = "i-0abc1234def567890"


def only(case: str) -> Alert:
    (alert,) = read("eventbridge", case).alerts
    return alert


def with_detail(case: str, **changes: Any) -> Any:
    """The event of a case with something else in its detail."""
    body = bodies("eventbridge")[case]
    return body | {"detail": body["detail"] | changes}


def test_a_finding_about_a_key_says_whose_it_is() -> None:
    alert = only("firing")
    assert (alert.name, alert.fingerprint) == ("UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom", FINDING)
    assert (alert.status, alert.severity) == (AlertStatus.FIRING, "warning")
    assert alert.starts_at == datetime(2026, 1, 2, 2, 50, tzinfo=UTC)
    assert alert.labels == {
        "finding_type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
        "finding_id": FINDING,
        "detector_id": "12cc51e1c99e833adf5924c71ac591b2",
        "severity": "warning",
        "account": "210987654321",
        "region": "eu-west-1",
        "event_source": "aws.guardduty",
        "event_type": "GuardDuty Finding",
        "resource_type": "AccessKey",
        "resource_role": "TARGET",
        "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "principal_id": "AIDACKCEVSQ6C2EXAMPLE",
        "user_type": "IAMUser",
        "user_name": "deploy",
    }
    notes = ("count", "remote_ip", "remote_country", "api", "api_service", "action", "severity_score")
    assert [alert.annotations[name] for name in notes] == [
        "3",
        "198.51.100.7",
        "Utopia",
        "ListBuckets",
        "s3.amazonaws.com",
        "AWS_API_CALL",
        "5",
    ]
    page = "https://eu-west-1.console.aws.amazon.com/guardduty/home?region=eu-west-1#/findings?search=id%3D"
    assert alert.url == page + FINDING


def test_an_update_is_the_same_episode_and_an_archived_finding_is_its_end() -> None:
    first, again, archived = only("firing"), only("again"), only("resolved")
    assert (first.episode, again.annotations["count"]) == (again.episode, "9")
    assert ends(read("eventbridge", "firing"), read("eventbridge", "resolved"))
    assert archived.ends_at == datetime(2026, 1, 2, 4, 0, 9, 102000, tzinfo=UTC)


def test_a_finding_about_an_instance_says_where_it_is() -> None:
    alert = only("instance")
    assert alert.severity == "critical"
    wanted = ("instance_id", "image_id", "instance_profile", "vpc_id", "subnet_id", "network_interface_id")
    assert [alert.labels[name] for name in (*wanted, "security_groups")] == [
        INSTANCE,
        "ami-0abc",
        "arn:aws:iam::210987654321:instance-profile/web",
        "vpc-02",
        "subnet-01",
        "eni-0bfe",
        "sg-01,sg-02",
    ]
    assert [alert.annotations[name] for name in ("local_port", "remote_port", "tag.team")] == ["22", "32794", "shop"]


def test_names_that_begin_in_upper_case_are_read_as_well() -> None:
    one, other = only("instance"), only("pascal")
    assert (one.labels, one.episode, one.severity) == (other.labels, other.episode, other.severity)


def test_a_role_is_no_user_and_a_sample_says_so() -> None:
    labels = only("bucket").labels
    assert (labels["role_name"], labels["session_name"], "user_name" in labels) == ("batch", INSTANCE, False)
    assert (labels["bucket_name"], labels["bucket_arn"]) == ("shop-orders", "arn:aws:s3:::shop-orders")
    assert labels["sample"] == "true"
    assert "sample" not in only("firing").labels


def test_a_finding_in_kubernetes_names_cluster_and_workload() -> None:
    alert = only("kubernetes")
    wanted = ("cluster_name", "namespace", "workload", "workload_kind", "kubernetes_user", "image")
    assert [alert.labels[name] for name in wanted] == [
        "shop",
        "shop",
        "cart-7d9f-x2x",
        "pods",
        "rosa",
        "registry.example.com/cart:7",
    ]
    assert alert.severity == "info"


def test_a_sequence_of_an_attack_names_what_it_went_through() -> None:
    labels = only("sequence").labels
    assert [labels[name] for name in ("resource_type", "bucket_name", "access_key_id", "user_name")] == [
        "AttackSequence",
        "shop-orders",
        "AKIAIOSFODNN7EXAMPLE",
        "deploy",
    ]


def test_a_sequence_in_a_cluster_names_cluster_workload_and_image() -> None:
    cluster = "arn:aws:eks:eu-west-1:210987654321:cluster/shop"
    workload = {"namespace": "pay", "type": "DEPLOYMENTS"}
    given = [
        {"resourceType": "EKS_CLUSTER", "uid": cluster, "name": "shop", "data": {"eksCluster": {"arn": cluster}}},
        {"resourceType": "KUBERNETES_WORKLOAD", "uid": "w", "name": "api", "data": {"kubernetesWorkload": workload}},
        {"resourceType": "CONTAINER", "uid": "c", "name": "api", "data": {"container": {"image": "shop/api:1"}}},
        {"resourceType": "EC2_VPC", "uid": "v"},
    ]
    service = bodies("eventbridge")["sequence"]["detail"]["service"] | {"detection": {"sequence": {"resources": given}}}
    labels = taken("eventbridge", with_detail("sequence", service=service)).alerts[0].labels
    assert (labels["cluster_name"], labels["cluster_arn"], labels["namespace"]) == ("shop", cluster, "pay")
    assert (labels["workload"], labels["workload_kind"], labels["image"]) == ("api", "deployments", "shop/api:1")


@pytest.mark.parametrize(
    ("score", "severity"),
    [(10, "critical"), (7, "critical"), (6.9, "warning"), (4, "warning"), (3.9, "info"), (1, "info"), (None, "")],
)
def test_scores_are_graded_as_guardduty_does(score: float | None, severity: str) -> None:
    (alert,) = taken("eventbridge", with_detail("firing", severity=score)).alerts
    assert alert.severity == severity


def test_findings_of_security_hub_are_read_one_by_one() -> None:
    parsed = read("eventbridge", "findings")
    control, finding = parsed.alerts
    assert parsed.rejected == ("events[2].Id: Field required",)
    assert [remark.partition(":")[2] for remark in parsed.remarks] == [
        " a check that could not be made begins no alert and ends none"
    ]
    assert (control.name, control.severity) == ("S3 general purpose buckets should block public access", "critical")
    wanted = ("control", "bucket_name", "account", "product", "resource_type")
    assert [control.labels[name] for name in wanted] == [
        "S3.8",
        "shop-orders",
        "210987654321",
        "Security Hub",
        "AwsS3Bucket",
    ]
    assert control.starts_at == datetime(2026, 1, 1, 23, 0, 0, 123000, tzinfo=UTC)
    wanted = ("finding_type", "access_key_id", "instance_id", "principal_id", "resource_type", "sample")
    assert [finding.labels[name] for name in wanted] == [
        "TTPs/UnauthorizedAccess:IAMUser-MaliciousIPCaller",
        "AKIAIOSFODNN7EXAMPLE",
        INSTANCE,
        "AIDACKCEVSQ6C2EXAMPLE",
        "AwsIamAccessKey",
        "true",
    ]
    assert finding.severity == "warning"


def test_a_control_that_passes_a_workflow_that_is_resolved_and_a_record_that_is_archived_are_ends() -> None:
    ended = read("eventbridge", "findings-ended").alerts
    assert {alert.status for alert in ended} == {AlertStatus.RESOLVED}
    fired = read("eventbridge", "findings").alerts[0]
    assert (ended[0].episode, ended[0].labels) == (fired.episode, fired.labels)


def test_findings_in_the_open_schema_are_read_alike() -> None:
    (alert,) = read("eventbridge", "ocsf").alerts
    assert (alert.name, alert.severity) == ("S3 general purpose buckets should block public access", "critical")
    wanted = ("control", "bucket_name", "account", "product", "resource_type")
    assert [alert.labels[name] for name in wanted] == [
        "S3.8",
        "shop-orders",
        "210987654321",
        "Security Hub",
        "AWS::S3::Bucket",
    ]
    ended = read("eventbridge", "ocsf-ended").alerts
    assert [one.status for one in ended] == [AlertStatus.RESOLVED] * 3
    assert {one.episode for one in ended} == {alert.episode}


def test_an_instance_is_known_by_its_arn_too() -> None:
    named = f"arn:aws:ec2:eu-west-1:123456789012:instance/{INSTANCE}"
    (alert,) = taken("eventbridge", with_detail("health", affectedEntities=[{"entityValue": named}])).alerts
    assert [alert.labels[name] for name in ("entity", "instance_id")] == [named, INSTANCE]


def test_an_alarm_is_what_it_is_through_a_topic() -> None:
    alert = only("alarm")
    assert alert.fingerprint == "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-cpu"
    assert alert.starts_at == datetime(2026, 1, 2, 3, 0, 28, 831000, tzinfo=UTC)
    assert (alert.labels["instance_id"], alert.labels["event_source"]) == (INSTANCE, "aws.cloudwatch")
    assert alert.annotations["previous_state"] == "OK"
    assert ends(read("eventbridge", "alarm"), read("eventbridge", "alarm-ok"))
    assert read("eventbridge", "alarm-no-data").alerts == ()
    assert read("eventbridge", "configured").remarks == ("an alarm was configured, which is no alert",)


def test_each_series_of_an_alarm_is_a_condition_of_its_own() -> None:
    alert = only("contributor")
    assert (alert.name, alert.status, alert.severity) == ("writes-per-table", AlertStatus.FIRING, "warning")
    assert [alert.labels[name] for name in ("contributor", "TableName")] == ["4f0c1d2e3b5a6978", "orders"]
    assert ends(read("eventbridge", "contributor"), read("eventbridge", "contributor-ok"))
    another = with_detail("contributor-ok", alarmContributor={"id": "0", "attributes": {"TableName": "carts"}})
    assert not ends(read("eventbridge", "contributor"), taken("eventbridge", another))


def test_an_alarm_that_is_muted_begins_nothing_and_ends_all_the_same() -> None:
    rule = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm-mute-rule:patching"
    parsed = read("eventbridge", "alarm-muted")
    assert (parsed.alerts, parsed.remarks) == ((), (f"checkout-cpu: muted by {rule}, so it begins no alert",))
    muted = bodies("eventbridge")["alarm-muted"]["detail"]["muteDetail"]
    assert ends(read("eventbridge", "alarm"), taken("eventbridge", with_detail("alarm-ok", muteDetail=muted)))


@pytest.mark.parametrize(("by", "fires"), [("Alarm", []), ("ExtensionPeriod", []), ("WaitPeriod", ["WaitPeriod"])])
def test_a_composite_alarm_that_is_suppressed_begins_nothing(by: str, fires: list[str]) -> None:
    state = bodies("eventbridge")["alarm"]["detail"]["state"] | {"actionsSuppressedBy": by}
    alerts = taken("eventbridge", with_detail("alarm", state=state)).alerts
    assert [alert.annotations["suppressed_by"] for alert in alerts] == fires


def test_a_dimension_hides_nothing_of_where_an_alarm_is() -> None:
    metric = {"name": "Failures", "namespace": "shop", "dimensions": {"account": "blue", "Service": "cart"}}
    configuration = {"metrics": [{"metricStat": {"metric": metric}}]}
    (alert,) = taken("eventbridge", with_detail("alarm", configuration=configuration)).alerts
    assert [alert.labels[name] for name in ("account", "Service")] == ["123456789012", "cart"]


def test_malware_in_a_bucket_says_in_which_object() -> None:
    resource = bodies("eventbridge")["bucket"]["detail"]["resource"]
    bucket = resource["s3BucketDetails"][0] | {"s3ObjectDetails": [{"key": "uploads/a.zip", "eTag": "1", "hash": "2"}]}
    (alert,) = taken("eventbridge", with_detail("bucket", resource=resource | {"s3BucketDetails": [bucket]})).alerts
    assert alert.annotations["object_key"] == "uploads/a.zip"


def test_tags_of_a_cluster_are_annotations() -> None:
    resource = bodies("eventbridge")["kubernetes"]["detail"]["resource"]
    cluster = resource["eksClusterDetails"] | {"tags": [{"key": "team", "value": "web"}]}
    event = with_detail("kubernetes", resource=resource | {"eksClusterDetails": cluster})
    (alert,) = taken("eventbridge", event).alerts
    assert alert.annotations["tag.team"] == "web"


def test_fields_of_an_event_hide_nothing_of_where_it_is_from() -> None:
    (alert,) = taken("eventbridge", with_detail("other", account="999999999999", event_source="me")).alerts
    assert alert.labels["account"] == bodies("eventbridge")["other"]["account"]
    assert alert.labels["event_source"] == bodies("eventbridge")["other"]["source"]


def test_any_other_event_is_an_alert_by_its_type() -> None:
    alert = only("other")
    assert (alert.name, alert.severity) == ("EC2 Instance State-change Notification", "warning")
    assert (alert.labels["instance-id"], alert.labels["state"]) == (INSTANCE, "stopped")
    assert alert.labels["resource"].endswith(INSTANCE)
    parsed = taken("eventbridge", with_detail("other", state="resolved"))
    assert (parsed.alerts, len(parsed.remarks)) == ((), 1)


def test_a_list_of_events_is_read_one_by_one() -> None:
    parsed = read("eventbridge", "batch")
    assert [alert.name for alert in parsed.alerts] == [
        "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
        "checkout-cpu",
    ]
    assert parsed.rejected == ("events[2].detail: an object was expected",)


def test_what_a_transformer_made_of_an_event_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidInput, match="without an input transformer"):
        taken("eventbridge", {"finding": "x"})
