"""Views of what draining and diagnosing look at beside pods: nodes, disruption budgets, network policies and usage."""

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator

from halon.clients.kubernetes.objects import Condition, Metadata, Selector, Texts, View
from halon.contracts.base import JsonObject


def _or_empty(value: object) -> object:
    return () if value is None else value


class Taint(View):
    """What keeps pods away from a node."""

    key: str
    value: str = ""
    effect: str = ""

    def __str__(self) -> str:
        """As kubectl writes it: `dedicated=batch:NoSchedule`."""
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


class NodeSpec(View):
    """What is wanted of a node."""

    unschedulable: bool = False
    taints: Annotated[tuple[Taint, ...], BeforeValidator(_or_empty)] = ()


class NodeInfo(View):
    """What runs on a node by itself."""

    kubelet_version: str = ""
    os_image: str = ""


class NodeStatus(View):
    """How a node is."""

    conditions: Annotated[tuple[Condition, ...], BeforeValidator(_or_empty)] = ()
    allocatable: Texts = {}
    capacity: Texts = {}
    node_info: NodeInfo = NodeInfo()


class Node(View):
    """A node."""

    metadata: Metadata
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def ready(self) -> bool:
        """Whether its kubelet says that it is; one that is not heard of is not."""
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions)

    @property
    def takes_pods(self) -> bool:
        """Whether the scheduler may give it pods."""
        return self.ready and not self.spec.unschedulable


class BudgetSpec(View):
    """Whom a budget covers, and how many of them must stay."""

    selector: Selector | None = None
    min_available: int | str | None = None
    max_unavailable: int | str | None = None


class BudgetStatus(View):
    """What a budget allows now."""

    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0


class Budget(View):
    """A PodDisruptionBudget."""

    metadata: Metadata
    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()

    @property
    def title(self) -> str:
        """How people name it: `shop/cart`."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    def covers(self, pod: Metadata) -> bool:
        """Whether it speaks of a pod: an empty selector means every pod of its namespace, none means no pod."""
        selector = self.spec.selector
        return selector is not None and pod.namespace == self.metadata.namespace and selector.matches(pod.labels)

    @property
    def never_allows(self) -> bool:
        """Whether no waiting helps: it wants all of its pods to stay."""
        return 0 < self.status.expected_pods <= self.status.desired_healthy


class PolicySpec(View):
    """Whom a network policy is about, and what it allows them."""

    pod_selector: Selector = Selector()
    policy_types: Annotated[tuple[str, ...], BeforeValidator(_or_empty)] = ()
    ingress: Annotated[tuple[JsonObject, ...], BeforeValidator(_or_empty)] = ()
    egress: Annotated[tuple[JsonObject, ...], BeforeValidator(_or_empty)] = ()

    @property
    def allows_nothing(self) -> bool:
        """Whether it only cuts off: traffic is let through by rules, and it has none."""
        return not self.ingress and not self.egress


class Policy(View):
    """A NetworkPolicy."""

    metadata: Metadata
    spec: PolicySpec = PolicySpec()


class ContainerUsage(View):
    """What a container uses, as quantities."""

    name: str
    usage: Texts = {}


class Usage(View):
    """What a pod (by container) or a node (as a whole) uses, as metrics.k8s.io tells it."""

    metadata: Metadata
    timestamp: datetime | None = None
    usage: Texts = {}
    containers: Annotated[tuple[ContainerUsage, ...], BeforeValidator(_or_empty)] = ()
