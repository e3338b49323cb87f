"""What the demonstration cluster serves: one row a resource, and the lookups by path and by kind."""

from dataclasses import dataclass

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource type. `model` names the official client's class, whose fields are the schema."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    has_generation: bool = False
    needs_version: bool = False
    """A PUT must carry the resourceVersion that it replaces."""
    model: str = ""

    @property
    def api_version(self) -> str:
        """The apiVersion of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name in messages: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def root(self) -> str:
        """Where its group version is served."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def model_name(self) -> str:
        """The official client's class."""
        return self.model or f"{self.version.capitalize()}{self.kind}"

    @property
    def has_status(self) -> bool:
        """Whether status is written only through its subresource."""
        return "status" in self.subresources

    @property
    def verbs(self) -> tuple[str, ...]:
        """What may be done with it: a review is only ever created, and usage only ever read."""
        if self.group == "metrics.k8s.io":
            return ("get", "list")
        return ("create",) if self.group in {"authorization.k8s.io", "authentication.k8s.io"} else _VERBS


_ALL = ("all",)
_STATUS = frozenset({"status"})
_SCALED = frozenset({"status", "scale"})


RESOURCES = (
    Resource("", "v1", "configmaps", "ConfigMap", short=("cm",)),
    Resource("", "v1", "endpoints", "Endpoints", short=("ep",)),
    Resource("", "v1", "events", "Event", short=("ev",), model="CoreV1Event"),
    Resource("", "v1", "limitranges", "LimitRange", short=("limits",)),
    Resource("", "v1", "namespaces", "Namespace", namespaced=False, short=("ns",), subresources=_STATUS),
    Resource("", "v1", "nodes", "Node", namespaced=False, short=("no",), subresources=_STATUS),
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", short=("pvc",), subresources=_STATUS),
    Resource(
        "",
        "v1",
        "pods",
        "Pod",
        short=("po",),
        categories=_ALL,
        subresources=frozenset({"status", "log", "eviction"}),
        has_generation=True,
    ),
    Resource(
        "",
        "v1",
        "replicationcontrollers",
        "ReplicationController",
        short=("rc",),
        categories=_ALL,
        subresources=_SCALED,
    ),
    Resource("", "v1", "resourcequotas", "ResourceQuota", short=("quota",), subresources=_STATUS),
    Resource("", "v1", "secrets", "Secret"),
    Resource("", "v1", "serviceaccounts", "ServiceAccount", short=("sa",)),
    Resource("", "v1", "services", "Service", short=("svc",), categories=_ALL, subresources=_STATUS),
    Resource("apps", "v1", "controllerrevisions", "ControllerRevision"),
    Resource(
        "apps",
        "v1",
        "daemonsets",
        "DaemonSet",
        short=("ds",),
        categories=_ALL,
        subresources=_STATUS,
        has_generation=True,
    ),
    Resource(
        "apps",
        "v1",
        "deployments",
        "Deployment",
        short=("deploy",),
        categories=_ALL,
        subresources=_SCALED,
        has_generation=True,
    ),
    Resource(
        "apps",
        "v1",
        "replicasets",
        "ReplicaSet",
        short=("rs",),
        categories=_ALL,
        subresources=_SCALED,
        has_generation=True,
    ),
    Resource(
        "apps",
        "v1",
        "statefulsets",
        "StatefulSet",
        short=("sts",),
        categories=_ALL,
        subresources=_SCALED,
        has_generation=True,
    ),
    Resource(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        short=("hpa",),
        categories=_ALL,
        subresources=_STATUS,
    ),
    Resource(
        "batch",
        "v1",
        "cronjobs",
        "CronJob",
        short=("cj",),
        categories=_ALL,
        subresources=_STATUS,
        has_generation=True,
    ),
    Resource("batch", "v1", "jobs", "Job", categories=_ALL, subresources=_STATUS, has_generation=True),
    Resource("coordination.k8s.io", "v1", "leases", "Lease", needs_version=True),
    Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    Resource(
        "networking.k8s.io", "v1", "ingresses", "Ingress", short=("ing",), subresources=_STATUS, has_generation=True
    ),
    Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", short=("netpol",), has_generation=True),
    Resource(
        "policy",
        "v1",
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        short=("pdb",),
        subresources=_STATUS,
        has_generation=True,
        needs_version=True,
    ),
    Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False),
    Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    Resource("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False),
    Resource("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced=False),
    Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False),
)

POD_USAGE = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")
NODE_USAGE = Resource("metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", namespaced=False)
_MEASURED = (POD_USAGE, NODE_USAGE)
"""Served only once something was measured: a cluster has no Metrics API by itself."""

_BY_PATH = {(row.group, row.version, row.plural): row for row in (*RESOURCES, *_MEASURED)}
_BY_KIND = {(row.api_version, row.kind): row for row in RESOURCES}


def at_path(group: str, version: str, plural: str) -> Resource | None:
    """Find the resource that a URL names."""
    return _BY_PATH.get((group, version, plural))


def of_kind(api_version: str, kind: str) -> Resource | None:
    """Find the resource that an object's own header names."""
    return _BY_KIND.get((api_version, kind))


def _named(api_version: str, kind: str) -> Resource:
    return _BY_KIND[api_version, kind]


PODS = _named("v1", "Pod")
NODES = _named("v1", "Node")
EVENTS = _named("v1", "Event")
NAMESPACES = _named("v1", "Namespace")
SERVICE_ACCOUNTS = _named("v1", "ServiceAccount")
DEPLOYMENTS = _named("apps/v1", "Deployment")
REPLICA_SETS = _named("apps/v1", "ReplicaSet")
STATEFUL_SETS = _named("apps/v1", "StatefulSet")
DAEMON_SETS = _named("apps/v1", "DaemonSet")
CONTROLLER_REVISIONS = _named("apps/v1", "ControllerRevision")
JOBS = _named("batch/v1", "Job")
CRON_JOBS = _named("batch/v1", "CronJob")
CLAIMS = _named("v1", "PersistentVolumeClaim")
QUOTAS = _named("v1", "ResourceQuota")
SERVICES = _named("v1", "Service")
AUTOSCALERS = _named("autoscaling/v2", "HorizontalPodAutoscaler")
BUDGETS = _named("policy/v1", "PodDisruptionBudget")

GROUP_VERSIONS = tuple(dict.fromkeys((row.group, row.version) for row in RESOURCES))
