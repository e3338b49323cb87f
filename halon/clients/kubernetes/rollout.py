"""How far a Deployment's rollout is, which revisions it had, and which one ran before. Pure.

Revisions are told apart by their templates, never by their numbers: taking a rollout back gives the old template a new
number. What was abandoned by going back to an earlier template is never offered as the previous one, so that taking
back twice does not bring the bad version back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard, cast

from halon.clients.kubernetes.objects import HASH_LABEL, RESTARTED_AT, Deployment, Pod, ReplicaSet
from halon.contracts.base import JsonObject, digest
from halon.contracts.plan import Settlement

CRASHES = 3
"""Restarts from which on a container that backs off counts as crash-looping: earlier it may only wait for something."""
HOPELESS = frozenset({"InvalidImageName", "CreateContainerConfigError", "ErrImageNeverPull"})
"""What a container waits in that no waiting helps."""
_MAX_TROUBLES = 10
RESTART_MARK = "halon.dev/restart"
"""Annotation of a pod template: which restart by Halon this is."""
ROLLBACK_MARK = "halon.dev/rollback"
"""Annotation of a pod template: `unsafe` when what it has done, such as to a database, outlives a rollback."""
_RESTARTS = frozenset({RESTARTED_AT, RESTART_MARK})


@dataclass(frozen=True, slots=True)
class Revision:
    """A template that a Deployment has had."""

    numbers: tuple[int, ...]
    """The revision numbers that it has had, oldest first."""
    name: str
    """Of its ReplicaSet."""
    hash: str
    """The value of its pods' label pod-template-hash."""
    created: datetime | None
    replicas: int
    available: int
    """Its pods that serve now: more than none proves that it works."""
    template: JsonObject
    """As the Deployment had it: without the label pod-template-hash."""
    came_back: bool = False
    """It is known to have run earlier, though not under which number."""

    @property
    def number(self) -> int:
        """The revision number that it has now."""
        return self.numbers[-1]

    @property
    def images(self) -> dict[str, str]:
        """Image by container."""
        return images(self.template)


@dataclass(frozen=True, slots=True)
class Previous:
    """The revision that ran before the current one, or why there is none."""

    revision: Revision | None
    reason: str
    returned: bool = False
    """The current template is one that ran earlier already: the Deployment was rolled back, and nothing came since."""


def revisions(replica_sets: Sequence[ReplicaSet]) -> tuple[Revision, ...]:
    """Give a Deployment's revisions, oldest first."""
    found = [
        Revision(
            numbers=one.numbers,
            name=one.metadata.name,
            hash=one.metadata.labels.get(HASH_LABEL, ""),
            created=one.metadata.creation_timestamp,
            replicas=one.spec.replicas,
            available=one.status.available_replicas,
            template=plain(one.spec.template),
        )
        for one in replica_sets
    ]
    return tuple(sorted(found, key=lambda one: (one.number, one.name)))


def current(template: JsonObject, known: Sequence[Revision]) -> Revision | None:
    """Give the revision of the template that is asked for; None while the controller has not taken it up."""
    wanted = digest(plain(template))
    return next((one for one in known if digest(one.template) == wanted), None)


def previous(template: JsonObject, known: Sequence[Revision]) -> Previous:
    """Give the last revision before the current one that differs from it by more than a restart.

    One that still serves goes before later ones that do not: two bad rollouts in a row lead to the last good one.
    None when there is no other one, and none when the workload has gone back to an earlier template already.

    Args:
        template: what is asked for now.
        known: the revisions that are kept.
    """
    now = _content(template)
    line = [(_content(one.template), one) for _, one in _in_order(known)]
    came_back = False
    while line and line[-1][0] == now:
        came_back = line.pop()[1].came_back or came_back
    if not line:
        return Previous(None, "no other revision is kept")
    if came_back or any(content == now for content, _ in line):
        return Previous(None, f"it was rolled back from revision {line[-1][1].number} already", returned=True)
    return Previous(next((one for _, one in reversed(line) if one.available), line[-1][1]), "")


def rolled_out_at(deployment: Deployment, known: Sequence[Revision]) -> datetime | None:
    """Say when what runs now was rolled out; restarts since then do not count. None before its first ReplicaSet.

    A template that came back has an old ReplicaSet, so for that the last progress of the rollout has to do.
    """
    now = _content(deployment.spec.template)
    began: tuple[int, Revision] | None = None
    for number, one in reversed(_in_order(known)):
        if _content(one.template) != now:
            break
        began = number, one
    if began is None:
        return None
    number, first = began
    progressing = deployment.condition("Progressing")
    came_back = number != first.numbers[0]
    return progressing.last_update_time if came_back and progressing is not None else first.created


def _in_order(known: Sequence[Revision]) -> list[tuple[int, Revision]]:
    """Give every rollout that is known, oldest first: a revision comes once for each number that it has had."""
    numbered = [(number, one) for one in known for number in one.numbers if number]
    return sorted(numbered, key=lambda pair: (pair[0], pair[1].name))


def plain(template: JsonObject) -> JsonObject:
    """Give a pod template without the label that the controller adds, and without the null that older servers send."""
    metadata = _object(template.get("metadata"))
    labels = {key: value for key, value in _object(metadata.get("labels")).items() if key != HASH_LABEL}
    cleaned = {key: value for key, value in metadata.items() if key not in {"labels", "creationTimestamp"}}
    if metadata.get("creationTimestamp") is not None:
        cleaned["creationTimestamp"] = metadata["creationTimestamp"]
    return {**template, "metadata": {**cleaned, **({"labels": labels} if labels else {})}}


