"""Look up in CloudTrail who did what."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from activities.aws._account import account_of, target
from activities.aws._answers import inner, listed
from activities.aws._trail import LOOK_UP, TrailQuery, look_up, record, text, user
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

MAX_EVENTS = 100
MAX_NAMES = 50
MAX_DISTINCT = 20
_RESOURCES = 5


class Event(Output):
    """One event, as far as an incident needs it."""

    at: datetime
    id: str
    name: str
    source: str
    user: str
    access_key: str
    ip: str
    region: str
    error: str
    read_only: bool
    resources: tuple[str, ...]


class Events(Output):
    """What CloudTrail knows."""

    events: tuple[Event, ...]
    """The newest 100, newest first: `at`, `id`, `name`, `source` (such as `iam.amazonaws.com`), `user`, `access_key`,
    `ip` (a service's name when a service asked), `region`, `error` (AWS's code, empty when it went well), `read_only`,
    and at most five `resources`."""
    total: int
    """How many were found, also those that are not among `events`."""
    counts: dict[str, int]
    """How many of each name, the most frequent 50 names."""
    failed: int
    """How many met an error, such as a missing right."""
    users: tuple[str, ...]
    """By whom, at most 20, the most frequent first."""
    addresses: tuple[str, ...]
    """From where, at most 20, the most frequent first."""
    first: datetime | None
    """When the oldest of them happened."""
    last: datetime | None
    """When the newest of them happened."""
    complete: bool
    """False when there are more events than `pages` hold: the newest ones were read."""
    no_data: bool
    """True when there are none; a verification then waits. CloudTrail tells of an event some minutes after it."""


class LookupEvents(TrailQuery, Read[Events]):
    """Look up events in CloudTrail's history of management events, by one attribute, within the last 90 days.

    It has what changed or read the configuration of an account, and not what was read out of a bucket or a queue.
    An event shows after five minutes on average. What is done to IAM and other services without a region is kept in
    `us-east-1`: ask there. CloudTrail takes two questions a second, so every page takes half a second.

    Errors: a time range that CloudTrail does not have is `invalid_input`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (LOOK_UP,)
    example: ClassVar[JsonObject] = {
        "attribute": "AccessKeyId",
        "value": "AKIAIOSFODNN7EXAMPLE",
        "since": "6h",
        "changes_only": True,
        "region": "us-east-1",
    }

    changes_only: bool = False
    """Leave out what only reads."""

    def target(self) -> str:
        """Name what is asked."""
        return target(self.account, self.region, "cloudtrail", "events")

    async def run(self, env: Env) -> Events:
        """Ask, and count.

        Raises:
            InvalidInput: CloudTrail has no events of that time.
        """
        asked = self.asked(env.now())
        found = await look_up(account_of(env, self.account), self.region, asked)
        every = [_event(one) for one in found.events]
        events = sorted((one for one in every if not (self.changes_only and one.read_only)), key=_newest_first)
        return Events(
            events=tuple(events[:MAX_EVENTS]),
            total=len(events),
            counts=dict(Counter(one.name for one in events).most_common(MAX_NAMES)),
            failed=sum(1 for one in events if one.error),
            users=_distinct(one.user for one in events),
            addresses=_distinct(one.ip for one in events),
            first=events[-1].at if events else None,
            last=events[0].at if events else None,
            complete=found.complete,
            no_data=not events,
        )


def _event(event: Mapping[str, Any]) -> Event:
    seen = record(event)
    names = [str(one.get("ResourceName") or "")[:300] for one in listed(event, "Resources")]
    return Event(
        at=event["EventTime"].astimezone(UTC),
        id=str(event.get("EventId", "")),
        name=str(event.get("EventName", "")),
        source=str(event.get("EventSource", "")),
        user=user(event, seen),
        access_key=str(event.get("AccessKeyId") or inner(seen, "userIdentity").get("accessKeyId") or ""),
        ip=text(seen, "sourceIPAddress"),
        region=text(seen, "awsRegion"),
        error=text(seen, "errorCode"),
        read_only=str(event.get("ReadOnly") or seen.get("readOnly") or "").lower() == "true",
        resources=tuple(one for one in names if one)[:_RESOURCES],
    )


def _newest_first(event: Event) -> tuple[float, str]:
    return (-event.at.timestamp(), event.id)


def _distinct(values: Any) -> tuple[str, ...]:
    return tuple(name for name, _ in Counter(one for one in values if one).most_common(MAX_DISTINCT))
