"""Views of Kubernetes objects: the fields that actions read, from raw JSON. What they do not name is ignored.

A pod template stays raw JSON, so that what is written back is exactly what was there.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from halon.contracts.base import JsonObject
from halon.errors import PermanentError

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
MIRROR = "kubernetes.io/config.mirror"

T = TypeVar("T", bound="View")


def _or_empty_dict(value: Any) -> Any:
    return {} if value is None else value


def _or_empty_list(value: Any) -> Any:
    return [] if value is None else value


Texts: TypeAlias = Annotated[dict[str, str], BeforeValidator(_or_empty_dict)]


class View(BaseModel):
    """Part of an object. Open to fields that nobody reads, because every server version adds some."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Owner(View):
    """An owner reference."""

    kind: str
    name: str
    uid: str
    api_version: str = ""
    controller: bool = False


class Metadata(View):
    """What every object has."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: Texts = {}
    annotations: Texts = {}
    finalizers: Annotated[tuple[str, ...], BeforeValidator(_or_empty_list)] = ()
    owner_references: Annotated[tuple[Owner, ...], BeforeValidator(_or_empty_list)] = ()

    @property
    def controller(self) -> Owner | None:
        """The owner that controls it."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class Thing(View):
    """An object of which only the metadata matters."""

    metadata: Metadata


class Condition(View):
    """A condition of a status."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_update_time: datetime | None = None
    last_transition_time: datetime | None = None


class Requirement(View):
    """One line of a selector's `matchExpressions`."""

    key: str
    operator: str
    values: Annotated[tuple[str, ...], BeforeValidator(_or_empty_list)] = ()


class Selector(View):
    """A label selector."""

    match_labels: Texts = {}
    match_expressions: Annotated[tuple[Requirement, ...], BeforeValidator(_or_empty_list)] = ()

    def __str__(self) -> str:
        """As the API and kubectl take it: `app=cart,tier in (web)`."""
        parts = [f"{key}={value}" for key, value in sorted(self.match_labels.items())]
        for one in self.match_expressions:
            values = ",".join(sorted(one.values))
            forms = {"In": f"{one.key} in ({values})", "NotIn": f"{one.key} notin ({values})"}
            forms |= {"Exists": one.key, "DoesNotExist": f"!{one.key}"}
            parts.append(forms.get(one.operator, one.key))
        return ",".join(parts)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected; a selector without terms selects everything."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            _holds(one, labels) for one in self.match_expressions
        )


class Strategy(View):
    """How new pods replace old ones."""

    type: str = "RollingUpdate"


class DeploymentSpec(View):
    """What is wanted."""

    replicas: int = 1
    paused: bool = False
    strategy: Strategy = Strategy()
    selector: Selector = Selector()
    template: JsonObject = {}


class DeploymentStatus(View):
    """What is there."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    conditions: Annotated[tuple[Condition, ...], BeforeValidator(_or_empty_list)] = ()


class Deployment(View):
    """A Deployment."""

    metadata: Metadata
    spec: DeploymentSpec
    status: DeploymentStatus = DeploymentStatus()

    @property
    def revision(self) -> int:
        """The controller's number of the current revision; 0 before it gave one."""
        return _number(self.metadata.annotations.get(REVISION, ""))

    def condition(self, kind: str) -> Condition | None:
        """Give the condition of this type."""
        return next((one for one in self.status.conditions if one.type == kind), None)


class ReplicaSetSpec(View):
    """What is wanted."""

    replicas: int = 1
    template: JsonObject = {}


class ReplicaSetStatus(View):
    """What is there."""

    available_replicas: int = 0


class ReplicaSet(View):
    """A ReplicaSet: one revision of a Deployment."""

    metadata: Metadata
    spec: ReplicaSetSpec
    status: ReplicaSetStatus = ReplicaSetStatus()

    @property
    def numbers(self) -> tuple[int, ...]:
        """Every revision number that this template has had, oldest first; the last is its number now."""
        earlier = [_number(part) for part in self.metadata.annotations.get(REVISION_HISTORY, "").split(",")]
        now = _number(self.metadata.annotations.get(REVISION, ""))
        return (*sorted({one for one in earlier if one and one != now}), now)


class Running(View):
    """A container that runs."""

    started_at: datetime | None = None


class Waiting(View):
    """A container that waits."""

    reason: str = ""
    message: str = ""


class Terminated(View):
    """A container that ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    finished_at: datetime | None = None


class ContainerState(View):
    """One of the three."""

    running: Running | None = None
    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(View):
    """A container of a pod."""

    name: str
    image: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(View):
    """How a pod is."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    start_time: datetime | None = None
    conditions: Annotated[tuple[Condition, ...], BeforeValidator(_or_empty_list)] = ()
    container_statuses: Annotated[tuple[ContainerStatus, ...], BeforeValidator(_or_empty_list)] = ()
    init_container_statuses: Annotated[tuple[ContainerStatus, ...], BeforeValidator(_or_empty_list)] = ()


class Resources(View):
    """What a container asks for, and what it may not exceed, as quantities."""

    requests: Texts = {}
    limits: Texts = {}


class ContainerSpec(View):
    """A container as it is wanted."""

    name: str
    resources: Annotated[Resources, BeforeValidator(_or_empty_dict)] = Resources()


class ClaimSource(View):
    """Which volume claim a volume is of."""

    claim_name: str = ""


class Volume(View):
    """A volume; whether it lives and dies with the pod, and which claim it is of."""

    name: str
    empty_dir: JsonObject | None = None
    persistent_volume_claim: ClaimSource | None = None


class PodSpec(View):
    """Where a pod runs, and with what."""

    node_name: str = ""
    host_network: bool = False
    termination_grace_period_seconds: int = 30
    containers: Annotated[tuple[ContainerSpec, ...], BeforeValidator(_or_empty_list)] = ()
    volumes: Annotated[tuple[Volume, ...], BeforeValidator(_or_empty_list)] = ()


class Pod(View):
    """A pod."""

    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def containers(self) -> tuple[ContainerStatus, ...]:
        """Its containers, those that initialise it first."""
        return (*self.status.init_container_statuses, *self.status.container_statuses)

    @property
    def title(self) -> str:
        """How people name it: `shop/cart-x`."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def ended(self) -> bool:
        """Whether all its containers have ended for good."""
        return self.status.phase in {"Succeeded", "Failed"}

    @property
    def static(self) -> bool:
        """Whether it only mirrors a file on its node, whose kubelet runs it whatever the API says."""
        return MIRROR in self.metadata.annotations


class Items(View):
    """A page of a list, its items still raw."""

    metadata: Annotated[JsonObject, BeforeValidator(_or_empty_dict)] = {}
    items: Annotated[tuple[JsonObject, ...], BeforeValidator(_or_empty_list), Field(max_length=10_000)] = ()

    @property
    def following(self) -> str:
        """Token of the next page, or empty."""
        return str(self.metadata.get("continue") or "")


def view(model: type[T], raw: Any) -> T:
    """Read an object.

    Raises:
        PermanentError: it is not of that form, so another answer of the same server would not be either.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PermanentError(
            f"the API server's answer is not a {model.__name__} as Halon knows it: {place}: {first['msg']}"
        ) from error


def _holds(one: Requirement, labels: Mapping[str, str]) -> bool:
    """Whether labels meet a line of a selector; one that this version does not know is met by nothing."""
    forms = {
        "In": labels.get(one.key) in one.values,
        "NotIn": labels.get(one.key) not in one.values,
        "Exists": one.key in labels,
        "DoesNotExist": one.key not in labels,
    }
    return forms.get(one.operator, False)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
