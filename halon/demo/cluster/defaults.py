"""The values that the server fills in where a client left them out, as far as clients rely on them."""

import base64
from collections.abc import Callable

from halon.demo.cluster.objects import Json, child, ensure, name_of, objects, uid_of
from halon.demo.cluster.resources import Resource

STORAGE_CLASS = "standard"
"""The storage class of a claim that names none."""


def set_defaults(resource: Resource, obj: Json) -> None:
    """Fill in an object that is being built."""
    default = _DEFAULTS.get(resource.kind)
    if default:
        default(obj)


def _fill(obj: Json, **values: object) -> None:
    for key, value in values.items():
        obj.setdefault(key, value)


def _pod_spec(spec: Json) -> None:
    _fill(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        securityContext={},
    )
    for container in objects(spec, "containers") + objects(spec, "initContainers"):
        image = str(container.get("image") or "")
        tag = image.rpartition("/")[2].partition(":")[2]
        _fill(
            container,
            imagePullPolicy="Always" if not tag or tag == "latest" else "IfNotPresent",
            terminationMessagePath="/dev/termination-log",
            terminationMessagePolicy="File",
            resources={},
        )
        for port in objects(container, "ports"):
            _fill(port, protocol="TCP")
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            if probe in container:
                _fill(container[probe], failureThreshold=3, periodSeconds=10, successThreshold=1, timeoutSeconds=1)


def _template(spec: Json) -> None:
    if "template" in spec:
        ensure(spec, "template", "metadata")
        _pod_spec(ensure(spec, "template", "spec"))


def _pod(obj: Json) -> None:
    spec = ensure(obj, "spec")
    _pod_spec(spec)
    _fill(spec, serviceAccountName="default", serviceAccount="default", enableServiceLinks=True, priority=0)
    _fill(ensure(obj, "status"), phase="Pending", qosClass=_quality(spec))


def _quality(spec: Json) -> str:
    resources = [child(container, "resources") for container in objects(spec, "containers")]
    if not any(resources):
        return "BestEffort"
    sized = all(child(item, "limits").keys() >= {"cpu", "memory"} for item in resources)
    equal = all(child(item, "requests") in ({}, child(item, "limits")) for item in resources)
    return "Guaranteed" if sized and equal else "Burstable"


def _deployment(obj: Json) -> None:
    spec = ensure(obj, "spec")
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = ensure(spec, "strategy")
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(ensure(strategy, "rollingUpdate"), maxSurge="25%", maxUnavailable="25%")
    _template(spec)
    ensure(obj, "status")


def _replica_set(obj: Json) -> None:
    spec = ensure(obj, "spec")
    _fill(spec, replicas=1)
    _template(spec)
    _fill(ensure(obj, "status"), replicas=0)


def _stateful_set(obj: Json) -> None:
    spec = ensure(obj, "spec")
    _fill(spec, replicas=1, podManagementPolicy="OrderedReady", revisionHistoryLimit=10)
    _fill(spec, persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"})
    _strategy(spec, partition=0)
    _template(spec)
    _fill(ensure(obj, "status"), replicas=0, availableReplicas=0)


def _strategy(spec: Json, **rolling: object) -> None:
    strategy = ensure(spec, "updateStrategy")
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(ensure(strategy, "rollingUpdate"), **rolling)


def _daemon_set(obj: Json) -> None:
    spec = ensure(obj, "spec")
    _fill(spec, revisionHistoryLimit=10)
    _strategy(spec, maxSurge=0, maxUnavailable=1)
    _template(spec)
    _fill(
        ensure(obj, "status"), currentNumberScheduled=0, desiredNumberScheduled=0, numberMisscheduled=0, numberReady=0
    )


def _job_spec(spec: Json) -> None:
    if "parallelism" not in spec:
        _fill(spec, completions=1)
    _fill(spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False, manualSelector=False)
    _fill(spec, podReplacementPolicy="Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    _template(spec)


def _job(obj: Json) -> None:
    spec = ensure(obj, "spec")
    _job_spec(spec)
    mark = {"controller-uid": uid_of(obj), "job-name": name_of(obj)}
    mark |= {f"batch.kubernetes.io/{key}": value for key, value in mark.items()}
    if not spec.get("manualSelector") and "selector" not in spec:
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid_of(obj)}}
        ensure(spec, "template", "metadata", "labels").update(mark)
    ensure(obj, "status")


def _cron_job(obj: Json) -> None:
    spec = ensure(obj, "spec")
    _fill(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    if "jobTemplate" in spec:
        _template(ensure(spec, "jobTemplate", "spec"))
    ensure(obj, "status")


def _service(obj: Json) -> None:
    spec = ensure(obj, "spec")
    _fill(spec, type="ClusterIP", sessionAffinity="None", internalTrafficPolicy="Cluster")
    if spec["type"] != "ExternalName":
        _fill(spec, clusterIP=_address(uid_of(obj)))
        _fill(spec, clusterIPs=[spec["clusterIP"]], ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    for port in objects(spec, "ports"):
        _fill(port, protocol="TCP", targetPort=port.get("port"))
    _fill(ensure(obj, "status"), loadBalancer={})


def _address(uid: str) -> str:
    """Derive a service's address from its uid: stable, and never handed out twice in practice."""
    number = int(uid.replace("-", "") or "0", 16)
    return f"10.96.{number % 253 + 1}.{number // 253 % 253 + 1}"


def _namespace(obj: Json) -> None:
    _fill(ensure(obj, "spec"), finalizers=["kubernetes"])
    _fill(ensure(obj, "status"), phase="Active")
    ensure(obj, "metadata", "labels")["kubernetes.io/metadata.name"] = name_of(obj)


def _node(obj: Json) -> None:
    ensure(obj, "spec")
    ensure(obj, "status")


def _secret(obj: Json) -> None:
    _fill(obj, type="Opaque")
    if "stringData" in obj:
        plain: Json = obj.pop("stringData")
        for key, value in plain.items():
            ensure(obj, "data")[key] = base64.b64encode(str(value).encode()).decode()


def _autoscaler(obj: Json) -> None:
    spec = ensure(obj, "spec")
    _fill(spec, minReplicas=1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    _fill(ensure(obj, "status"), desiredReplicas=0, currentReplicas=0)


def _claim(obj: Json) -> None:
    _fill(ensure(obj, "spec"), volumeMode="Filesystem", storageClassName=STORAGE_CLASS)
    _fill(ensure(obj, "status"), phase="Pending")


def _quota(obj: Json) -> None:
    ensure(obj, "spec")
    ensure(obj, "status")


def _budget(obj: Json) -> None:
    ensure(obj, "spec")
    _fill(ensure(obj, "status"), currentHealthy=0, desiredHealthy=0, disruptionsAllowed=0, expectedPods=0)


def _network_policy(obj: Json) -> None:
    spec = ensure(obj, "spec")
    ensure(spec, "podSelector")
    _fill(spec, policyTypes=["Ingress", *(["Egress"] if "egress" in spec else [])])


def _event(obj: Json) -> None:
    _fill(obj, source={}, reportingComponent="", reportingInstance="")


_DEFAULTS: dict[str, Callable[[Json], None]] = {
    "CronJob": _cron_job,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "Event": _event,
    "HorizontalPodAutoscaler": _autoscaler,
    "Job": _job,
    "Namespace": _namespace,
    "NetworkPolicy": _network_policy,
    "Node": _node,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "PodDisruptionBudget": _budget,
    "ReplicaSet": _replica_set,
    "ResourceQuota": _quota,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _stateful_set,
}
