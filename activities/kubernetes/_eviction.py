"""Which pods of a node a drain evicts, which stay, and which it must not touch; and how far it is. Pure.

The rules are those of `kubectl drain`: https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from halon.clients.kubernetes.nodes import Budget
from halon.clients.kubernetes.objects import Pod
from halon.clients.kubernetes.pods import QUARANTINE

_NAMED = 5
"""Pods that a sentence names."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a drain may destroy for good."""

    bare: bool = False
    """Pods that nothing makes again."""
    empty_dir: bool = False
    """Data that lives and dies with a pod."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The pods of a node."""

    evict: tuple[Pod, ...]
    going: tuple[Pod, ...]
    """On their way already."""
    stay: tuple[Pod, ...]
    """Those of DaemonSets, which would come back at once, and those that the node runs by itself."""
    objections: tuple[str, ...]
    """Why the node must not be drained as it is."""

    @property
    def there(self) -> tuple[Pod, ...]:
        """Those that are to be gone in the end."""
        return (*self.evict, *self.going)


def sort(pods: Sequence[Pod], budgets: Sequence[Budget], allowed: Allowed) -> Sorted:
    """Sort the pods of a node."""
    evict: list[Pod] = []
    going: list[Pod] = []
    stay: list[Pod] = []
    objections: list[str] = []
    for pod in sorted(pods, key=lambda one: one.title):
        if pod.static or (_of_daemon_set(pod) and not pod.ended):
            stay.append(pod)
        elif pod.metadata.deletion_timestamp is not None:
            going.append(pod)
        else:
            evict.append(pod)
            objections += _objections(pod, budgets, allowed)
    return Sorted(tuple(evict), tuple(going), tuple(stay), tuple(objections))


def covering(pod: Pod, budgets: Sequence[Budget]) -> tuple[Budget, ...]:
    """The budgets that speak of a pod."""
    return tuple(one for one in budgets if one.covers(pod.metadata))


def warnings(pods: Sequence[Pod], budgets: Sequence[Budget]) -> tuple[str, ...]:
    """Say which budgets will hold the eviction of these pods up."""
    found = {one.title: one for pod in pods if not pod.ended for one in covering(pod, budgets)}
    notes: list[str] = []
    for name, one in sorted(found.items()):
        status = one.status
        if one.never_allows:
            notes.append(
                f"budget {name} wants all {status.expected_pods} of its pods to stay: waiting does not help, "
                "its pods stay until somebody changes it or adds replicas"
            )
        elif not status.disruptions_allowed:
            counted = f"{status.current_healthy} are healthy and {status.desired_healthy} must be"
            notes.append(f"budget {name} allows no eviction now ({counted}): the drain waits for it")
    return tuple(notes)


def waits_for(pod: Pod, budgets: Sequence[Budget]) -> str:
    """Name a pod that could not be evicted, with the budget that speaks of it."""
    names = " and ".join(f"budget {one.title} allows {one.status.disruptions_allowed or 'none'}" for one in budgets)
    return f"{pod.title} ({names})" if names else pod.title


def named(texts: Sequence[str]) -> str:
    """List some, and count the rest."""
    listed = ", ".join(texts[:_NAMED])
    return listed if len(texts) <= _NAMED else f"{listed} and {len(texts) - _NAMED} more"


def _objections(pod: Pod, budgets: Sequence[Budget], allowed: Allowed) -> list[str]:
    """Why a pod must not be evicted. One that has ended loses nothing any more."""
    found: list[str] = []
    if QUARANTINE in pod.metadata.labels:
        found.append(f"{pod.title} is in quarantine, kept for forensics: delete it when that is done")
    elif pod.ended:
        return []
    elif pod.metadata.controller is None and not allowed.bare:
        found.append(f"{pod.title} has no controller, so nothing makes it again: `bare: true` evicts it")
    if not allowed.empty_dir and any(one.empty_dir is not None for one in pod.spec.volumes):
        found.append(f"{pod.title} has data in an emptyDir, which is lost with it: `empty_dir: true` evicts it")
    several = covering(pod, budgets)
    if len(several) > 1:
        names = " and ".join(one.title for one in several)
        found.append(f"{pod.title} is covered by the budgets {names}, and Kubernetes evicts no pod of more than one")
    return found


def _of_daemon_set(pod: Pod) -> bool:
    owner = pod.metadata.controller
    return owner is not None and owner.kind == "DaemonSet"
