"""CloudWatch's alarms: as an alarm writes them to a topic, and as EventBridge tells of a change of state."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import is_list, is_object
from halon.gateway.sources._aws import Arn, arn, console, quoted, region_of, severity_of
from halon.gateway.sources._reading import (
    CRITICAL,
    at,
    beside,
    finished,
    first,
    labelled,
    missing,
    moment,
    needed,
    text,
    texts,
)
from halon.redaction import cut_text

_STATUSES = {"ALARM": AlertStatus.FIRING, "OK": AlertStatus.RESOLVED}
NO_DATA = "INSUFFICIENT_DATA"
_SEVERITY = re.compile(r"\bseverity[\"']?\s{0,3}[:=]\s{0,3}[\"']?([A-Za-z0-9-]{1,20})", re.IGNORECASE)
_STABLE = {
    "InstanceId": "instance_id",
    "FunctionName": "function_name",
    "DBInstanceIdentifier": "db_instance",
    "DBClusterIdentifier": "db_cluster",
    "BucketName": "bucket_name",
    "ClusterName": "cluster_name",
    "AutoScalingGroupName": "auto_scaling_group",
    "CacheClusterId": "cache_cluster",
}
"""Dimensions that name what other messages of AWS name too, under the label that those have."""
_MAX_METRICS = 100
_UNDECIDED = "WaitPeriod"
"""A composite alarm still waits for what may suppress it. That it waited in vain may never be told, so it fires."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that an alarm looks at."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Change:
    """An alarm's change of state, in whichever form it was told."""

    name: str
    arn: str
    state: str
    since: Any
    place: str
    """Where the state stands."""
    account: str
    region: str
    description: str
    metrics: list[Metric]
    notes: Mapping[str, Any]
    event: Mapping[str, str] = field(default_factory=dict[str, str])
    """Labels of the event that told it, if one did."""
    contributor: str = ""
    """Which of the series changed, of an alarm that looks at several: each has a state of its own."""
    muted: str = ""
    """What keeps the alarm from acting, where CloudWatch tells of the change all the same."""


def is_alarm(body: Any) -> bool:
    """Whether a message is what an alarm writes to a topic."""
    return is_object(body) and "AlarmName" in body and "NewStateValue" in body


def alarm(source: str, body: Any, where: str, told_in: Arn) -> Alert | str:
    """Give the alert of what an alarm wrote to a topic; `told_in` is the topic, in the alarm's own region.

    Raises:
        InvalidInput: the state or its time is not there.
    """
    place = f"{where}." if where else ""
    named = text(body, "AlarmArn")
    parts = arn(named)
    change = _Change(
        name=needed(body, where, "AlarmName"),
        arn=named,
        state=needed(body, where, "NewStateValue"),
        since=at(body, "StateChangeTime"),
        place=f"{place}StateChangeTime",
        account=first(text(body, "AWSAccountId"), parts.account),
        region=first(parts.region, region_of(text(body, "Region")), told_in.region),
        description=text(body, "AlarmDescription"),
        metrics=[*_metrics(at(body, "Trigger")), _series(at(body, "AlarmContributorAttributes"))],
        contributor=text(body, "AlarmContributorId"),
        notes={
            "reason": at(body, "NewStateReason"),
            "previous_state": at(body, "OldStateValue"),
            "rule": at(body, "AlarmRule"),
            "children": _children(at(body, "TriggeringChildren")),
            "threshold": at(body, "Trigger", "Threshold"),
            "comparison": at(body, "Trigger", "ComparisonOperator"),
            "statistic": first(text(body, "Trigger", "Statistic"), text(body, "Trigger", "ExtendedStatistic")),
            "period": at(body, "Trigger", "Period"),
            "query": at(body, "QueryString"),
        },
    )
    return _alert(source, change, where, first(parts.partition if named else "", told_in.partition))


def state_change(source: str, event: Any, where: str) -> Alert | str:
    """Give the alert of an event that tells of an alarm's change of state, or of that of one of its series.

    Raises:
        InvalidInput: the state or its time is not there.
    """
    detail = at(event, "detail")
    named = text(event, "resources", 0)
    parts = arn(named)
    configuration = at(detail, "configuration")
    suppressed = text(detail, "state", "actionsSuppressedBy")
    change = _Change(
        name=needed(detail, f"{where}.detail", "alarmName"),
        arn=named,
        state=needed(detail, f"{where}.detail", "state", "value"),
        since=at(detail, "state", "timestamp"),
        place=f"{where}.detail.state.timestamp",
        account=first(text(event, "account"), parts.account),
        region=first(text(event, "region"), parts.region),
        description=text(configuration, "description"),
        metrics=[*_metrics(configuration), _series(at(detail, "alarmContributor", "attributes"))],
        contributor=text(detail, "alarmContributor", "id"),
        muted=first(text(detail, "muteDetail", "mutedByArn"), suppressed if suppressed != _UNDECIDED else ""),
        notes={
            "reason": at(detail, "state", "reason"),
            "previous_state": at(detail, "previousState", "value"),
            "rule": at(configuration, "alarmRule"),
            "suppressed_by": suppressed,
            "event_id": at(event, "id"),
        },
        event={"event_source": text(event, "source"), "event_type": text(event, "detail-type")},
    )
    return _alert(source, change, where, parts.partition)


