"""GuardDuty's findings. Names begin in lower case in events and in upper case in the API's answers: both are read."""

from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import is_list, is_object
from halon.gateway.sources._aws import arn, console, quoted
from halon.gateway.sources._reading import (
    CRITICAL,
    INFO,
    WARNING,
    at,
    finished,
    first,
    labelled,
    maybe_moment,
    moment,
    needed,
    text,
    texts,
)

_HIGH, _MEDIUM = 7.0, 4.0
"""GuardDuty's own bounds: 7.0 to 8.9 is high and 9.0 to 10.0 critical, 4.0 to 6.9 medium."""
_USER, _ROLES = "IAMUser", frozenset({"AssumedRole", "Role"})
_SAMPLE = "[SAMPLE]"
_TAGGED: tuple[tuple[str | int, ...], ...] = (
    ("instanceDetails",),
    ("s3BucketDetails", 0),
    ("eksClusterDetails",),
    ("ecsClusterDetails",),
    ("rdsDbInstanceDetails",),
    ("lambdaDetails",),
)
"""Where tags stand."""
_MAX_TAGS = 20
_MAX_BUCKETS = 20
_MAX_STAGES = 50


def finding(source: str, event: Any, where: str) -> Alert:
    """Give the alert of the event `GuardDuty Finding`.

    Raises:
        InvalidInput: the finding lacks what names it.
    """
    detail = _uncapped(at(event, "detail"))
    place = f"{where}.detail"
    identity, kind = needed(detail, place, "id"), needed(detail, place, "type")
    service, resource = at(detail, "service"), at(detail, "resource")
    account = first(text(detail, "accountId"), text(event, "account"))
    region = first(text(detail, "region"), text(event, "region"))
    severity = graded(at(detail, "severity"))
    archived = at(service, "archived") is True
    began = first(text(service, "eventFirstSeen"), text(detail, "createdAt"), text(event, "time"))
    updated = first(text(detail, "updatedAt"), text(service, "eventLastSeen"), text(event, "time"))
    labels, rest = labelled(
        {"finding_type": kind, "finding_id": identity, "detector_id": at(service, "detectorId"), "severity": severity}
        | {"account": account, "region": region}
        | {"event_source": at(event, "source"), "event_type": at(event, "detail-type")}
        | {"sample": "true" if _is_sample(detail) else ""}
        | {"resource_type": at(resource, "resourceType"), "resource_role": at(service, "resourceRole")}
        | _instance(at(resource, "instanceDetails"))
        | _credentials(at(resource, "accessKeyDetails"))
        | _data(resource)
        | _containers(resource)
        | _sequence(at(service, "detection", "sequence"))
    )
    partition = first(text(detail, "partition"), arn(text(detail, "arn")).partition)
    return finished(
        Alert.model_construct(
            source=source,
            name=kind,
            fingerprint=identity,
            status=AlertStatus.RESOLVED if archived else AlertStatus.FIRING,
            severity=severity,
            labels=labels,
            annotations=texts(_notes(detail, event)) | rest,
            starts_at=moment(began, f"{place}.service.eventFirstSeen"),
            ends_at=maybe_moment(updated) if archived else None,
            # What happens again after a finding is archived is another finding.
            cycle=identity,
            url=console(partition, region, f"guardduty/home?region=REGION#/findings?search=id%3D{quoted(identity)}"),
        ),
        where,
    )


def graded(score: Any) -> str:
    """Give the severity of a score from 0 to 10; empty when there is none."""
    try:
        value = float(text(score))
    except ValueError:
        return ""
    return CRITICAL if value >= _HIGH else WARNING if value >= _MEDIUM else INFO


def _uncapped(value: Any) -> Any:
    """Begin every name in lower case."""
    if is_object(value):
        return {name[:1].lower() + name[1:]: _uncapped(found) for name, found in value.items()}
    return [_uncapped(one) for one in value] if is_list(value) else value


def _is_sample(detail: Any) -> bool:
    more = at(detail, "service", "additionalInfo")
    said = text(more, "value").replace(" ", "")
    return at(more, "sample") is True or '"sample":true' in said or text(detail, "title").startswith(_SAMPLE)


def _instance(given: Any) -> dict[str, Any]:
    interface = at(given, "networkInterfaces", 0)
    groups = at(interface, "securityGroups")
    named = [text(one, "groupId") for one in groups] if is_list(groups) else []
    return {
        "instance_id": at(given, "instanceId"),
        "image_id": at(given, "imageId"),
        "instance_profile": at(given, "iamInstanceProfile", "arn"),
        "vpc_id": at(interface, "vpcId"),
        "subnet_id": at(interface, "subnetId"),
        "network_interface_id": at(interface, "networkInterfaceId"),
        "security_groups": ",".join(sorted(filter(None, named))),
    }


def _credentials(given: Any) -> dict[str, Any]:
    kind, name, principal = text(given, "userType"), text(given, "userName"), text(given, "principalId")
    return {
        "access_key_id": at(given, "accessKeyId"),
        "principal_id": principal,
        "user_type": kind,
        # A role is no user of the same name: what acts on one must not take it for the other.
        "user_name": name if kind == _USER else "",
        "role_name": name if kind in _ROLES else "",
        "session_name": principal.partition(":")[2] if kind in _ROLES else "",
    }


