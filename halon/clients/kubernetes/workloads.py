"""Views of the workloads beside Deployments, and of what goes with them: as far as actions read them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from halon.clients.kubernetes.connection import Resource
from halon.clients.kubernetes.objects import Condition, Metadata, Selector, View
from halon.contracts.base import JsonObject

STATEFUL_SETS = Resource("apps", "v1", "statefulsets")
DAEMON_SETS = Resource("apps", "v1", "daemonsets")
CONTROLLER_REVISIONS = Resource("apps", "v1", "controllerrevisions")
JOBS = Resource("batch", "v1", "jobs")
CRON_JOBS = Resource("batch", "v1", "cronjobs")

REVISION_HASH = "controller-revision-hash"
"""Label of a pod: its revision's name in a StatefulSet, its revision's hash in a DaemonSet."""


def _or_empty_list(value: Any) -> Any:
    return [] if value is None else value


def _or_empty_dict(value: Any) -> Any:
    return {} if value is None else value


class RollingUpdate(View):
    """The bounds of a rolling update."""

    partition: int = 0
    """StatefulSet: pods of lower numbers keep the template that they have."""


class UpdateStrategy(View):
    """How new pods replace old ones."""

    type: str = "RollingUpdate"
    rolling_update: Annotated[RollingUpdate, BeforeValidator(_or_empty_dict)] = RollingUpdate()


class RetentionPolicy(View):
    """What becomes of a StatefulSet's volume claims."""

    when_scaled: str = "Retain"


class StatefulSetSpec(View):
    """What is wanted."""

    replicas: int = 1
    selector: Selector = Selector()
    template: JsonObject = {}
    update_strategy: UpdateStrategy = UpdateStrategy()
    pod_management_policy: str = "OrderedReady"
    persistent_volume_claim_retention_policy: Annotated[RetentionPolicy, BeforeValidator(_or_empty_dict)] = (
        RetentionPolicy()
    )


class StatefulSetStatus(View):
    """What is there."""

    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    updated_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""


class StatefulSet(View):
    """A StatefulSet."""

    metadata: Metadata
    spec: StatefulSetSpec
    status: StatefulSetStatus = StatefulSetStatus()

    @property
    def in_order(self) -> bool:
        """Whether each pod waits for those before it, so that one that never gets ready holds the others up."""
        return self.spec.pod_management_policy == "OrderedReady"

    @property
    def partition(self) -> int:
        """Pods of lower numbers are left out of an update."""
        return self.spec.update_strategy.rolling_update.partition


class DaemonSetSpec(View):
    """What is wanted."""

    selector: Selector = Selector()
    template: JsonObject = {}
    update_strategy: UpdateStrategy = UpdateStrategy()


class DaemonSetStatus(View):
    """What is there."""

    observed_generation: int = 0
    desired_number_scheduled: int = 0
    current_number_scheduled: int = 0
    number_misscheduled: int = 0
    updated_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0


class DaemonSet(View):
    """A DaemonSet."""

    metadata: Metadata
    spec: DaemonSetSpec
    status: DaemonSetStatus = DaemonSetStatus()


class ControllerRevision(View):
    """A pod template that a StatefulSet or DaemonSet has had, kept as the patch that would bring it back."""

    metadata: Metadata
    data: Annotated[JsonObject, BeforeValidator(_or_empty_dict)] = {}
    revision: int = 0


class JobSpec(View):
    """What is wanted."""

    suspend: bool = False
    selector: Selector = Selector()
    parallelism: int = 1
    completions: int | None = None
    backoff_limit: int = 6
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    template: JsonObject = {}


class JobStatus(View):
    """What is there."""

    active: int = 0
    ready: int = 0
    succeeded: int = 0
    failed: int = 0
    terminating: int = 0
    start_time: datetime | None = None
    completion_time: datetime | None = None
    conditions: Annotated[tuple[Condition, ...], BeforeValidator(_or_empty_list)] = ()


class Job(View):
    """A Job."""

    metadata: Metadata
    spec: JobSpec
    status: JobStatus = JobStatus()

    def condition(self, kind: str) -> Condition | None:
        """Give the condition of this type, when it holds."""
        return next((one for one in self.status.conditions if one.type == kind and one.status == "True"), None)

    @property
    def ended(self) -> Condition | None:
        """The condition that says that it has ended: `Complete` or `Failed`."""
        return self.condition("Failed") or self.condition("Complete")


class CronJobSpec(View):
    """What is wanted."""

    schedule: str = ""
    time_zone: str = ""
    suspend: bool = False
    concurrency_policy: str = "Allow"
    starting_deadline_seconds: int | None = None


class Reference(View):
    """Another object."""

    name: str = ""


class CronJobStatus(View):
    """What is there."""

    active: Annotated[tuple[Reference, ...], BeforeValidator(_or_empty_list)] = ()
    last_schedule_time: datetime | None = None
    last_successful_time: datetime | None = None


class CronJob(View):
    """A CronJob."""

    metadata: Metadata
    spec: CronJobSpec
    status: CronJobStatus = CronJobStatus()
