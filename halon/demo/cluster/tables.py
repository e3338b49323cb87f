"""The tables that kubectl prints, made by the server as a real one does."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from halon.demo.cluster.objects import (
    Json,
    child,
    condition_of,
    is_deleting,
    is_pod_ready,
    labels_of,
    name_of,
    objects,
    parse_timestamp,
    strings,
)
from halon.demo.cluster.resources import Resource
from halon.demo.cluster.selectors import selector_text

Cell: TypeAlias = Callable[[Json, datetime], Any]
_NONE = "<none>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. A wide one is shown only with `-o wide`."""

    title: str
    cell: Cell
    wide: bool = False
    type: str = "string"


def table(resource: Resource, items: list[Json], now: datetime, *, include: str, metadata: Json) -> Json:
    """Write objects as a Table. `include` is how much of each object a row carries: None, Metadata or Object."""
    columns = _COLUMNS.get(resource.kind, _OTHER)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [
            {
                "name": column.title,
                "type": column.type,
                "format": "name" if column.title == "Name" else "",
                "description": column.title,
                "priority": int(column.wide),
            }
            for column in columns
        ],
        "rows": [_row(columns, item, now, include) for item in items],
    }


def _row(columns: tuple[Column, ...], item: Json, now: datetime, include: str) -> Json:
    row: Json = {"cells": [column.cell(item, now) for column in columns]}
    if include == "Object":
        row["object"] = item
    elif include != "None":
        partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        row["object"] = {**partial, "metadata": item["metadata"]}
    return row


