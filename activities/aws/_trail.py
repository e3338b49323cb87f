"""How CloudTrail is asked for events: by one attribute, page by page, as slowly as CloudTrail wants it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from activities.aws._account import AccountName, Region
from activities.aws._answers import inner, listed
from halon.clients.aws.api import Account
from halon.contracts.base import Duration, is_object
from halon.errors import InvalidInput, TransientError
from halon.kit.action import Action, Permission
from halon.redaction import cut_text

Attribute: TypeAlias = Literal[
    "AccessKeyId", "EventId", "EventName", "EventSource", "ReadOnly", "ResourceName", "ResourceType", "Username"
]
KEPT = timedelta(days=90)
"""How long CloudTrail's event history reaches back."""
MAX_PAGES = 20
LOOK_UP = Permission("aws", ("cloudtrail:LookupEvents",), "*", "to ask; CloudTrail knows no narrower right")
_PAGE = 50
_EVERY = timedelta(seconds=0.5)
"""LookupEvents takes two calls a second, of an account in a region (quotas of CloudTrail)."""
_TRIES = 3
_PAUSE = timedelta(seconds=1)
_MAX_PAUSE = timedelta(seconds=5)
_MAX_DOCUMENT = 256 * 1024
"""Characters of one event's record, CloudTrail's own bound."""
_MAX_TEXT = 300
_GRACE = timedelta(hours=1)
"""An alert that asks for all of it is handled a while after it was written."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which events."""

    attribute: Attribute
    value: str
    start: datetime
    end: datetime
    pages: int


@dataclass(frozen=True, slots=True)
class Found:
    """What CloudTrail gave, newest first."""

    events: tuple[dict[str, Any], ...]
    complete: bool
    """False when there are more than were asked for."""


class TrailQuery(Action):
    """Which events, as a playbook says it."""

    attribute: Attribute
    """By what; CloudTrail takes one attribute."""
    value: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    """Its value, as CloudTrail writes it: `false` for `ReadOnly`, `ConsoleLogin` for `EventName`."""
    since: Duration = timedelta(hours=1)
    """How far back from `until`, at most 90 days."""
    until: Annotated[
        str,
        StringConstraints(max_length=40, pattern=r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d))?$"),
    ] = ""
    """The end, RFC 3339; without it, now."""
    pages: Annotated[int, Field(ge=1, le=MAX_PAGES)] = 4
    """How much is read at most, in pages of 50 events."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    @model_validator(mode="after")
    def _is_a_range(self) -> "TrailQuery":
        if self.until:
            datetime.fromisoformat(self.until)
        if not timedelta() < self.since <= KEPT:
            raise ValueError(f"since: more than nothing, and at most {KEPT.days}d")
        return self

    def asked(self, now: datetime) -> Asked:
        """Say which events that are.

        Raises:
            InvalidInput: CloudTrail has no events of that time.
        """
        end = min(datetime.fromisoformat(self.until), now) if self.until else now
        start = end - self.since
        if start < now - KEPT - _GRACE:
            raise InvalidInput(f"CloudTrail keeps {KEPT.days} days, and {start.isoformat()} is before them")
        return Asked(self.attribute, self.value, start, end, self.pages)


async def look_up(account: Account, region: str, asked: Asked) -> Found:
    """Ask for events.

    Raises:
        TransientError: CloudTrail wants to be asked more slowly, and is asked anew later.
        HalonError: whatever else asking AWS meets.
    """
    events: list[dict[str, Any]] = []
    token = ""
    for number in range(asked.pages):
        answer = await _page(account, region, asked, token, tries=_TRIES if number else 1)
        events += listed(answer, "Events")
        token = str(answer.get("NextToken") or "")
        if not token:
            break
    return Found(tuple(events), complete=not token)


async def _page(account: Account, region: str, asked: Asked, token: str, tries: int) -> dict[str, Any]:
    """Ask for one page. A refusal of a later one is waited out here: beginning anew would only ask for more of them."""
    more = {"NextToken": token} if token else {}
    for attempt in range(1, tries + 1):
        await account.pace(f"cloudtrail {region}", _EVERY)
        try:
            return await account.call(
                "cloudtrail",
                "lookup_events",
                region=region,
                LookupAttributes=[{"AttributeKey": asked.attribute, "AttributeValue": asked.value}],
                StartTime=asked.start,
                EndTime=asked.end,
                MaxResults=_PAGE,
                **more,
            )
        except TransientError as error:
            if attempt == tries:
                raise
            await asyncio.sleep(min(error.retry_after or _PAUSE * attempt, _MAX_PAUSE).total_seconds())
    raise AssertionError(tries)


def record(event: Mapping[str, Any]) -> dict[str, Any]:
    """Read what CloudTrail has recorded of an event; empty when it cannot be read."""
    text = str(event.get("CloudTrailEvent", ""))
    if len(text) > _MAX_DOCUMENT:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if is_object(found) else {}


def user(event: Mapping[str, Any], recorded: Mapping[str, Any]) -> str:
    """Say who it was: the name that CloudTrail gives, otherwise whatever says most."""
    who = inner(recorded, "userIdentity")
    said = event.get("Username") or who.get("userName") or who.get("arn") or who.get("invokedBy") or who.get("type")
    return cut_text(str(said or ""), _MAX_TEXT)


def text(recorded: Mapping[str, Any], name: str) -> str:
    """Give a text of a record, empty when it is not there."""
    return cut_text(str(recorded.get(name) or ""), _MAX_TEXT)
