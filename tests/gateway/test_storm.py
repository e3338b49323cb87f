"""What a storm meets at the gateway's edge: bounds with an answer each, and counts that add up."""

import asyncio
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import structlog
from gateway_doubles import NOW, SETTINGS, TOKEN, Gateway, firing, playbook, running, webhook
from structlog.testing import CapturingLogger

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.audit import AuditKind
from halon.core.grouping import Unmatched
from halon.gateway.problems import Refusal
from halon.gateway.records import unmatched_note
from halon.gateway.repeats import Report
from halon.gateway.requests import BodyMemory
from halon.gateway.serve import MAX_CONNECTIONS
from halon.gateway.sparing import MAX_LINES, SparingLog
from halon.gateway.unheeded import Unheeded
from halon.store.engine import open_database
from halon.store.store import Store
from halon.telemetry import Telemetry

DAY = "unmatched-2026-01-02"


async def test_every_alert_of_a_storm_is_durable_or_counted(tmp_path: Path, telemetry: Telemetry) -> None:
    sent = 0
    async with running(tmp_path, telemetry) as gateway:
        for round_ in range(4):
            bodies = [webhook(firing() | {"fingerprint": f"{n}"}) for n in range(5)]
            bodies.append(webhook(*(firing() | {"fingerprint": f"{n % 7}"} for n in range(round_, round_ + 20))))
            for body in bodies:
                receipt = (await gateway.post(body)).json()
                assert receipt["matched"] == receipt["received"]
                sent += receipt["received"]
    handed = [one for group in gateway.dispatcher.groups for one in group.alerts]
    assert len(handed) == 7
    assert len(handed) + sum(report.times for report in gateway.dispatcher.reports) == sent


async def test_counts_of_closed_incidents_and_of_what_nobody_takes_are_in_the_chain_of_the_day(
    tmp_path: Path, telemetry: Telemetry
) -> None:
    async with running(tmp_path, telemetry) as gateway:
        for _ in range(3):
            await gateway.post(webhook(firing(), firing(alertname="NodeDown") | {"fingerprint": "2"}))
        gateway.dispatcher.open = False
    store = Store(await open_database(f"sqlite+aiosqlite:///{next((tmp_path / 'data').glob('*.db'))}"))
    told = await store.audit.records(DAY)
    await store.close()
    assert [record.kind for record in told] == [AuditKind.ALERT_UNMATCHED] + [AuditKind.ALERT_REPEATED] * 2
    assert [record.data["times"] for record in told[1:]] == [2, 2]
    assert "came to no incident came again, 2 times in all" in told[1].message
    assert "whose incident has closed came again" in told[2].message


@pytest.fixture
async def store(tmp_path: Path) -> Any:
    one = Store(await open_database(f"sqlite+aiosqlite:///{tmp_path / 'halon.db'}"))
    yield one
    await one.close()


def stray(number: int = 1) -> Alert:
    return Alert(source="lab", name="Stray", fingerprint=f"{number}", status=AlertStatus.FIRING, starts_at=NOW)


async def test_two_gateways_count_what_the_other_has_recorded(store: Store) -> None:
    one, other = (Unheeded(store, lambda: NOW) for _ in range(2))
    note = unmatched_note("lab", Unmatched(stray(), ()), stray().episode)
    for gateway in (one, other, other):
        await gateway.record([note])
    for gateway in (one, other):
        await gateway.report(everything=True)
    told = await store.audit.records(DAY)
    assert [record.kind for record in told] == [AuditKind.ALERT_UNMATCHED, AuditKind.ALERT_REPEATED]
    assert told[1].data["episodes"] == {stray().episode: 2}


async def test_many_counts_are_several_records_of_bounded_size(store: Store) -> None:
    unheeded = Unheeded(store, lambda: NOW)
    unheeded.closed(Report("g", {f"{n:016x}": 1 for n in range(1000)}, {"0" * 16: 5}))
    await unheeded.report(everything=True)
    told = await store.audit.records(DAY)
    assert [len(record.data["episodes"]) for record in told] == [400, 400, 200, 1]  # type: ignore[arg-type]  # JSON
    assert sum(record.data["times"] for record in told) == 1005  # type: ignore[misc]  # JSON
    assert (await store.audit.verify()).ok


