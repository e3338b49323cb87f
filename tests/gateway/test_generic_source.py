"""A source whose fields halon.yaml maps with expressions."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from gateway_doubles import SETTINGS, Gateway, playbook, running

from halon.errors import Misconfigured
from halon.gateway.sources import build_source, source_types
from halon.gateway.sources.generic import shown_headers
from halon.settings.loading import parse_settings
from halon.telemetry import Telemetry

EVENT: dict[str, Any] = {
    "check": "KubePodCrashLooping",
    "id": "c-17",
    "state": "bad",
    "level": 3,
    "service": "cart",
    "since": "2026-01-02T04:00:00+01:00",
}


async def test_a_mapped_event_is_an_alert(gateway: Gateway) -> None:
    answer = await gateway.post({"events": [EVENT | {"notes": {"summary": "down", "n": 3}}]}, "checks", x_region="eu-1")
    assert answer.status_code == 202, answer.text
    (alert,) = gateway.dispatcher.groups[0].alerts
    assert (alert.source, alert.name, alert.fingerprint) == ("checks", "KubePodCrashLooping", "c-17")
    assert (alert.status, alert.severity) == ("firing", "critical")
    assert alert.labels == {"service": "cart", "team": "web", "level": "3"}
    assert alert.annotations == {"summary": "down", "n": "3"}
    assert alert.starts_at == datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
    assert alert.url == "https://checks.example.com/c-17?via=eu-1"


@pytest.mark.parametrize(
    ("since", "then"),
    [
        (1767322800, datetime(2026, 1, 2, 3, 0, tzinfo=UTC)),
        (1767322800.5, datetime(2026, 1, 2, 3, 0, 0, 500000, tzinfo=UTC)),
        (1767322800000, datetime(2026, 1, 2, 3, 0, tzinfo=UTC)),
        ("1767322800", datetime(2026, 1, 2, 3, 0, tzinfo=UTC)),
        (1767322800000000, datetime(2026, 1, 2, 3, 0, tzinfo=UTC)),
        ("1767322800000000000", datetime(2026, 1, 2, 3, 0, tzinfo=UTC)),
        ("2026-01-02T03:00:00Z", datetime(2026, 1, 2, 3, 0, tzinfo=UTC)),
    ],
)
async def test_times_are_read_as_text_seconds_or_milliseconds(gateway: Gateway, since: Any, then: datetime) -> None:
    await gateway.post({"events": [EVENT | {"since": since}]}, "checks", x_region="eu-1")
    assert gateway.dispatcher.groups[0].alerts[0].starts_at == then


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "items: the body has no `events`"),
        ([], "items: the body has no `events`"),
        ({"events": {}}, "items: a list was expected"),
        ({"events": [{}]}, "items[0]: `map.name`"),
        ({"events": ["text"]}, "items[0]: `map.name`"),
        ({"events": [EVENT | {"check": None}]}, "items[0].name"),
        ({"events": [EVENT | {"since": "yesterday"}]}, "items[0]: `map.starts_at`"),
        ({"events": [EVENT | {"since": "2026-01-02T03:00:00"}]}, "items[0]: `map.starts_at`"),
        ({"events": [EVENT | {"since": 1e300}]}, "items[0]: `map.starts_at`"),
        ({"events": [EVENT | {"since": True}]}, "items[0]: `map.starts_at`"),
        ({"events": [EVENT | {"service": "x" * 3000}]}, "items[0].labels.service: 3000 characters"),
        ({"events": [EVENT | {"notes": [1]}]}, "items[0]: `map.annotations`: a map was expected"),
        ({"events": [{}] * 2001}, "alerts: 2001 items"),
    ],
)
async def test_what_the_map_does_not_fit_is_refused_with_the_field(gateway: Gateway, body: Any, field: str) -> None:
    answer = await gateway.post(body, "checks", x_region="eu-1")
    assert answer.status_code == 422
    assert answer.json()["errors"][0].startswith(field), answer.json()
    assert len(answer.content) < 8000


@pytest.mark.parametrize(("status", "state"), [("bad", "firing"), ("good", "resolved")])
async def test_a_boolean_says_whether_it_fires(gateway: Gateway, status: str, state: str) -> None:
    await gateway.post({"events": [EVENT | {"state": status}]}, "checks", x_region="eu-1")
    assert gateway.dispatcher.groups[0].alerts[0].status == state


async def test_a_body_larger_than_an_expressions_result_is_read(tmp_path: Path, telemetry: Telemetry) -> None:
    settings = SETTINGS.replace("max_body: 100000", "max_body: 1000000")
    async with running(tmp_path, telemetry, settings) as gateway:
        events = [EVENT | {"id": f"c-{n}", "padding": "x" * 400} for n in range(1000)]
        answer = await gateway.post({"events": events}, "checks", x_region="eu-1")
        assert (answer.status_code, answer.json()["matched"]) == (202, 1000)


async def test_without_items_the_body_is_one_alert(tmp_path: Path, telemetry: Telemetry) -> None:
    settings = """
