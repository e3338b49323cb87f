"""Whom a schedule says is on call at a moment: an iCalendar, PagerDuty's or Opsgenie's API."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol, TypeVar
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ValidationError

from halon.clients.calendars import MAX_FILE, events_around, moment, parse_calendar, read_calendar
from halon.clients.credentials import Credentials
from halon.clients.web import Ask, Web, WebAnswer
from halon.contracts.base import is_list
from halon.errors import Misconfigured, PermanentError
from halon.redaction import cut_text
from halon.settings.credentials import SecretRef
from halon.settings.oncall import CalendarSchedule, OpsgenieSchedule, PagerDutySchedule
from halon.settings.people import Group

MAX_ON_CALL = 200
"""People that a schedule may name at one moment."""
MAX_NAME = 200
_PAGE = 100
_MAX_PAGES = 10
_PARTS = re.compile(r"\s+-\s+|\s+and\s+|[,;:&/|()\n]")
"""What stands between names in the title of an event, as in `On call: Ana & Ben`."""
_TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY"})
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Mention:
    """Somebody whom a schedule names."""

    label: str
    """As people know it from the schedule."""
    ways: tuple[tuple[str, ...], ...]
    """Names, the surest first. Everybody counts whom the first one means that means anybody."""


class Schedule(Protocol):
    """Something that says who is on call."""

    async def on_call(self, at: datetime) -> tuple[Mention, ...]:
        """Give who is on call at a moment.

        Raises:
            TransientError: it does not answer now.
            PermanentError: it refuses, or says something else.
        """
        ...


def schedule_of(name: str, group: Group, web: Web, credentials: Credentials) -> Schedule | None:
    """Give the schedule of a group; None when it has none."""
    if group.calendar is not None:
        return CalendarOf(name, group.calendar, web, credentials)
    if group.pagerduty is not None:
        return PagerDuty(name, group.pagerduty, web, credentials)
    if group.opsgenie is not None:
        return Opsgenie(name, group.opsgenie, web, credentials)
    return None


class CalendarOf:
    """A calendar in a file or at an address."""

    def __init__(self, group: str, settings: CalendarSchedule, web: Web, credentials: Credentials) -> None:
        self._credentials = credentials
        self._setting = f"groups.{group}.calendar.url"
        self._settings = settings
        self._web = web
        self._who = f"the calendar of group {group}"
        self._zone = ZoneInfo(settings.timezone)

    async def on_call(self, at: datetime) -> tuple[Mention, ...]:
        """Give whom the events that are under way name.

        Raises:
            TransientError: it does not answer now.
            PermanentError: it refuses, or is no calendar.
        """
        raw = await self._raw()
        return await asyncio.to_thread(self._named, raw, at)

    async def _raw(self) -> bytes:
        if self._settings.file is not None:
            return await asyncio.to_thread(read_calendar, self._settings.file, self._who)
        url = self._settings.url
        if isinstance(url, SecretRef):
            url = (await asyncio.to_thread(self._credentials.resolve, url, self._setting)).get_secret_value().strip()
        answer = await self._web.ask(self._who, Ask(url or ""), MAX_FILE)
        if not answer.ok:
            raise answer.refused(self._who, self._setting)
        return answer.body

    def _named(self, raw: bytes, at: datetime) -> tuple[Mention, ...]:
        calendar = parse_calendar(raw, self._who)
        for event in calendar.events:
            if _TOO_OFTEN & set(_frequencies(event)):
                raise Misconfigured(f"{self._who} has an event that repeats every second or minute")
        under_way = [
            event
            for event in events_around(calendar, at.astimezone(UTC).date(), self._who)
            if self._covers(event.start, event.end, at)
        ]
        return _bounded((mention for event in under_way for mention in _in_event(event)), self._who)

    def _covers(self, start: date | datetime, end: date | datetime, at: datetime) -> bool:
        return moment(start, self._zone) <= at < moment(end, self._zone)


class _User(BaseModel):
    id: str = ""
    email: str | None = None
    name: str | None = None
    summary: str | None = None


class _OnCall(BaseModel):
    user: _User
    escalation_level: int = 1
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None

    def covers(self, at: datetime) -> bool:
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)


class _Page(BaseModel):
    oncalls: tuple[_OnCall, ...]
    more: bool = False


class PagerDuty:
    """PagerDuty's REST API, version 2: https://developer.pagerduty.com/api-reference, 'List all of the on-calls'."""

    def __init__(self, group: str, settings: PagerDutySchedule, web: Web, credentials: Credentials) -> None:
        self._credentials = credentials
        self._setting = f"groups.{group}.pagerduty.token"
        self._settings = settings
        self._web = web
        self._who = f"PagerDuty, for group {group},"

    async def on_call(self, at: datetime) -> tuple[Mention, ...]:
        """Give who is on call; of an escalation policy its first level.

        Raises:
            TransientError: it does not answer now.
            PermanentError: it refuses, or says something else.
        """
        token = await asyncio.to_thread(self._credentials.resolve, self._settings.token, self._setting)
        headers = {
            "Authorization": f"Token token={token.get_secret_value()}",
            "Accept": "application/vnd.pagerduty+json;version=2",
        }
        found = [one async for page in self._pages(at, headers) for one in page.oncalls if one.covers(at)]
        if self._settings.escalation_policy is not None:
            first = min((one.escalation_level for one in found), default=1)
            found = [one for one in found if one.escalation_level == first]
        users = (one.user for one in found)
        mentions = (_mention(one.email, one.id, one.name, one.summary) for one in users)
        return _bounded((one for one in mentions if one is not None), self._who)

    async def _pages(self, at: datetime, headers: dict[str, str]) -> AsyncGenerator[_Page]:
        begins = at.astimezone(UTC)
        schedule, policy = self._settings.schedule, self._settings.escalation_policy
        what = ("schedule_ids[]", schedule) if schedule else ("escalation_policy_ids[]", policy or "")
        for number in range(_MAX_PAGES):
            query = (
                what,
                ("since", begins.isoformat(timespec="seconds")),
                ("until", (begins + timedelta(seconds=1)).isoformat(timespec="seconds")),
                ("include[]", "users"),
                ("limit", str(_PAGE)),
                ("offset", str(number * _PAGE)),
            )
            answer = await self._web.ask(
                self._who, Ask(f"{self._settings.url.rstrip('/')}/oncalls", headers=headers, query=query)
            )
            page = _read(_Page, answer, self._who, self._setting)
            yield page
            if not page.more:
                return
        raise PermanentError(f"{self._who} names more than {_MAX_PAGES * _PAGE} on-calls")