async def test_who_sends_is_proved_each_time_also_for_a_body_that_is_known(gateway: Gateway) -> None:
    body = json.dumps(webhook(firing())).encode()
    good = "sha256=" + hmac.new(TOKEN.encode(), body, hashlib.sha256).hexdigest()
    assert (await gateway.post(body, "signed", x_hub_signature_256=good)).status_code == 202
    assert (await gateway.post(body, "signed", x_hub_signature_256="sha256=" + "0" * 64)).status_code == 401
    assert (await gateway.post(body, "alertmanager", authorization=f"Bearer {TOKEN}")).status_code == 202
    assert (await gateway.post(body, "alertmanager", authorization="Bearer wrong")).status_code == 401
    assert {alert.source for group in gateway.dispatcher.groups for alert in group.alerts} == {"signed", "alertmanager"}


async def test_what_depends_on_the_time_is_asked_each_time(tmp_path: Path, telemetry: Telemetry) -> None:
    now = [datetime(2026, 1, 2, 3, 1, tzinfo=UTC)]
    old = playbook(**{"if": "${{ alert.age > duration('5m') }}"})
    async with running(tmp_path, telemetry, clock=lambda: now[0], playbooks=(old,)) as gateway:
        assert (await gateway.post(webhook(firing()))).json()["unmatched"] == 1
        now[0] += timedelta(minutes=10)
        assert (await gateway.post(webhook(firing()))).json()["matched"] == 1


async def test_what_depends_on_the_headers_is_read_each_time(gateway: Gateway) -> None:
    event = {"check": "KubePodCrashLooping", "id": "1", "state": "bad", "level": 1, "service": "s", "since": 1}
    for region in ("north", "south"):
        await gateway.post({"events": [event | {"id": region}]}, "checks", x_region=region)
        await gateway.post({"events": [event]}, "checks", x_region=region)
    urls = [alert.url.rpartition("=")[2] for group in gateway.dispatcher.groups for alert in group.alerts]
    assert urls == ["north", "north", "south"]


def test_bodies_share_a_bounded_memory() -> None:
    memory = BodyMemory(100)
    with memory.share() as one, memory.share() as other:
        one.grow(60)
        other.grow(40)
        with pytest.raises(Refusal) as caught:
            other.grow(41)
        assert caught.value.status is HTTPStatus.SERVICE_UNAVAILABLE
        assert "Retry-After" in caught.value.headers
    with memory.share() as all_of_it:
        all_of_it.grow(100)


async def test_more_bodies_than_memory_are_told_to_come_back(tmp_path: Path, telemetry: Telemetry) -> None:
    settings = SETTINGS.replace("max_body: 100000", "max_body: 16777216").replace("max_requests: 4", "max_requests: 9")
    head = (
        b"POST /v1/alerts/lab HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 16777216\r\n\r\n"
    )
    settings = settings.replace("body_timeout: 500ms", "body_timeout: 10s")
    async with running(tmp_path, telemetry, settings) as gateway:
        held = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(2)]
        for _, writer in held:
            writer.write(head)
        async with asyncio.timeout(5):
            while (answer := await gateway.post(webhook(firing()))).status_code == 202:
                pass
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(5):
            while (await gateway.post(webhook(firing()))).status_code == 503:
                pass


async def test_more_connections_than_it_keeps_are_told_to_come_back(gateway: Gateway) -> None:
    opened = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(MAX_CONNECTIONS + 1)]
    reader, writer = opened[-1]
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"\r\nretry-after: 2\r\n" in answer.lower()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] == "too many connections at the same time"
    for _, one in opened:
        one.close()
    await asyncio.gather(*(one.wait_closed() for _, one in opened))
    assert (await gateway.post(webhook(firing()))).status_code == 202


def test_a_log_says_so_many_lines_a_second_and_how_many_it_spared() -> None:
    captured, now = CapturingLogger(), [10.0]
    log = SparingLog(
        structlog.wrap_logger(captured, processors=[], wrapper_class=structlog.BoundLogger), lambda: now[0]
    )
    for _ in range(MAX_LINES + 30):
        log.info("alerts.received")
    log.sum_up()
    assert len(captured.calls) == MAX_LINES + 1
    assert captured.calls[-1].kwargs["lines"] == {"alerts.received": 30}
    now[0] += 1
    log.warning("request.refused")
    log.sum_up()
    assert len(captured.calls) == MAX_LINES + 2