def annotation(template: JsonObject, name: str) -> str:
    """Give a pod template's annotation, or nothing."""
    return str(_object(_object(template.get("metadata")).get("annotations")).get(name) or "")


def unsafe(known: Sequence[Revision], goal: Revision) -> str:
    """Why going back to `goal` is unsafe, by the annotation of a revision since then; empty when none says so.

    A release that migrates a schema says so of itself, in the template of its pods: `halon.dev/rollback: unsafe`.
    """
    for one in known:
        said = annotation(one.template, ROLLBACK_MARK).strip()
        if one.number > goal.number and said.lower().startswith("unsafe"):
            return f"revision {one.number} says of itself that it cannot be rolled back ({ROLLBACK_MARK}: {said[:200]})"
    return ""


def images(template: JsonObject) -> dict[str, str]:
    """Image by container of a pod template, those that initialise the pod first."""
    spec = _object(template.get("spec"))
    containers = [*_list(spec.get("initContainers")), *_list(spec.get("containers"))]
    return {str(_object(one).get("name", "")): str(_object(one).get("image", "")) for one in containers}


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Name the places where two templates differ, without the values: those may hold secrets."""
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = cast("JsonObject", one), cast("JsonObject", other)
        names = sorted({*left, *right})
        return [place for key in names for place in differences(left.get(key), right.get(key), _join(path, key))]
    if _is_list(one) and _is_list(other):
        return differences(_named(one), _named(other), path)
    return [] if one == other else [path]


def trouble(pods: Sequence[Pod]) -> tuple[str, ...]:
    """Say which containers crash-loop or cannot start."""
    found: list[str] = []
    for pod in pods:
        if pod.metadata.deletion_timestamp is not None:
            continue
        for one in pod.containers:
            waiting = one.state.waiting
            if waiting is None:
                continue
            looping = waiting.reason == "CrashLoopBackOff" and one.restart_count >= CRASHES
            if looping or waiting.reason in HOPELESS:
                restarts = f" after {one.restart_count} restarts" if looping else ""
                found.append(f"{pod.metadata.name}/{one.name} is in {waiting.reason}{restarts}")
    return tuple(found[:_MAX_TROUBLES])


def progress(deployment: Deployment, revision: Revision | None, troubles: Sequence[str]) -> Settlement:
    """Judge a rollout as `kubectl rollout status` does, wait for pods that go, and give up on a crash loop.

    A deadline that was exceeded by an earlier revision does not count: the controller leaves that condition standing
    until the new one makes progress.
    """
    meta, spec, status = deployment.metadata, deployment.spec, deployment.status
    seen = {
        "replicas": spec.replicas,
        "total": status.replicas,
        "updated": status.updated_replicas,
        "available": status.available_replicas,
        "revision": deployment.revision,
    }
    observed: JsonObject = {**seen}
    if status.observed_generation < meta.generation:
        return Settlement(state="waiting", reason="the controller has not taken it up yet", observed=observed)
    if troubles:
        return Settlement(state="broken", reason="; ".join(troubles), observed=observed)
    deadline = deployment.condition("Progressing")
    if deadline is not None and deadline.reason == "ProgressDeadlineExceeded" and _concerns(deadline.message, revision):
        return Settlement(state="broken", reason=deadline.message, observed=observed)
    waits = _waits_for(deployment)
    if waits:
        return Settlement(state="waiting", reason=waits, observed=observed)
    ready = f"{status.available_replicas} of {spec.replicas} replicas are up to date and available"
    return Settlement(state="settled", reason=ready, observed=observed)


def _waits_for(deployment: Deployment) -> str:
    spec, status = deployment.spec, deployment.status
    failure = deployment.condition("ReplicaFailure")
    why = f" ({failure.message})" if failure is not None and failure.status == "True" else ""
    if status.updated_replicas < spec.replicas:
        return f"{status.updated_replicas} of {spec.replicas} replicas are up to date{why}"
    if status.replicas > status.updated_replicas:
        return f"{status.replicas - status.updated_replicas} old replicas are still there"
    if status.replicas > spec.replicas:  # `kubectl rollout status` leaves this out, and calls it done too early
        return f"{status.replicas - spec.replicas} replicas too many are still there"
    if status.available_replicas < status.updated_replicas:
        return f"{status.available_replicas} of {status.updated_replicas} replicas are available{why}"
    return ""


def _concerns(message: str, revision: Revision | None) -> bool:
    """Whether a condition's message is about this revision; the controller names the ReplicaSet in quotes."""
    return revision is not None and f'"{revision.name}"' in message


def _content(template: JsonObject) -> str:
    """Identity of a template, the same before and after a restart."""
    bare = plain(template)
    metadata = dict(_object(bare.get("metadata")))
    kept = {k: v for k, v in _object(metadata.pop("annotations", None)).items() if k not in _RESTARTS}
    return digest({**bare, "metadata": {**metadata, **({"annotations": kept} if kept else {})}})


def _object(value: Any) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _list(value: Any) -> list[Any]:
    return value if _is_list(value) else []


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _named(items: list[Any]) -> JsonObject:
    """Give a list as a map, by the name of each element where it has one, so that an insertion shows as one."""
    return {f"[{_object(one).get('name', index)}]": one for index, one in enumerate(items)}
