"""What was seen of a run from outside: the cluster's own record of writes, the audit, the list of incidents, processes.

Plain data, so that a test can doctor it and see the invariants object.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from halon.contracts.audit import AuditKind, AuditRecord
from halon.demo.cluster import Entry

HALON = "system:serviceaccount:halon:halon"
"""The user that Halon is to the cluster; everybody else is somebody else."""
PARTS = ("template", "replicas")
MARKS = {"template": "halon.dev/change-template", "replicas": "halon.dev/change-replicas"}
"""Where a write to a part leaves its idempotency key."""


@dataclass(frozen=True, slots=True)
class Write:
    """One effective write to one part of a Deployment, as the cluster recorded it."""

    at: datetime
    user: str
    target: str
    part: str
    """`template` or `replicas`; `other` for a part that is not Halon's to write."""
    key: str
    """The idempotency key that it left; empty without one."""
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Told:
    """One incident as Halon tells it."""

    incident: str
    state: str
    outcome: str
    reason: str
    records: Sequence[AuditRecord]

    def of(self, *kinds: AuditKind) -> list[AuditRecord]:
        """Its records of some kinds."""
        return [one for one in self.records if one.kind in kinds]

    @property
    def keys(self) -> set[str]:
        """The idempotency keys of every attempt at a change, and at taking one back."""
        return {str(one.data["key"]) for one in self.of(AuditKind.ATTEMPTED)}

    @property
    def ended_at(self) -> datetime | None:
        """When its run ended."""
        ended = self.of(AuditKind.RUN_FINISHED)
        return ended[-1].at if ended else None

    @property
    def left(self) -> list[str]:
        """The targets of the changes that it hands over to people."""
        handed = [one.data["left"] for one in self.of(AuditKind.RUN_FINISHED)]
        return [str(one["target"]) for left in handed for one in left]  # type: ignore[union-attr, index, call-overload]  # JSON


@dataclass(frozen=True, slots=True)
class Expected:
    """What one story may come to."""

    title: str
    target: str
    outcomes: frozenset[str]
    incidents: tuple[str, ...]
    """The incidents that took its alert, or that were started for it."""
    accepted: bool = True
    """Whether the gateway, or Temporal for a run by hand, has taken it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known of a run once it is over."""

    stories: Sequence[Expected]
    told: Sequence[Told]
    writes: Sequence[Write]
    before: Mapping[str, Mapping[str, Any]]
    """Each target's parts before anything was done about it."""
    after: Mapping[str, Mapping[str, Any]]
    """And at the end, with `serving`: whether as many pods serve as are wanted."""
    chain: Sequence[str] = ()
    """What is wrong with the audit chain."""
    locks: Sequence[str] = ()
    running: Sequence[str] = ()
    """Workflows that still run although all is over."""
    ended: Sequence[str] = ()
    """Processes that ended without having been killed."""
    logged: Sequence[str] = ()
    """Lines of the processes' logs that no fault and no kill explains."""
    late: Sequence[str] = field(default=())
    """Stories that did not end in time."""


def writes_of(journal: Iterable[Entry]) -> list[Write]:
    """Read the cluster's journal: every effective write to a Deployment, by part."""
    found: list[Write] = []
    for entry in journal:
        if not entry.changed or entry.resource != "deployments" or entry.before is None or entry.after is None:
            continue
        before, after = entry.before["spec"], entry.after["spec"]
        marks = [entry.before["metadata"].get("annotations", {}), entry.after["metadata"].get("annotations", {})]
        changed = [part for part in PARTS if before.get(part) != after.get(part)]
        others = {name for name in {*before, *after} - {*PARTS} if before.get(name) != after.get(name)}
        if entry.user == HALON and not changed and not others:
            others = {"nothing"}  # a mark without an effect, which nobody asked for
        for part in changed:
            old, new = (str(mark.get(MARKS[part], "")) for mark in marks)
            found.append(_write(entry, part, new if new != old else "", before.get(part), after.get(part)))
        found += [_write(entry, "other", "", sorted(others), None)] if others else []
    return found


def _write(entry: Entry, part: str, key: str, before: Any, after: Any) -> Write:
    target = f"k8s/default/{entry.namespace}/deployment/{entry.name}"
    return Write(datetime.fromisoformat(entry.time), entry.user, target, part, key, before, after)


def parts_of(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a Deployment that Halon's changes are about, and whether it serves."""
    spec, status = deployment["spec"], deployment.get("status", {})
    up_to_date = status.get("observedGeneration") == deployment["metadata"].get("generation")
    serving = up_to_date and status.get("availableReplicas", 0) == status.get("updatedReplicas", 0) == spec["replicas"]
    return {**{part: spec.get(part) for part in PARTS}, "serving": serving}
