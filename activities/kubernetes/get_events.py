"""Tell what the cluster's own parts have said about an object or a namespace."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from activities.kubernetes._object import ClusterName, Name, Namespace, cluster_of
from halon.clients.kubernetes.api import EVENTS, MAX_ITEMS
from halon.clients.kubernetes.events import Event
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.redaction import redact_text

MAX_TEXT = 1000
"""Characters of one message."""
_REASONS = 30


class Said(Output):
    """One event."""

    at: datetime | None
    """When it happened last; null when nobody wrote that down."""
    about: str
    """The object, as `Pod/cart-x`."""
    type: str
    """`Normal` or `Warning`."""
    reason: str
    """One word, such as `FailedScheduling`."""
    message: str
    """What looks like a secret is masked."""
    count: int
    """How often it has happened."""


class Reason(Output):
    """How often something was said."""

    reason: str
    type: str
    count: int


class Events(Output):
    """What was said, the newest first."""

    events: tuple[Said, ...]
    """At most `most` of them."""
    total: int
    """How many there are in the time that was asked for, those left out included."""
    warnings: int
    """How many of them are warnings."""
    reasons: tuple[Reason, ...]
    """What was said most often first, at most 30, counted over all of them."""
    complete: bool
    """False when there were more events than are looked at, 2000: then some are missing and counts are too low."""


class GetEvents(Read[Events]):
    """Tell which events there are about an object, or in a namespace, and how often each has happened.

    Events of a node are in namespace `default`, with `kind: Node`. Clusters forget events, mostly after an hour.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("list",), "/events", "to read what was said"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "kind": "Pod", "name": "cart-x", "type": "Warning"}

    namespace: Namespace
    """Where the events are."""
    kind: Annotated[str, StringConstraints(max_length=63, pattern=r"^[A-Za-z0-9]*$")] = ""
    """Only about objects of this kind, such as `Pod`."""
    name: Name | Literal[""] = ""
    """Only about the object of this name."""
    type: Literal["any", "Normal", "Warning"] = "any"
    """Only events of this type."""
    since: Annotated[Duration, Field(gt=timedelta(), le=timedelta(days=7))] = timedelta(hours=1)
    """Only what happened in this time up to now, at most 7d."""
    most: Annotated[int, Field(ge=1, le=200)] = 50
    """So many at most; the others are counted."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name what the events are about."""
        about = f"{(self.kind or 'object').lower()}/{self.name}" if self.name else f"events/{self.kind or 'all'}"
        return f"k8s/{self.cluster or 'default'}/{self.namespace}/{about}"

    async def run(self, env: Env) -> Events:
        """Look."""
        wanted = {"involvedObject.kind": self.kind, "involvedObject.name": self.name}
        wanted["type"] = "" if self.type == "any" else self.type
        fields = ",".join(f"{field}={value}" for field, value in wanted.items() if value)
        api = cluster_of(env, self.cluster)
        found = await api.list(Event, EVENTS, self.namespace, fields=fields, most=MAX_ITEMS)
        since = env.now() - self.since
        recent = sorted((one for one in found if one.at is None or one.at >= since), key=_newest_first, reverse=True)
        return Events(
            events=tuple(_said(one) for one in recent[: self.most]),
            total=len(recent),
            warnings=sum(1 for one in recent if one.type == "Warning"),
            reasons=_counted(recent),
            complete=len(found) < MAX_ITEMS,
        )


def _newest_first(event: Event) -> str:
    return event.at.isoformat() if event.at else ""


def _said(event: Event) -> Said:
    return Said(
        at=event.at,
        about=f"{event.involved_object.kind}/{event.involved_object.name}",
        type=event.type,
        reason=event.reason,
        message=redact_text(event.message, MAX_TEXT),
        count=event.count or 1,
    )


def _counted(events: Sequence[Event]) -> tuple[Reason, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for one in events:
        counts[one.reason, one.type] += one.count or 1
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Reason(reason=reason, type=kind, count=count) for (reason, kind), count in ranked[:_REASONS])
