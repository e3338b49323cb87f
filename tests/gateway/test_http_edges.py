"""Whatever is sent, the answer is a clear problem, nothing is dispatched, and the gateway stays alive and small."""

import asyncio
import json
import resource
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_doubles import SETTINGS, Gateway, firing, running, webhook
from opentelemetry import trace

from halon.errors import PermanentError, TransientError
from halon.gateway.serve import HEADER_ALLOWANCE
from halon.telemetry import Telemetry

GOOD = json.dumps(webhook(firing()))
HALF_A_BODY = (
    b"POST /v1/alerts/lab HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"
)


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        (b"", "not JSON"),
        (b"{", "line 1, column 2"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a": 1, "a": 2}', "key 'a' stands twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "safely"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b"[" * 90_000, "nested too deep"),
        (b"[" * 60 + b"]" * 60, "deeper than 40"),
        (b'{"a":' * 10_000, "nested too deep"),
        (b"\xef\xbb\xbf{}", "not JSON"),
    ],
)
async def test_what_is_no_json_is_refused(gateway: Gateway, body: bytes, finding: str) -> None:
    answer = await gateway.post(body)
    assert answer.status_code == 400
    assert finding in answer.json()["detail"]
    assert len(answer.content) < 1000


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/alerts/nobody", 404),
        ("POST", "/v1/alerts/", 404),
        ("POST", "/v1/alerts/a/b", 404),
        ("GET", "/v1/alerts/lab", 405),
        ("DELETE", "/v1/alerts/lab", 405),
        ("POST", "/healthz", 405),
        ("GET", "/", 404),
        ("GET", "/docs", 404),
    ],
)
async def test_every_wrong_address_is_a_problem(gateway: Gateway, method: str, path: str, status: int) -> None:
    answer = await gateway.http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert (status == 405) == ("allow" in answer.headers)


@pytest.mark.parametrize(
    "headers",
    [{"content-type": "text/plain"}, {}, {"content-type": "application/json", "content-encoding": "gzip"}],
)
async def test_another_media_type_is_refused(gateway: Gateway, headers: dict[str, str]) -> None:
    answer = await gateway.http.post("/v1/alerts/lab", content=GOOD, headers=headers)
    assert answer.status_code == 415


async def test_json_may_be_called_by_its_other_names(gateway: Gateway) -> None:
    for name in ("application/json; charset=utf-8", "application/vnd.alerts+json"):
        assert (await gateway.post(GOOD.encode(), content_type=name)).status_code == 202


async def test_a_body_that_is_one_byte_too_large_is_told_so(gateway: Gateway) -> None:
    answer = await gateway.post(b"[" + b" " * 100_000)
    assert answer.status_code == 413


async def test_a_body_that_says_it_is_too_large_is_refused(gateway: Gateway) -> None:
    answer = await gateway.post(b" " * 200_000)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_that_does_not_say_so_is_refused_as_well(gateway: Gateway) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 10_000

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in endless():
            yield chunk

    headers = {"content-type": "application/json"}
    answer = await gateway.http.post("/v1/alerts/lab", content=chunks(), headers=headers)
    assert answer.request.headers["transfer-encoding"] == "chunked"
    assert answer.status_code == 413