def _alert(source: str, change: _Change, where: str, partition: str) -> Alert | str:
    status = _STATUSES.get(change.state)
    if change.state == NO_DATA:
        return f"{cut_text(change.name, 200)}: {NO_DATA} begins no alert and ends none"
    if status is None:
        raise missing(f"{where}.state".lstrip("."), f"ALARM, OK or {NO_DATA} was expected")
    since = moment(change.since, change.place)
    resolved = status is AlertStatus.RESOLVED
    if change.muted and not resolved:
        return f"{cut_text(change.name, 200)}: muted by {cut_text(change.muted, 300)}, so it begins no alert"
    said = _SEVERITY.search(change.description)
    told = severity_of(said[1]) if said else ""
    dimensions = _joined(change.metrics)
    own = {
        "account": change.account,
        "region": change.region,
        "alarm": change.name,
        "contributor": change.contributor,
        "metric": ",".join(sorted({one.name for one in change.metrics if one.name})),
        "metric_namespace": ",".join(sorted({one.namespace for one in change.metrics if one.namespace})),
        "severity": told,
    } | dict(change.event)
    stable = {label: dimensions[name] for name, label in _STABLE.items() if "," not in dimensions.get(name, ",")}
    labels, rest = labelled(beside(own, stable | dimensions))
    derived = f"arn:{partition}:cloudwatch:{change.region}:{change.account}:alarm:{change.name}"
    path = f"cloudwatch/home?region=REGION#alarmsV2:alarm/{quoted(change.name)}"
    return finished(
        Alert.model_construct(
            source=source,
            name=change.name,
            fingerprint="#".join(filter(None, (first(change.arn, derived), change.contributor))),
            status=status,
            severity=told or CRITICAL,
            labels=labels,
            annotations=texts({"summary": change.description or change.name} | dict(change.notes)) | rest,
            starts_at=since,
            ends_at=since if resolved else None,
            # An alarm that is over says when it ended, and not when it began.
            undated=resolved,
            url=console(partition, change.region, path),
        ),
        where,
    )


def _metrics(trigger: Any) -> Iterator[Metric]:
    """Give the metrics of an alarm: one, or those of its expressions. EventBridge begins the names in lower case."""
    if text(trigger, "MetricName"):
        dimensions = _dimensions(at(trigger, "Dimensions"))
        yield Metric(text(trigger, "Namespace"), text(trigger, "MetricName"), dimensions)
    listed = at(trigger, "Metrics") or at(trigger, "metrics")
    for one in listed[:_MAX_METRICS] if is_list(listed) else ():
        found = at(one, "MetricStat", "Metric") or at(one, "metricStat", "metric")
        namespace = first(text(found, "Namespace"), text(found, "namespace"))
        name = first(text(found, "MetricName"), text(found, "name"), text(found, "metricName"))
        if name:
            yield Metric(namespace, name, _dimensions(at(found, "Dimensions") or at(found, "dimensions")))


def _series(attributes: Any) -> Metric:
    """Give what tells one of several series from the others, as the dimensions of a metric without a name."""
    return Metric("", "", _dimensions(attributes))


def _dimensions(given: Any) -> dict[str, str]:
    """Give dimensions, which are a list of names and values, or an object."""
    if is_object(given):
        return {name: text(value) for name, value in given.items()}
    pairs = ((first(text(one, "name"), text(one, "Name")), one) for one in (given if is_list(given) else ()))
    return {name: first(text(one, "value"), text(one, "Value")) for name, one in pairs if name}


def _joined(metrics: list[Metric]) -> dict[str, str]:
    """Give the dimensions of all metrics; those that differ with commas, in order, so that it is always the same."""
    found: dict[str, set[str]] = {}
    for metric in metrics:
        for name, value in metric.dimensions.items():
            found.setdefault(name, set()).add(value)
    return {name: ",".join(sorted(values)) for name, values in sorted(found.items())}


def _children(given: Any) -> str:
    """Give the alarms that made a composite one change."""
    named = (first(text(one, "Arn"), one if isinstance(one, str) else "") for one in (given if is_list(given) else ()))
    return ", ".join(filter(None, named))
