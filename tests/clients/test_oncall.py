"""Who is on call: by calendars as programs write them, and by PagerDuty and Opsgenie over HTTP; and when they fail."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from halon.clients.oncall import FRESH, OnCall
from halon.errors import Misconfigured, NotFound, PermanentError, PermissionDenied, TransientError
from halon.settings.loading import parse_settings
from halon.settings.model import Settings

NIGHT = datetime(2026, 12, 24, 2, 30, tzinfo=UTC)
PEOPLE = """
people:
  ana: {email: ana@example.com, aliases: [Ana Lopez]}
  ben: {email: ben@example.com}
  cyd: {aliases: [PUSER3]}
"""


def calendar(*lines: str) -> str:
    begins = "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Europe/Berlin:20261224T000000\r\nDURATION:PT6H"
    event = "\r\n".join((begins, *lines, "END:VEVENT"))
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{event}\r\nEND:VCALENDAR\r\n"


class Api:
    """Somebody else's web API, with the answers that it is told."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.asked: list[web.Request] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.before: Callable[[], Any] | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        if self.before is not None:
            await self.before()
        body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, status=self.status, headers=self.headers)


@pytest.fixture
async def api() -> AsyncGenerator[Api]:
    double = Api()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", double.handle)
    async with TestServer(application) as server:
        double.url = str(server.make_url("")).rstrip("/")
        yield double


def settings(group: str) -> Settings:
    return parse_settings(f"{PEOPLE}\ngroups: {{sre: {group}}}", Path("/etc/halon.yaml"))


async def shift(group: str, at: datetime = NIGHT) -> tuple[tuple[str, ...], tuple[str, ...]]:
    async with OnCall(settings(group)) as groups:
        found = await groups.shift("sre", at)
        assert await groups.members("sre", at) == found.members
        return found.members, found.unknown