def _data(resource: Any) -> dict[str, Any]:
    database, function = at(resource, "rdsDbInstanceDetails"), at(resource, "lambdaDetails")
    return {
        "bucket_name": at(resource, "s3BucketDetails", 0, "name"),
        "bucket_arn": at(resource, "s3BucketDetails", 0, "arn"),
        "db_instance": at(database, "dbInstanceIdentifier"),
        "db_cluster": at(database, "dbClusterIdentifier"),
        "db_user": at(resource, "rdsDbUserDetails", "user"),
        "function_name": at(function, "functionName"),
        "function_arn": at(function, "functionArn"),
    }


def _containers(resource: Any) -> dict[str, Any]:
    kubernetes, ecs = at(resource, "kubernetesDetails"), at(resource, "ecsClusterDetails")
    workload = at(kubernetes, "kubernetesWorkloadDetails")
    container = (
        at(resource, "containerDetails") or at(workload, "containers", 0) or at(ecs, "taskDetails", "containers", 0)
    )
    return {
        "cluster_name": first(text(resource, "eksClusterDetails", "name"), text(ecs, "name")),
        "cluster_arn": first(text(resource, "eksClusterDetails", "arn"), text(ecs, "arn")),
        "namespace": at(workload, "namespace"),
        "workload": at(workload, "name"),
        "workload_kind": at(workload, "type"),
        "kubernetes_user": at(kubernetes, "kubernetesUserDetails", "username"),
        "task_arn": at(ecs, "taskDetails", "arn"),
        "container_id": at(container, "id"),
        "image": at(container, "image"),
    }


def _sequence(given: Any) -> dict[str, Any]:
    """Give the first of each kind that an attack went through, of a finding that joins several signals."""
    listed = at(given, "resources")
    labels: dict[str, Any] = {}
    for one in listed[:_MAX_STAGES] if is_list(listed) else ():
        kind, key = text(one, "resourceType"), at(one, "data", "accessKey")
        identity = first(text(one, "name"), text(one, "uid"))
        if kind == "ACCESS_KEY":
            found = _credentials(
                key | {"accessKeyId": text(one, "uid")} if is_object(key) else {"accessKeyId": identity}
            )
        elif kind == "S3_BUCKET":
            found = {"bucket_name": identity, "bucket_arn": at(one, "uid")}
        elif kind == "EC2_INSTANCE":
            found = {"instance_id": (arn(text(one, "uid")).resource or identity).rpartition("/")[2]}
        elif kind in {"EKS_CLUSTER", "ECS_CLUSTER"}:
            named = first(text(one, "data", "eksCluster", "arn"), text(one, "uid"))
            found = {"cluster_name": identity.rpartition("/")[2], "cluster_arn": named if arn(named).service else ""}
        elif kind == "KUBERNETES_WORKLOAD":
            workload = at(one, "data", "kubernetesWorkload")
            found = {"workload": at(one, "name"), "namespace": at(workload, "namespace")}
            found |= {"workload_kind": text(workload, "type").lower()}
        elif kind == "CONTAINER":
            found = {"image": at(one, "data", "container", "image")}
        else:
            found = {}
        labels = {name: value for name, value in found.items() if value} | labels
    return labels


def _notes(detail: Any, event: Any) -> dict[str, Any]:
    """Give what may change from one update of a finding to the next."""
    service, resource = at(detail, "service"), at(detail, "resource")
    action = at(service, "action")
    # The details of an action stand under its own name, such as `awsApiCallAction`.
    inner = next((value for value in (action.values() if is_object(action) else ()) if is_object(value)), None)
    probe = at(inner, "portProbeDetails", 0) or inner
    remote = at(probe, "remoteIpDetails")
    buckets = at(resource, "s3BucketDetails")
    listed = [text(one, "name") for one in buckets[:_MAX_BUCKETS]] if is_list(buckets) else []
    return {
        "summary": at(detail, "title"),
        "description": at(detail, "description"),
        "severity_score": at(detail, "severity"),
        "count": at(service, "count"),
        "first_seen": at(service, "eventFirstSeen"),
        "last_seen": at(service, "eventLastSeen"),
        "action": at(action, "actionType"),
        "api": at(inner, "api"),
        "api_service": at(inner, "serviceName"),
        "domain": first(text(inner, "domain"), text(inner, "domainDetails", "domain")),
        "remote_ip": first(text(remote, "ipAddressV4"), text(remote, "ipAddressV6")),
        "remote_country": at(remote, "country", "countryName"),
        "remote_port": at(inner, "remotePortDetails", "port"),
        "local_port": at(probe, "localPortDetails", "port"),
        "user": at(resource, "accessKeyDetails", "userName"),
        "buckets": ",".join(filter(None, listed)),
        "object_key": at(buckets, 0, "s3ObjectDetails", 0, "key"),
        "finding_arn": at(detail, "arn"),
        "event_id": at(event, "id"),
    } | _tags(resource)


def _tags(resource: Any) -> dict[str, Any]:
    listed: list[Any] = []
    for path in _TAGGED:
        given = at(resource, *path, "tags")
        listed += given if is_list(given) else []
    return {f"tag.{text(one, 'key')}": at(one, "value") for one in listed[:_MAX_TAGS] if text(one, "key")}