async def raw(gateway: Gateway, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_body_that_stops_half_way_is_not_waited_for(gateway: Gateway) -> None:
    began = time.monotonic()
    answer = await raw(gateway, HALF_A_BODY)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in answer.lower()
    assert time.monotonic() - began < 5


async def test_headers_that_never_end_are_cut_off(tmp_path: Path, telemetry: Telemetry) -> None:
    settings = SETTINGS.replace("body_timeout: 500ms", "body_timeout: 100ms")
    async with running(tmp_path, telemetry, settings) as gateway:
        began = time.monotonic()
        silent, halfway = await asyncio.gather(raw(gateway, b""), raw(gateway, b"POST /v1/alerts/lab HTTP/1.1\r\nx: "))
        assert silent == halfway == b""
        assert time.monotonic() - began < HEADER_ALLOWANCE.total_seconds() + 3
        assert (await gateway.post(GOOD.encode())).status_code == 202


async def test_headers_without_bound_are_refused(gateway: Gateway) -> None:
    answer = await raw(gateway, b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: " + b"a" * 100_000)
    assert answer.startswith(b"HTTP/1.1 4") or answer == b""
    assert (await gateway.http.get("/healthz")).status_code == 200


async def test_nothing_is_accepted_before_it_is_durable(gateway: Gateway) -> None:
    gateway.dispatcher.error = TransientError("Temporal did not accept the alerts", retry_after=timedelta(seconds=7))
    answer = await gateway.post(GOOD.encode())
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "7"
    assert answer.json()["detail"] == "Temporal did not accept the alerts"


async def test_what_temporal_will_never_accept_is_an_error_of_ours(gateway: Gateway) -> None:
    gateway.dispatcher.error = PermanentError("Temporal refuses the incident: too large")
    answer = await gateway.post(GOOD.encode())
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "too large" in answer.json()["detail"]


async def test_more_requests_than_slots_are_told_to_come_back(gateway: Gateway) -> None:
    gateway.dispatcher.gate = asyncio.Event()
    waiting = [asyncio.create_task(gateway.post(GOOD.encode())) for _ in range(4)]
    refused: list[httpx.Response] = []
    while not refused:
        answer = asyncio.create_task(gateway.post(GOOD.encode()))
        done, _ = await asyncio.wait([answer], timeout=1)  # a test, not a workflow
        refused.extend(one.result() for one in done)
        waiting.extend([answer] if not done else [])
    assert refused[0].status_code == 503
    assert int(refused[0].headers["retry-after"]) > 0
    assert (await gateway.http.get("/healthz")).status_code == 200
    gateway.dispatcher.gate.set()
    assert {one.status_code for one in await asyncio.gather(*waiting)} == {202}
    assert (await gateway.post(GOOD.encode())).status_code == 202


async def test_alerts_that_nobody_takes_are_recorded_once_a_day(gateway: Gateway) -> None:
    body = webhook(firing(alertname="NodeDown", password="hunter22"))
    receipts = [(await gateway.post(body)).json() for _ in range(3)]
    assert [receipt["unmatched"] for receipt in receipts] == [1, 1, 1]
    (record,) = await gateway.store.audit.records("unmatched-2026-01-02")
    assert record.kind == "alert.unmatched"
    assert record.message == "No playbook takes alert NodeDown (firing): no trigger names it"
    assert record.data["labels"]["password"] == "[redacted]"  # type: ignore[index, call-overload]  # JSON
    body["alerts"][0]["status"] = "resolved"
    await gateway.post(body)
    assert len(await gateway.store.audit.records("unmatched-2026-01-02")) == 2


async def break_store(gateway: Gateway, directory: Path) -> None:
    await gateway.store.close()
    for file in (directory / "data").iterdir():
        file.unlink()
    (directory / "data").rmdir()


async def test_a_store_that_is_down_does_not_keep_a_remediation_from_starting(gateway: Gateway, tmp_path: Path) -> None:
    await break_store(gateway, tmp_path)
    answer = await gateway.post(webhook(firing(), firing(alertname="NodeDown")))
    assert answer.status_code == 202
    assert len(gateway.dispatcher.groups) == 1
    nothing_else = await gateway.post(webhook(firing(alertname="NodeDown")))
    assert nothing_else.status_code == 503
    assert "retry-after" in nothing_else.headers


async def test_ready_means_that_alerts_can_be_taken(gateway: Gateway, tmp_path: Path) -> None:
    answer = await gateway.http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"catalogue": "ok", "store": "ok", "temporal": "ok"}}
    gateway.dispatcher.error = TransientError("Temporal does not answer in time")
    await break_store(gateway, tmp_path)
    answer = await gateway.http.get("/readyz")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert checks["temporal"] == "Temporal does not answer in time"
    assert "does not answer" in checks["store"]
    assert (await gateway.http.get("/healthz")).status_code == 200


async def test_without_a_playbook_it_is_not_ready(tmp_path: Path, telemetry: Telemetry) -> None:
    async with running(tmp_path, telemetry, playbooks=()) as gateway:
        answer = await gateway.http.get("/readyz")
    assert answer.status_code == 503
    assert "no playbook is loaded" in answer.json()["checks"]["catalogue"]


async def test_metrics_count_alerts_and_requests(gateway: Gateway) -> None:
    await gateway.post(webhook(firing(), firing(alertname="NodeDown")))
    answer = await gateway.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'halon_gateway_alerts_total{result="matched",source="lab",status="firing"}' in answer.text
    assert 'http_target="/v1/alerts/{source}"' in answer.text or 'http_route="/v1/alerts/{source}"' in answer.text


async def test_metrics_count_refusals_by_status_whatever_stands_in_the_path(gateway: Gateway) -> None:
    await gateway.post(GOOD.encode(), "alertmanager")
    for name in ("nobody", "no-one"):
        await gateway.post(GOOD.encode(), name)
    shown = (await gateway.http.get("/metrics")).text
    assert 'halon_gateway_refusals_total{source="alertmanager",status="401"}' in shown
    assert 'halon_gateway_refusals_total{source="unknown",status="404"}' in shown
    assert "no-one" not in shown


