"""What the server refuses though every field is known and of its type: names, ranges, and fields that never change."""

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from halon.clients.kubernetes.quantities import amount
from halon.demo.cluster.objects import Json, child, clone, ensure, is_object, labels_of, name_of, objects, strings
from halon.demo.cluster.resources import Resource
from halon.demo.cluster.schedules import schedule
from halon.demo.cluster.selectors import selector_matches
from halon.demo.cluster.status import FieldProblem

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_MAX_NAME = 253
_MAX_LABEL = 63
_PATH_NAMES = {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
_NON_NEGATIVE = "must be greater than or equal to 0"
_IMMUTABLE = "field is immutable"
_CONCURRENCY = ("Allow", "Forbid", "Replace")
_POD_SPEC_CHANGES = {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"}


def validate(resource: Resource, obj: Json) -> list[FieldProblem]:
    """List what is wrong with an object by itself."""
    problems = _metadata(resource, obj)
    check = _CHECKS.get(resource.kind)
    return problems + (check(child(obj, "spec")) if check else [])


def validate_change(resource: Resource, before: Json, after: Json) -> list[FieldProblem]:
    """List the fields that a change may not touch."""
    problems: list[FieldProblem] = []
    for field in _FIXED.get(resource.kind, ()):
        value = child(after, "spec").get(field)
        if child(before, "spec").get(field) != value:
            problems.append(FieldProblem.invalid(f"spec.{field}", value, _IMMUTABLE))
    if resource.kind == "Pod" and _pod_identity(before) != _pod_identity(after):
        detail = "pod updates may not change fields other than `spec.containers[*].image`"
        problems.append(FieldProblem.forbidden("spec", detail))
    if resource.kind == "PersistentVolumeClaim":
        problems += _claim_change(before, after)
    if before.get("immutable"):
        problems += [
            FieldProblem.forbidden(field, "field is immutable when `immutable` is set")
            for field in ("data", "binaryData", "immutable")
            if before.get(field) != after.get(field)
        ]
    return problems


def _metadata(resource: Resource, obj: Json) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    name = name_of(obj)
    pattern, longest = (
        (_DNS_LABEL, _MAX_LABEL) if resource.kind in {"Namespace", "Service"} else (_SUBDOMAIN, _MAX_NAME)
    )
    if resource.kind not in _PATH_NAMES and (not pattern.fullmatch(name) or len(name) > longest):
        detail = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
            "and must start and end with an alphanumeric character"
        )
        problems.append(FieldProblem.invalid("metadata.name", name, detail))
    problems += _labels(child(obj, "metadata"), "metadata.labels")
    return problems


def _labels(holder: Json, path: str) -> list[FieldProblem]:
    return [
        FieldProblem.invalid(path, value, "a valid label must be an empty string or consist of alphanumeric characters")
        for value in strings(holder, "labels").values()
        if len(value) > _MAX_LABEL or not _LABEL_VALUE.fullmatch(value)
    ]


def _not_negative(spec: Json, path: str, *fields: str) -> list[FieldProblem]:
    return [
        FieldProblem.invalid(f"{path}.{field}", spec[field], _NON_NEGATIVE)
        for field in fields
        if isinstance(spec.get(field), int) and spec[field] < 0
    ]


def _pod_spec(spec: Json, path: str = "spec") -> list[FieldProblem]:
    containers = objects(spec, "containers")
    problems = [] if containers else [FieldProblem.required(f"{path}.containers")]
    seen: set[str] = set()
    for index, container in enumerate(containers):
        where, name = f"{path}.containers[{index}]", str(container.get("name") or "")
        if not container.get("image"):
            problems.append(FieldProblem.required(f"{where}.image"))
        if name in seen:
            problems.append(FieldProblem.duplicate(f"{where}.name", name))
        elif not _DNS_LABEL.fullmatch(name):
            problems.append(FieldProblem.invalid(f"{where}.name", name, "a lowercase RFC 1123 label is needed"))
        seen.add(name)
    policy = spec.get("restartPolicy")
    if policy not in {"Always", "OnFailure", "Never"}:
        problems.append(FieldProblem.unsupported(f"{path}.restartPolicy", policy, ["Always", "OnFailure", "Never"]))
    return problems + _not_negative(spec, path, "terminationGracePeriodSeconds")


def _workload(spec: Json) -> list[FieldProblem]:
    problems = _not_negative(spec, "spec", "replicas", "minReadySeconds", "revisionHistoryLimit")
    selector = child(spec, "selector")
    template = child(spec, "template")
    labels = labels_of(template)
    if not selector:
        detail = "empty selector is invalid for deployment"
        problems.append(FieldProblem.invalid("spec.selector", "{}", detail))
    elif not selector_matches(selector, labels):
        shown = str(labels)
        detail = "`selector` does not match template `labels`"
        problems.append(FieldProblem.invalid("spec.template.metadata.labels", shown, detail))
    problems += _labels(child(template, "metadata"), "spec.template.metadata.labels")
    problems += _pod_spec(child(template, "spec"), "spec.template.spec")
    policy = child(template, "spec").get("restartPolicy")
    if policy in {"OnFailure", "Never"}:
        problems.append(FieldProblem.unsupported("spec.template.spec.restartPolicy", policy, ["Always"]))
    return problems


def _deployment(spec: Json) -> list[FieldProblem]:
    problems = _workload(spec)
    deadline, ready = spec.get("progressDeadlineSeconds", 600), spec.get("minReadySeconds", 0)
    if deadline <= ready:
        detail = "must be greater than minReadySeconds"
        problems.append(FieldProblem.invalid("spec.progressDeadlineSeconds", deadline, detail))
    strategy = child(spec, "strategy")
    kind, rolling = strategy.get("type"), child(strategy, "rollingUpdate")
    if kind not in {"Recreate", "RollingUpdate"}:
        supported = ["Recreate", "RollingUpdate"]
        problems.append(FieldProblem.unsupported("spec.strategy.type", kind, supported))
    if kind == "Recreate" and "rollingUpdate" in strategy:
        detail = "may not be specified when strategy `type` is 'Recreate'"
        problems.append(FieldProblem.forbidden("spec.strategy.rollingUpdate", detail))
    zero = {0, "0", "0%"}
    if kind == "RollingUpdate" and rolling.get("maxSurge") in zero and rolling.get("maxUnavailable") in zero:
        detail = "may not be 0 when `maxSurge` is 0"
        problems.append(FieldProblem.invalid("spec.strategy.rollingUpdate.maxUnavailable", 0, detail))
    return problems


def _autoscaler(spec: Json) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if most < 1:
        problems.append(FieldProblem.invalid("spec.maxReplicas", most, "must be greater than 0"))
    if least < 1:
        problems.append(FieldProblem.invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < least:
        detail = "must be greater than or equal to `minReplicas`"
        problems.append(FieldProblem.invalid("spec.maxReplicas", most, detail))
    return problems


def _budget(spec: Json) -> list[FieldProblem]:
    if "minAvailable" in spec and "maxUnavailable" in spec:
        detail = "minAvailable and maxUnavailable cannot be both set"
        return [FieldProblem.invalid("spec", "{...}", detail)]
    return _not_negative(spec, "spec", "minAvailable", "maxUnavailable")


def _job(spec: Json, path: str = "spec") -> list[FieldProblem]:
    counts = ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished")
    problems = _not_negative(spec, path, *counts)
    template = child(spec, "template", "spec")
    problems += _pod_spec(template, f"{path}.template.spec")
    if template.get("restartPolicy") == "Always":
        detail = 'valid values: "OnFailure", "Never"'
        problems.append(FieldProblem.required(f"{path}.template.spec.restartPolicy", detail))
    return problems


def _cron_job(spec: Json) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    text, zone = str(spec.get("schedule") or ""), spec.get("timeZone")
    try:
        schedule(text)
    except ValueError as error:
        problems.append(FieldProblem.invalid("spec.schedule", text, str(error)))
    try:
        ZoneInfo(str(zone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        problems.append(FieldProblem.invalid("spec.timeZone", zone, f"unknown time zone {zone}"))
    policy = spec.get("concurrencyPolicy")
    if policy not in _CONCURRENCY:
        problems.append(FieldProblem.unsupported("spec.concurrencyPolicy", policy, _CONCURRENCY))
    counts = ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    problems += _not_negative(spec, "spec", *counts)
    return problems + _job(child(spec, "jobTemplate", "spec"), "spec.jobTemplate.spec")


def _claim(spec: Json) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    if not spec.get("accessModes"):
        problems.append(FieldProblem.required("spec.accessModes", "at least 1 access mode is required"))
    if "storage" not in child(spec, "resources", "requests"):
        problems.append(FieldProblem.required("spec.resources[storage]"))
    return problems


def _claim_change(before: Json, after: Json) -> list[FieldProblem]:
    """A claim keeps what it asked for, but for a volume that is given to it, and for more room once it has one."""
    was, wants = clone(child(before, "spec")), clone(child(after, "spec"))
    if not was.get("volumeName"):
        was.pop("volumeName", None)
        wants.pop("volumeName", None)
    old, new = (amount(str(child(spec, "resources", "requests").get("storage", "0"))) for spec in (was, wants))
    if child(before, "status").get("phase") == "Bound":
        for spec in (was, wants):
            ensure(spec, "resources").pop("requests", None)
    problems: list[FieldProblem] = []
    if was != wants:
        detail = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        problems.append(FieldProblem.forbidden("spec", detail))
    if new < old:
        detail = "field can not be less than status.capacity"
        problems.append(FieldProblem.forbidden("spec.resources.requests.storage", detail))
    return problems


def _pod_identity(pod: Json) -> Json:
    """Return the part of a pod's spec that is fixed once it exists."""
    spec = {key: value for key, value in child(pod, "spec").items() if key not in _POD_SPEC_CHANGES}
    for kind in ("containers", "initContainers"):
        if kind in spec:
            spec[kind] = [{**item, "image": ""} for item in spec[kind] if is_object(item)]
    return spec


_CHECKS: dict[str, Callable[[Json], list[FieldProblem]]] = {
    "CronJob": _cron_job,
    "DaemonSet": _workload,
    "Deployment": _deployment,
    "HorizontalPodAutoscaler": _autoscaler,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod_spec,
    "PodDisruptionBudget": _budget,
    "ReplicaSet": _workload,
    "StatefulSet": _workload,
}
_FIXED: dict[str, tuple[str, ...]] = {
    "DaemonSet": ("selector",),
    "Deployment": ("selector",),
    "Job": (
        "selector",
        "template",
        "completions",
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ),
    "ReplicaSet": ("selector",),
    "StatefulSet": ("selector", "serviceName"),
}