class _Recipients(BaseModel):
    onCallRecipients: tuple[str, ...]  # noqa: N815  # their name


class _OpsgenieAnswer(BaseModel):
    data: _Recipients


class Opsgenie:
    """Opsgenie's REST API, version 2: https://docs.opsgenie.com/docs/who-is-on-call-api."""

    def __init__(self, group: str, settings: OpsgenieSchedule, web: Web, credentials: Credentials) -> None:
        self._credentials = credentials
        self._setting = f"groups.{group}.opsgenie.token"
        self._settings = settings
        self._web = web
        self._who = f"Opsgenie, for group {group},"

    async def on_call(self, at: datetime) -> tuple[Mention, ...]:
        """Give who is on call.

        Raises:
            TransientError: it does not answer now.
            PermanentError: it refuses, or says something else.
        """
        token = await asyncio.to_thread(self._credentials.resolve, self._settings.token, self._setting)
        ask = Ask(
            f"{self._settings.url.rstrip('/')}/v2/schedules/{quote(self._settings.schedule, safe='')}/on-calls",
            headers={"Authorization": f"GenieKey {token.get_secret_value()}"},
            query=(
                ("scheduleIdentifierType", "id" if _is_uuid(self._settings.schedule) else "name"),
                ("flat", "true"),
                ("date", at.astimezone(UTC).isoformat(timespec="seconds")),
            ),
        )
        answer = _read(_OpsgenieAnswer, await self._web.ask(self._who, ask), self._who, self._setting)
        mentions = (_mention(one) for one in answer.data.onCallRecipients)
        return _bounded((one for one in mentions if one is not None), self._who)


def _in_event(event: Any) -> Iterator[Mention]:
    """Whom an event names: who attends, else who is in its title, else who organizes it.

    In this order because the organizer is often only the one who made the calendar.
    """
    attending = [one for one in _as_list(event.get("ATTENDEE")) if _attends(one)]
    if attending:
        for one in attending:
            yield Mention(_mail(one) or _common_name(one), _ways(_mail(one), _common_name(one)))
        return
    title = cut_text(str(event.get("SUMMARY", "")).strip(), MAX_NAME)
    organizer = event.get("ORGANIZER")
    ways = [(title,), tuple(part for one in _PARTS.split(title) if (part := one.strip()))]
    if organizer is not None:
        ways += _ways(_mail(organizer), _common_name(organizer))
    yield Mention(title or "an event without a title", tuple(way for way in ways if any(way)))


def _attends(attendee: Any) -> bool:
    """Whether it is a person who has not declined."""
    params = attendee.params
    kind, said = str(params.get("CUTYPE", "INDIVIDUAL")).upper(), str(params.get("PARTSTAT", "")).upper()
    return kind in {"INDIVIDUAL", "UNKNOWN"} and said not in {"DECLINED", "DELEGATED"}


def _mail(address: Any) -> str:
    text = str(address)
    return cut_text(text[len("mailto:") :] if text.lower().startswith("mailto:") else text, MAX_NAME)


def _common_name(address: Any) -> str:
    return cut_text(str(address.params.get("CN", "")), MAX_NAME)


def _as_list(value: Any) -> list[Any]:
    return value if is_list(value) else [] if value is None else [value]


def _frequencies(event: Any) -> Iterator[str]:
    for rule in _as_list(event.get("RRULE")):
        yield from (str(one).upper() for one in _as_list(rule.get("FREQ")))


def _mention(*names: str | None) -> Mention | None:
    ways = _ways(*names)
    return Mention(ways[0][0], ways) if ways else None


def _ways(*names: str | None) -> tuple[tuple[str, ...], ...]:
    return tuple((cut_text(one, MAX_NAME),) for one in names if one)


def _bounded(mentions: Iterable[Mention], who: str) -> tuple[Mention, ...]:
    found = tuple(dict.fromkeys(mentions))
    if len(found) > MAX_ON_CALL:
        raise PermanentError(f"{who} names more than {MAX_ON_CALL} people at one moment")
    return found


def _read(kind: type[ModelT], answer: WebAnswer, who: str, setting: str) -> ModelT:
    if not answer.ok:
        raise answer.refused(who, setting)
    try:
        return kind.model_validate_json(answer.body)
    except ValidationError:
        raise PermanentError(f"{who} answers something that is no list of people on call") from None


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
