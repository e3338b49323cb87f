"""How far the rollout of a StatefulSet or DaemonSet is, and which revisions it had. Pure.

Their revisions are ControllerRevisions. Going back to one gives it a new number and forgets the old; that it came back
shows in its age, for it is older than revisions of lower numbers.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from halon.clients.kubernetes.objects import Pod
from halon.clients.kubernetes.rollout import HOPELESS, Revision, plain, trouble
from halon.clients.kubernetes.workloads import REVISION_HASH, ControllerRevision, DaemonSet, StatefulSet
from halon.contracts.base import Json, JsonObject, is_object
from halon.contracts.plan import Settlement

_STUCK = HOPELESS | {"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerError"}
"""What a container waits in that a newer template would mend, if only the controller replaced its pod."""
UNSEEN = "the controller has not taken it up yet"


def revisions(
    kept: Sequence[ControllerRevision], pods: Sequence[Pod], marks: Mapping[str, str]
) -> tuple[Revision, ...]:
    """Give a set's revisions, oldest first.

    Args:
        kept: those that the cluster has.
        pods: the set's pods, of which those that are ready prove that their revision serves.
        marks: by a revision's name, the value of the label `controller-revision-hash` of its pods.
    """
    found: list[Revision] = []
    for one in kept:
        ours = [pod for pod in pods if pod.metadata.labels.get(REVISION_HASH) == marks[one.metadata.name]]
        revision = Revision(
            numbers=(one.revision,),
            name=one.metadata.name,
            hash=marks[one.metadata.name],
            created=one.metadata.creation_timestamp,
            replicas=len(ours),
            available=sum(1 for pod in ours if is_ready(pod)),
            template=plain(_template(one)),
            came_back=_came_back(one, kept),
        )
        found.append(revision)
    return tuple(sorted(found, key=lambda one: (one.number, one.name)))


def _template(one: ControllerRevision) -> JsonObject:
    spec = one.data.get("spec")
    template: Json = spec.get("template") if is_object(spec) else None
    whole: JsonObject = template if is_object(template) else {}
    return {key: value for key, value in whole.items() if key != "$patch"}


def _came_back(one: ControllerRevision, kept: Sequence[ControllerRevision]) -> bool:
    born = one.metadata.creation_timestamp
    others = [other.metadata.creation_timestamp for other in kept if other.revision < one.revision]
    return born is not None and any(other is not None and other > born for other in others)


def is_ready(pod: Pod) -> bool:
    """Whether the pod serves."""
    conditions = pod.status.conditions
    return (
        any(one.type == "Ready" and one.status == "True" for one in conditions) and not pod.metadata.deletion_timestamp
    )


def holding_up(found: StatefulSet, pods: Sequence[Pod]) -> tuple[Pod, ...]:
    """Give the pods that hold up every update, because they never get ready and the set goes in order.

    Kubernetes leaves it to people to delete them, also after the template is mended: "Forced rollback" in its
    documentation of StatefulSets.
    """
    if not found.in_order:
        return ()
    return tuple(pod for pod in pods if not pod.metadata.deletion_timestamp and not is_ready(pod) and _is_stuck(pod))


def _is_stuck(pod: Pod) -> bool:
    """Whether it cannot start, or has crashed: between two crashes it looks as if it ran."""
    waiting = [one.state.waiting for one in pod.containers if one.state.waiting is not None]
    crashed = any(not one.ready and one.last_state.terminated is not None for one in pod.status.container_statuses)
    return crashed or any(one.reason in _STUCK for one in waiting)


def stateful_progress(found: StatefulSet, troubles: Sequence[str], stuck: Sequence[Pod]) -> Settlement:
    """Judge a StatefulSet's rollout as `kubectl rollout status` does, and wait for pods that go.

    Args:
        found: the set.
        troubles: what ails pods of the newest revision.
        stuck: pods that hold up every update.
    """
    spec, status = found.spec, found.status
    observed: JsonObject = {
        "replicas": spec.replicas,
        "total": status.replicas,
        "updated": status.updated_replicas,
        "available": status.available_replicas,
        "revision": status.update_revision,
    }
    old = [one for one in stuck if one.metadata.labels.get(REVISION_HASH) != status.update_revision]
    if status.observed_generation < found.metadata.generation:
        return Settlement(state="waiting", reason=UNSEEN, observed=observed)
    if troubles:
        return Settlement(state="broken", reason="; ".join(troubles), observed=observed)
    if old:
        names = ", ".join(one.metadata.name for one in old)
        reason = f"{names} never got ready, and holds up the update until it is deleted"
        return Settlement(state="broken" if trouble(old) else "waiting", reason=reason, observed=observed)
    waits = _stateful_waits_for(found)
    if waits:
        return Settlement(state="waiting", reason=waits, observed=observed)
    ready = f"{status.available_replicas} of {spec.replicas} replicas are up to date and available"
    return Settlement(state="settled", reason=ready, observed=observed)


def _stateful_waits_for(found: StatefulSet) -> str:
    spec, status = found.spec, found.status
    updated = max(0, spec.replicas - found.partition) if spec.update_strategy.type == "RollingUpdate" else 0
    if status.replicas > spec.replicas:
        return f"{status.replicas - spec.replicas} replicas too many are still there"
    if status.updated_replicas < updated:
        return f"{status.updated_replicas} of {updated} replicas are up to date"
    if status.available_replicas < spec.replicas:
        return f"{status.available_replicas} of {spec.replicas} replicas are available"
    return ""


def daemon_progress(found: DaemonSet, troubles: Sequence[str]) -> Settlement:
    """Judge a DaemonSet's rollout as `kubectl rollout status` does.

    Args:
        found: the set.
        troubles: what ails pods of the newest revision.
    """
    status, wanted = found.status, found.status.desired_number_scheduled
    observed: JsonObject = {
        "nodes": wanted,
        "updated": status.updated_number_scheduled,
        "available": status.number_available,
    }
    if status.observed_generation < found.metadata.generation:
        return Settlement(state="waiting", reason=UNSEEN, observed=observed)
    if troubles:
        return Settlement(state="broken", reason="; ".join(troubles), observed=observed)
    if found.spec.update_strategy.type == "RollingUpdate" and status.updated_number_scheduled < wanted:
        reason = f"{status.updated_number_scheduled} of {wanted} nodes have an up-to-date pod"
        return Settlement(state="waiting", reason=reason, observed=observed)
    available = f"{status.number_available} of {wanted} nodes have an available pod"
    state: Literal["waiting", "settled"] = "waiting" if status.number_available < wanted else "settled"
    return Settlement(state=state, reason=available, observed=observed)