async def test_what_is_going_on_is_shown_while_temporal_can_say_it(gateway: Gateway) -> None:
    shown = (await gateway.http.get("/metrics")).text
    assert "halon_incidents_open 3.0" in shown
    assert "halon_approvals_waiting 2.0" in shown
    gateway.dispatcher.error = TransientError("down")
    assert "halon_approvals_waiting" not in (await gateway.http.get("/metrics")).text


async def test_senders_cannot_make_new_series(gateway: Gateway) -> None:
    async def series() -> set[str]:
        shown = (await gateway.http.get("/metrics")).text.splitlines()
        return {line.rpartition(" ")[0] for line in shown if "http_" in line}

    await gateway.post(GOOD.encode())
    await gateway.http.request("BREW", "/elsewhere")
    before = await series()
    assert before
    for n in range(5):
        answer = await gateway.post(GOOD.encode(), host=f"host{n}.example.com", user_agent=f"agent-{n}")
        assert answer.status_code == 202
        await gateway.http.request(f"BREW{n}", f"/elsewhere/{n}?x={n}")
    assert await series() == before


async def test_openapi_says_what_really_comes(gateway: Gateway) -> None:
    schema = (await gateway.http.get("/openapi.json")).json()
    assert sorted(schema["paths"]) == ["/healthz", "/metrics", "/readyz", "/v1/alerts/{source}"]
    operation = schema["paths"]["/v1/alerts/{source}"]["post"]
    assert operation["requestBody"]["required"]

    def described(answer: httpx.Response, responses: dict[str, Any]) -> bool:
        content = responses[str(answer.status_code)]["content"]
        return answer.headers["content-type"].partition(";")[0] in content

    answers = [
        await gateway.post(GOOD.encode()),
        await gateway.post(b"{"),
        await gateway.post(GOOD.encode(), "alertmanager"),
        await gateway.post(GOOD.encode(), "nobody"),
        await gateway.post(b" " * 200_000),
        await gateway.post(GOOD.encode(), content_type="text/plain"),
        await gateway.post({}),
    ]
    other = webhook(firing() | {"fingerprint": "other"})
    gateway.dispatcher.error = TransientError("down")
    answers.append(await gateway.post(other))
    gateway.dispatcher.error = PermanentError("never")
    answers.append(await gateway.post(other))
    gateway.dispatcher.error = None
    assert [answer.status_code for answer in answers] == [202, 400, 401, 404, 413, 415, 422, 503, 500]
    assert all(described(answer, operation["responses"]) for answer in answers)
    late = (await raw(gateway, HALF_A_BODY)).partition(b"\r\n\r\n")
    assert b"application/problem+json" in late[0]
    seen = {str(answer.status_code) for answer in answers} | {str(json.loads(late[2])["status"])}
    assert seen == set(operation["responses"])
    assert "retry-after" in answers[-2].headers
    assert "Retry-After" in operation["responses"]["503"]["headers"]
    problem = schema["components"]["schemas"]["Problem"]["properties"]
    assert all(set(answer.json()) == set(problem) for answer in answers[1:])
    receipt = schema["components"]["schemas"]["Receipt"]["properties"]
    assert set(answers[0].json()) == set(receipt)
    assert "HTTPValidationError" not in json.dumps(schema)


async def test_a_hundred_bombs_leave_it_alive_and_small(gateway: Gateway) -> None:
    bombs = [b"[" * 99_000, b"[[]," * 24_000, b'{"a":' * 19_000, b'{"alerts":[' + b"{}," * 30_000, b'"' + b"x" * 99_000]
    await gateway.post(bombs[1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers = [await gateway.post(bomb) for bomb in bombs * 20]
    assert {answer.status_code for answer in answers} <= {400, 422}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    assert (await gateway.post(GOOD.encode())).status_code == 202


async def test_the_span_of_the_webhook_continues_the_senders_trace(gateway: Gateway) -> None:
    seen: list[int] = []

    async def dispatch(group: object) -> None:
        del group
        seen.append(trace.get_current_span().get_span_context().trace_id)

    gateway.dispatcher.dispatch = dispatch  # type: ignore[method-assign]  # the double is ours
    sent = "0af7651916cd43dd8448eb211c80319c"
    head = (
        "POST /v1/alerts/lab HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
        f"traceparent: 00-{sent}-b7ad6b7169203331-01\r\ncontent-length: {len(GOOD)}\r\n\r\n{GOOD}"
    )
    assert (await raw(gateway, head.encode())).startswith(b"HTTP/1.1 202")
    assert seen == [int(sent, 16)]