@pytest.mark.parametrize(
    ("lines", "members", "unknown"),
    [
        (["SUMMARY:Ana Lopez"], ("ana",), ()),
        (["SUMMARY:On call: ana & ben@example.com"], ("ana", "ben"), ()),
        (["SUMMARY:On Call - Ana Lopez - Primary"], ("ana",), ()),
        (["SUMMARY:shift", "ATTENDEE;CN=Ben:mailto:BEN@example.com"], ("ben",), ()),
        (["SUMMARY:ana", "ATTENDEE:mailto:ben@example.com", "ATTENDEE:mailto:dan@example.com"],
         ("ben",), ("dan@example.com",)),
        (["SUMMARY:ana", "ATTENDEE;PARTSTAT=DECLINED:mailto:ben@example.com"], ("ana",), ()),
        (["SUMMARY:ana", "ATTENDEE;CUTYPE=ROOM:mailto:room@example.com"], ("ana",), ()),
        (["SUMMARY:ana", "ORGANIZER:mailto:ben@example.com"], ("ana",), ()),
        (["SUMMARY:shift", "ORGANIZER:mailto:ben@example.com"], ("ben",), ()),
        (["SUMMARY:Dan"], (), ("Dan",)),
        (["ORGANIZER;CN=Ana Lopez:mailto:team@example.com"], ("ana",), ()),
        (["SUMMARY:ana", "STATUS:CANCELLED"], (), ()),
    ],
)  # fmt: skip
async def test_an_event_that_is_under_way_names_people(
    tmp_path: Path, lines: list[str], members: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    file = tmp_path / "sre.ics"
    file.write_text(calendar(*lines))
    assert await shift(f"{{calendar: {{file: {file}}}}}") == (members, unknown)


@pytest.mark.parametrize(
    ("at", "members"),
    [
        (datetime(2026, 12, 23, 22, 59, tzinfo=UTC), ()),
        (datetime(2026, 12, 23, 23, 0, tzinfo=UTC), ("ana",)),
        (datetime(2026, 12, 24, 4, 59, tzinfo=UTC), ("ana",)),
        (datetime(2026, 12, 24, 5, 0, tzinfo=UTC), ()),
    ],
)
async def test_a_shift_begins_and_ends_to_the_minute(tmp_path: Path, at: datetime, members: tuple[str, ...]) -> None:
    file = tmp_path / "sre.ics"
    file.write_text(calendar("SUMMARY:ana"))
    assert (await shift(f"{{calendar: {{file: {file}}}}}", at))[0] == members


async def test_a_weekly_rotation_names_whose_week_it_is(tmp_path: Path) -> None:
    rotation = "\r\n".join(
        f"BEGIN:VEVENT\r\nUID:{who}\r\nDTSTART;VALUE=DATE:{day}\r\nDTEND;VALUE=DATE:{end}\r\n"
        f"RRULE:FREQ=WEEKLY;INTERVAL=2\r\nSUMMARY:{who}\r\nEND:VEVENT"
        for who, day, end in (("ana", "20261102", "20261109"), ("ben", "20261109", "20261116"))
    )
    file = tmp_path / "sre.ics"
    file.write_text(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{rotation}\r\nEND:VCALENDAR\r\n")
    group = f"{{calendar: {{file: {file}, timezone: Europe/Berlin}}}}"
    assert (await shift(group, datetime(2026, 11, 29, 22, 59, tzinfo=UTC)))[0] == ("ben",)
    assert (await shift(group, datetime(2026, 11, 29, 23, 0, tzinfo=UTC)))[0] == ("ana",)


async def test_a_calendar_comes_from_an_address_that_is_a_secret(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.answers = [calendar("SUMMARY:ana")]
    monkeypatch.setenv("SRE_CALENDAR", f"{api.url}/private-4f1c/basic.ics?x=1")
    assert await shift("{members: [cyd], calendar: {url: {env: SRE_CALENDAR}}}") == (("ana", "cyd"), ())
    assert api.asked[0].path_qs == "/private-4f1c/basic.ics?x=1"


@pytest.mark.parametrize(
    "url", ["http://calendar.example.com/private-4f1c.ics", "file:///etc/private-4f1c", "private-4f1c"]
)
async def test_a_secret_address_is_asked_over_tls_only_and_never_told(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRE_CALENDAR", url)
    with pytest.raises(Misconfigured, match="the calendar of group sre must begin with https") as caught:
        await shift("{calendar: {url: {env: SRE_CALENDAR}}}")
    assert "4f1c" not in str(caught.value)


async def test_what_does_not_answer_is_told_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRE_CALENDAR", "http://127.0.0.1:1/private-4f1c.ics")
    with pytest.raises(TransientError, match="the calendar of group sre does not answer: ConnectError") as caught:
        await shift("{calendar: {url: {env: SRE_CALENDAR}}}")
    assert "4f1c" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ("<html>", "is no iCalendar file"),
        (calendar("SUMMARY:ana", "RRULE:FREQ=SECONDLY"), "repeats every second"),
        ("x" * (1024 * 1024 + 1), "more than 1048576 bytes"),
    ],
)
async def test_what_is_no_calendar_that_can_be_read_names_nobody(api: Api, body: str, finding: str) -> None:
    api.answers = [body]
    with pytest.raises(PermanentError, match=finding):
        await shift(f'{{calendar: {{url: "{api.url}/x.ics"}}}}')


PAGERDUTY = "{{pagerduty: {{{what}, token: {{env: PD_TOKEN}}, url: '{url}'}}}}"


def on_call(level: int = 1, **user: Any) -> dict[str, Any]:
    started = {"start": "2026-12-23T20:00:00Z", "end": "2026-12-24T08:00:00Z"}
    return {"user": {"type": "user", **user}, "escalation_level": level, "schedule": None, **started}


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PD_TOKEN", "pd-planted-secret")
    monkeypatch.setenv("OG_TOKEN", "og-planted-secret")


async def test_pagerduty_is_asked_page_by_page_for_the_moment(api: Api) -> None:
    over = on_call(email="cyd@example.com") | {"end": "2026-12-24T02:00:00Z"}
    api.answers = [
        {"oncalls": [on_call(email="ana@example.com", id="P1"), over], "more": True},
        {"oncalls": [on_call(id="PUSER3", email=None), on_call(summary="Dan")], "more": False},
    ]
    group = PAGERDUTY.format(what="schedule: PI7DH85", url=api.url)
    async with OnCall(settings(group)) as groups:
        found = await groups.shift("sre", NIGHT)
    assert (found.members, found.unknown) == (("ana", "cyd"), ("Dan",))
    first, second = (one.query for one in api.asked)
    assert (first["schedule_ids[]"], first["include[]"], first["offset"]) == ("PI7DH85", "users", "0")
    assert (first["since"], first["until"]) == ("2026-12-24T02:30:00+00:00", "2026-12-24T02:30:01+00:00")
    assert second["offset"] == "100"
    assert api.asked[0].headers["Authorization"] == "Token token=pd-planted-secret"


async def test_of_an_escalation_policy_the_first_level_counts(api: Api) -> None:
    api.answers = [{"oncalls": [on_call(3, email="cyd@example.com"), on_call(2, email="ben@example.com")]}]
    assert await shift(PAGERDUTY.format(what="escalation_policy: PEP1", url=api.url)) == (("ben",), ())
    assert api.asked[0].query["escalation_policy_ids[]"] == "PEP1"


@pytest.mark.parametrize(
    ("schedule", "path", "kind"),
    [
        ("First line", "/v2/schedules/First%20line/on-calls", "name"),
        ("9a441a8d-2410-43f4-9ef2-f7a265e12b74", "/v2/schedules/9a441a8d-2410-43f4-9ef2-f7a265e12b74/on-calls", "id"),
    ],
)
async def test_opsgenie_is_asked_by_name_or_id(api: Api, schedule: str, path: str, kind: str) -> None:
    api.answers = [{"data": {"_parent": {"id": "x"}, "onCallRecipients": ["ben@example.com"]}, "took": 0.1}]
    assert await shift(f"{{opsgenie: {{schedule: {schedule}, token: {{env: OG_TOKEN}}, url: '{api.url}'}}}}") == (
        ("ben",), ()
    )  # fmt: skip
    asked = api.asked[0]
    assert (asked.raw_path.partition("?")[0], asked.query["scheduleIdentifierType"]) == (path, kind)
    assert (asked.query["flat"], asked.query["date"]) == ("true", "2026-12-24T02:30:00+00:00")
    assert asked.headers["Authorization"] == "GenieKey og-planted-secret"


@pytest.mark.parametrize(
    ("status", "kind", "finding"),
    [
        (401, PermissionDenied, "does not accept `groups.sre.pagerduty.token`"),
        (404, NotFound, "what the settings name is not there"),
        (429, TransientError, "HTTP 429"),
        (503, TransientError, "HTTP 503"),
        (302, PermanentError, "HTTP 302"),
        (200, PermanentError, "no list of people on call"),
    ],
)
async def test_an_api_that_refuses_is_told_and_names_nobody(
    api: Api, status: int, kind: type[Exception], finding: str
) -> None:
    api.answers, api.status, api.headers = [{"error": "pd-planted-secret"}], status, {"Retry-After": "7"}
    api.headers |= {"Location": f"{api.url}/elsewhere"}
    with pytest.raises(kind, match=finding) as caught:
        await shift(PAGERDUTY.format(what="schedule: P1", url=api.url))
    assert "planted" not in str(caught.value)
    assert len(api.asked) == 1
    if isinstance(caught.value, TransientError):
        assert caught.value.retry_after == timedelta(seconds=7)


async def test_an_answer_counts_for_a_minute_and_an_older_one_is_never_taken_instead(api: Api) -> None:
    now = 1000.0
    api.answers = [{"oncalls": [on_call(email="ana@example.com")]}]
    groups = OnCall(settings(PAGERDUTY.format(what="schedule: P1", url=api.url)), lambda: now)
    async with groups:
        assert await asyncio.gather(*(groups.members("sre", NIGHT) for _ in range(5))) == [("ana",)] * 5
        now += FRESH.total_seconds() - 1
        assert await groups.members("sre", NIGHT + timedelta(seconds=59)) == ("ana",)
        assert len(api.asked) == 1
        api.status = 503
        with pytest.raises(TransientError):  # about another moment
            await groups.members("sre", NIGHT + FRESH)
        with pytest.raises(TransientError):
            await groups.members("sre", NIGHT)
        api.status, api.answers = 200, [{"oncalls": [on_call(email="ben@example.com")]}]
        assert await groups.members("sre", NIGHT) == ("ben",)
        now += FRESH.total_seconds()
        api.status = 503
        with pytest.raises(TransientError):
            await groups.members("sre", NIGHT)


async def test_the_directory_of_a_moment_says_what_is_missing_and_keeps_whom_halon_yaml_names(api: Api) -> None:
    text = f"""{PEOPLE}
groups:
  plain: {{members: [ana]}}
  down: {{members: [ben], opsgenie: {{schedule: a, token: {{env: OG_TOKEN}}, url: "http://127.0.0.1:1"}}}}
  up: {{members: [ana], pagerduty: {{schedule: P1, token: {{env: PD_TOKEN}}, url: "{api.url}"}}}}
roles: {{responder: {{may: [decide], to: ["group:up"]}}}}
"""
    api.answers = [{"oncalls": [on_call(email="ben@example.com"), on_call(email="dan@example.com")]}]
    async with OnCall(parse_settings(text, Path("/etc/halon.yaml"))) as groups:
        directory, missing = await groups.directory(NIGHT)
        assert directory.members("group:up") == ("ana", "ben")
        assert directory.members("group:down") == ("ben",)
        assert directory.members("group:plain") == ("ana",)
        assert directory.may("ben", "decide")  # type: ignore[arg-type]
        assert missing == {
            "down": "Opsgenie, for group down, does not answer: ConnectError",
            "up": "its schedule names dan@example.com, who is not under `people`",
        }
        assert (await groups.directory(NIGHT, ("plain",)))[1] == {}
        with pytest.raises(NotFound, match="no group nobody"):
            await groups.members("nobody", NIGHT)


async def test_a_gap_in_the_schedule_is_told(api: Api) -> None:
    api.answers = [{"oncalls": []}]
    async with OnCall(settings(PAGERDUTY.format(what="schedule: P1", url=api.url))) as groups:
        assert (await groups.directory(NIGHT))[1] == {"sre": "its schedule names nobody at this time"}


async def test_no_trace_keeps_the_address_of_a_calendar(api: Api) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    instrumentor = HTTPXClientInstrumentor()
    before = instrumentor.is_instrumented_by_opentelemetry  # by another test of this process
    if before:
        instrumentor.uninstrument()
    instrumentor.instrument(tracer_provider=provider)
    try:
        async with httpx.AsyncClient() as http:
            api.answers = [calendar("SUMMARY:ana")]
            await http.get(f"{api.url}/seen")
        assert await shift(f'{{calendar: {{url: "{api.url}/private-4f1c.ics"}}}}') == (("ana",), ())
    finally:
        instrumentor.uninstrument()
        if before:
            instrumentor.instrument()
    assert [str((span.attributes or {})["http.url"]) for span in spans.get_finished_spans()] == [f"{api.url}/seen"]