def _age(moment: object, now: datetime) -> str:
    """Write how long ago something was, in kubectl's way."""
    if not isinstance(moment, str):
        return "<unknown>"
    seconds = max(0, int((now - parse_timestamp(moment)).total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    for value, unit, smaller, smaller_unit, longest, exact in (
        (seconds, "s", 0, "", 120, True),
        (minutes, "m", seconds % 60, "s", 10, False),
        (minutes, "m", 0, "", 180, True),
        (hours, "h", minutes % 60, "m", 8, False),
        (hours, "h", 0, "", 48, True),
    ):
        if value < longest:
            return f"{value}{unit}" if exact or not smaller else f"{value}{unit}{smaller}{smaller_unit}"
    return f"{days}d"


def _at(*path: str, default: object = _NONE) -> Cell:
    def cell(obj: Json, _: datetime) -> Any:  # any plain value may stand there
        value = child(obj, *path[:-1]).get(path[-1])
        return default if value in (None, "") else value

    return cell


def _since(*path: str) -> Cell:
    return lambda obj, now: _age(child(obj, *path[:-1]).get(path[-1]), now)


def _pod_status(pod: Json, _: datetime) -> str:
    """Tell a pod's state in one word, as kubectl does: what its containers wait for comes before its phase."""
    shown = str(child(pod, "status").get("reason") or child(pod, "status").get("phase") or "Unknown")
    for container in reversed(objects(pod, "status", "containerStatuses")):
        reason = child(container, "state", "waiting").get("reason") or child(container, "state", "terminated").get(
            "reason"
        )
        if reason:
            shown = str(reason)
    return "Terminating" if is_deleting(pod) else shown


def _pod_ready(pod: Json, _: datetime) -> str:
    statuses = objects(pod, "status", "containerStatuses")
    return f"{sum(1 for item in statuses if item.get('ready'))}/{len(objects(pod, 'spec', 'containers'))}"


def _restarts(pod: Json, now: datetime) -> str:
    statuses = objects(pod, "status", "containerStatuses")
    count = sum(int(item.get("restartCount", 0)) for item in statuses)
    last = max((str(child(item, "lastState", "terminated").get("finishedAt", "")) for item in statuses), default="")
    return f"{count} ({_age(last, now)} ago)" if count and last else str(count)


def _containers(field: str) -> Cell:
    def cell(obj: Json, _: datetime) -> str:
        containers = objects(obj, "spec", "template", "spec", "containers")
        return ",".join(str(item.get(field)) for item in containers)

    return cell


def _ready_of(obj: Json, _: datetime) -> str:
    return f"{child(obj, 'status').get('readyReplicas', 0)}/{child(obj, 'spec').get('replicas', 0)}"


def _selector(obj: Json, _: datetime) -> str:
    selector = child(obj, "spec", "selector")
    if "matchLabels" in selector or "matchExpressions" in selector:
        return selector_text(selector)
    return ",".join(f"{key}={value}" for key, value in strings(obj, "spec", "selector").items()) or _NONE


def _node_status(node: Json, _: datetime) -> str:
    shown = "Ready" if is_pod_ready(node) else "NotReady"
    return f"{shown},SchedulingDisabled" if child(node, "spec").get("unschedulable") else shown


def _roles(node: Json, _: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = [key.removeprefix(prefix) for key in labels_of(node) if key.startswith(prefix)]
    return ",".join(sorted(roles)) or _NONE


def _ports(service: Json, _: datetime) -> str:
    ports = [f"{item.get('port')}/{item.get('protocol')}" for item in objects(service, "spec", "ports")]
    return ",".join(ports) or _NONE


def _about(event: Json, _: datetime) -> str:
    involved = child(event, "involvedObject")
    return f"{str(involved.get('kind')).lower()}/{involved.get('name')}"


def _target(autoscaler: Json, _: datetime) -> str:
    target = child(autoscaler, "spec", "scaleTargetRef")
    return f"{target.get('kind')}/{target.get('name')}"


def _targets(autoscaler: Json, _: datetime) -> str:
    shown: list[str] = []
    for metric in objects(autoscaler, "spec", "metrics"):
        resource = child(metric, "resource")
        utilization = child(resource, "target").get("averageUtilization", "?")
        shown.append(f"{resource.get('name', metric.get('type'))}: <unknown>/{utilization}%")
    return ", ".join(shown) or _NONE


def _completions(job: Json, _: datetime) -> str:
    return f"{child(job, 'status').get('succeeded', 0)}/{child(job, 'spec').get('completions', 1)}"


def _job_status(job: Json, _: datetime) -> str:
    for kind in ("Complete", "Failed"):
        if condition_of(job, kind).get("status") == "True":
            return kind
    return "Suspended" if child(job, "spec").get("suspend") else "Running"


def _entries(*fields: str) -> Cell:
    return lambda obj, _: sum(len(child(obj, field)) for field in fields)


_NAME = Column("Name", lambda obj, _: name_of(obj))
_AGE = Column("Age", _since("metadata", "creationTimestamp"))
_OTHER = (_NAME, _AGE)
_TEMPLATE = (
    Column("Containers", _containers("name"), wide=True),
    Column("Images", _containers("image"), wide=True),
    Column("Selector", _selector, wide=True),
)


def _count(title: str, *path: str) -> Column:
    return Column(title, _at(*path, default=0), type="integer")


_COLUMNS: dict[str, tuple[Column, ...]] = {
    "ConfigMap": (_NAME, Column("Data", _entries("data", "binaryData"), type="integer"), _AGE),
    "CronJob": (
        _NAME,
        Column("Schedule", _at("spec", "schedule")),
        Column("Timezone", _at("spec", "timeZone")),
        Column("Suspend", lambda obj, _: str(bool(child(obj, "spec").get("suspend")))),
        Column("Active", lambda obj, _: len(objects(obj, "status", "active")), type="integer"),
        _AGE,
    ),
    "Deployment": (
        _NAME,
        Column("Ready", _ready_of),
        _count("Up-to-date", "status", "updatedReplicas"),
        _count("Available", "status", "availableReplicas"),
        _AGE,
        *_TEMPLATE,
    ),
    "Event": (
        Column("Last Seen", _since("lastTimestamp")),
        Column("Type", _at("type")),
        Column("Reason", _at("reason")),
        Column("Object", _about),
        Column("Message", _at("message")),
        Column("Source", _at("source", "component"), wide=True),
        Column("Count", _at("count", default=1), wide=True, type="integer"),
        Column("Name", lambda obj, _: name_of(obj), wide=True),
    ),
    "HorizontalPodAutoscaler": (
        _NAME,
        Column("Reference", _target),
        Column("Targets", _targets),
        Column("MinPods", _at("spec", "minReplicas"), type="integer"),
        Column("MaxPods", _at("spec", "maxReplicas"), type="integer"),
        _count("Replicas", "status", "currentReplicas"),
        _AGE,
    ),
    "Job": (_NAME, Column("Status", _job_status), Column("Completions", _completions), _AGE, *_TEMPLATE),
    "Lease": (_NAME, Column("Holder", _at("spec", "holderIdentity")), _AGE),
    "Namespace": (_NAME, Column("Status", _at("status", "phase")), _AGE),
    "NetworkPolicy": (
        _NAME,
        Column("Pod-Selector", lambda obj, _: selector_text(child(obj, "spec", "podSelector")) or _NONE),
        _AGE,
    ),
    "Node": (
        _NAME,
        Column("Status", _node_status),
        Column("Roles", _roles),
        _AGE,
        Column("Version", _at("status", "nodeInfo", "kubeletVersion")),
    ),
    "Pod": (
        _NAME,
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        _AGE,
        Column("IP", _at("status", "podIP"), wide=True),
        Column("Node", _at("spec", "nodeName"), wide=True),
        Column("Nominated Node", _at("status", "nominatedNodeName"), wide=True),
        Column("Readiness Gates", lambda _obj, _now: _NONE, wide=True),
    ),
    "PodDisruptionBudget": (
        _NAME,
        Column("Min Available", _at("spec", "minAvailable", default="N/A")),
        Column("Max Unavailable", _at("spec", "maxUnavailable", default="N/A")),
        _count("Allowed Disruptions", "status", "disruptionsAllowed"),
        _AGE,
    ),
    "ReplicaSet": (
        _NAME,
        _count("Desired", "spec", "replicas"),
        _count("Current", "status", "replicas"),
        _count("Ready", "status", "readyReplicas"),
        _AGE,
        *_TEMPLATE,
    ),
    "Secret": (_NAME, Column("Type", _at("type")), Column("Data", _entries("data"), type="integer"), _AGE),
    "Service": (
        _NAME,
        Column("Type", _at("spec", "type")),
        Column("Cluster-IP", _at("spec", "clusterIP")),
        Column("External-IP", lambda _obj, _now: _NONE),
        Column("Port(s)", _ports),
        _AGE,
        Column("Selector", _selector, wide=True),
    ),
    "StatefulSet": (_NAME, Column("Ready", _ready_of), _AGE, *_TEMPLATE),
}
"""Columns by kind; what is not here shows its name and age."""