gateway:
  port: 0
  sources:
    one: {type: generic, auth: {none: true}, map: {name: "${{ body.n }}", starts_at: "${{ body.t }}", status: resolved}}
"""
    async with running(tmp_path, telemetry, settings, playbooks=(playbook(alerts=["x"]),)) as gateway:
        await gateway.post({"n": "x", "t": 1767322800}, "one")
        (alert,) = gateway.dispatcher.groups[0].alerts
        assert (alert.name, alert.status, len(alert.fingerprint)) == ("x", "resolved", 16)


def test_the_end_may_be_a_time_nothing_or_what_is_none_and_the_status_in_any_case() -> None:
    text = """
gateway:
  sources:
    one:
      type: generic
      auth: {none: true}
      map: {name: x, starts_at: "${{ body.since }}", ends_at: "${{ body.until }}", status: "${{ body.status }}"}
"""
    source = build_source("one", parse_settings(text, Path("halon.yaml")).gateway.sources["one"])
    now = datetime(2026, 1, 2, tzinfo=UTC)
    body: dict[str, Any] = {"since": 1767322800, "until": "1767322801000", "status": "Resolved"}
    (alert,) = source.parse(body, {}, now).alerts
    assert (alert.status, alert.ends_at) == ("resolved", datetime(2026, 1, 2, 3, 0, 1, tzinfo=UTC))
    assert source.parse(body | {"until": None}, {}, now).alerts[0].ends_at is None
    assert "ends_at" in source.parse(body | {"until": ["soon"]}, {}, now).rejected[0]


def test_expressions_see_no_credentials() -> None:
    headers = {
        "Authorization": "Bearer x",
        "Cookie": "x",
        "X-Api-Key": "x",
        "X-Auth-Token": "x",
        "X-Hub-Signature-256": "x",
        "User-Agent": "checks/1",
        "X-Event": "y" * 5000,
    }
    shown = shown_headers(headers)
    assert sorted(shown) == ["user-agent", "x-event"]
    assert len(shown["x-event"]) < 600


@pytest.mark.parametrize(
    ("expression", "finding"),
    [
        ("${{ item. }}", "map.name"),
        ("${{ itm.check }}", "map.name"),
        ("${{ item.check", "never closed"),
        ("${{ item.check + }}", "map.name"),
        ("${{ secrets.token }}", "map.name"),
        ("${{ body.map(key, key) }}", "map.name"),
        ("${{ [1].map(a, [1].map(b, [1].map(c, [1].map(d, [1].map(e, a + e))))) }}", "map.name"),
        (f"${{{{ {'(' * 500}body{')' * 500} }}}}", "map.name"),
        (f"${{{{ body.check + '{'x' * 4000}' }}}}", "map.name"),
    ],
)
def test_an_expression_that_does_not_compile_stops_the_start(expression: str, finding: str) -> None:
    text = f"""
gateway:
  sources:
    one:
      type: generic
      auth: {{none: true}}
      map: {{name: "{expression}", starts_at: "x"}}
"""
    source = parse_settings(text, Path("halon.yaml")).gateway.sources["one"]
    with pytest.raises(Misconfigured, match=finding):
        build_source("one", source)


def test_a_type_that_does_not_exist_is_told_with_those_that_do() -> None:
    source = parse_settings("gateway: {sources: {a: {type: pager, auth: {none: true}}}}", Path("x")).gateway.sources[
        "a"
    ]
    with pytest.raises(Misconfigured, match=r"it may be alertmanager, .*generic, .*pagerduty"):
        build_source("a", source)
    assert not any(kind.startswith("_") for kind in source_types())
