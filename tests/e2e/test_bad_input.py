"""Whatever is sent to a gateway: a clear error, nothing started in Temporal, the process alive and small."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from engine import TOKEN, Engine, crash_looping, until

from halon.settings.loading import load_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "planted-secret-of-the-signer"  # planted
BEARER = {"authorization": f"Bearer {TOKEN}"}
JSON = {"content-type": "application/json"}
MAX_GROWTH = 60_000
"""kB of memory that the process may grow by, whatever it is sent."""
PLAYBOOK = """
apiVersion: halon/v1
kind: Playbook
metadata: {name: watch, title: Wait until it is over, owner: tests}
trigger: {alerts: [KubePodCrashLooping], group_by: [namespace, container]}
steps:
  - wait: {until: resolved, within: 4m}
"""
SOURCES = {
    "signed": {
        "type": "alertmanager",
        "auth": {"hmac": {"secret": {"file": "signing-secret"}, "timestamp_header": "X-Timestamp"}},
    },
    "checks": {
        "type": "generic",
        "auth": {"bearer": {"env": "CRASH_TOKEN"}},
        "map": {"name": "${{ body.check }}", "starts_at": "${{ body.since }}", "labels": "${{ body.labels }}"},
    },
}


@dataclass(frozen=True)
class Bad:
    """One request that must be refused, and how."""

    what: str
    body: bytes
    status: int
    finding: str
    source: str = "alertmanager"
    headers: dict[str, str] = field(default_factory=lambda: BEARER)


def webhook(*alerts: Any, **changes: Any) -> bytes:
    """Alertmanager's body."""
    return json.dumps({"version": "4", "status": "firing", "alerts": list(alerts), **changes}).encode()


def alert(**changes: Any) -> dict[str, Any]:
    """A good alert with something changed."""
    return crash_looping("shop", "cart-1", "cart") | changes


def labelled(**labels: Any) -> dict[str, Any]:
    """A good alert with labels changed."""
    given = alert()
    return given | {"labels": given["labels"] | labels}


def signature(body: bytes, at: float, secret: str = SECRET) -> dict[str, str]:
    """What the source `signed` asks for."""
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"x-timestamp": stamp, "x-signature-256": digest}


GOOD = webhook(alert())
SHAPES = [
    Bad("a list", b"[]", 422, "not Alertmanager's webhook, version 4"),
    Bad("nothing in it", b"{}", 422, "version 4"),
    Bad("null", b"null", 422, "version 4"),
    Bad("an old version", webhook(alert(), version="3"), 422, "version"),
    Bad("alerts that are no list", webhook(alerts={}), 422, "alerts"),
    Bad("numbers for alerts", webhook(1, 2), 422, "alerts[0]"),
    Bad("an alert without a name", webhook(labelled(alertname="")), 422, "labels.alertname: the alert has no name"),
    Bad("a label that is a number", webhook(labelled(pod=7)), 422, "labels.pod"),
    Bad("a status of its own", webhook(alert(status="maybe")), 422, "alerts[0].status"),
    Bad("a time that is none", webhook(alert(startsAt="yesterday")), 422, "alerts[0].startsAt"),
    Bad("a time without zone", webhook(alert(startsAt="2026-01-02T03:04:05")), 422, "alerts[0].startsAt"),
    Bad("a million characters", webhook(labelled(pod="x" * 1_000_000)), 422, "labels.pod: 1000000 characters"),
    Bad("too many labels", webhook(labelled(**{f"l{n}": "x" for n in range(100)})), 422, "at most 64"),
    Bad("too many alerts", webhook(*[{}] * 2001), 422, "at most 2000"),
    Bad("another tool's body", b'{"check": 7}', 422, "`map.labels`: body has no `labels`", "checks"),
]
ENCODINGS = [
    Bad("nothing", b"", 400, "not JSON"),
    Bad("half a document", b'{"version": "4", "alerts": [', 400, "line 1"),
    Bad("no UTF-8", b'{"version": "\xff\xfe"}', 400, "not UTF-8"),
    Bad("NaN", GOOD.replace(b'"4"', b"NaN"), 400, "NaN is not a number in JSON"),
    Bad("infinity", GOOD.replace(b'"4"', b"1e999"), 400, "too large"),
    Bad("a number of a million digits", b"9" * 1_000_000, 400, "not JSON that can be read safely"),
    Bad("a key twice", b'{"version": "4", "version": "4", "alerts": []}', 400, "'version' stands twice"),
    Bad("half a surrogate", webhook(labelled(pod="\ud800")), 400, "half a surrogate"),
    Bad("brackets without end", b"[" * 1_000_000, 400, "nested too deep"),
    Bad("objects without end", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "nested too deep"),
    Bad("nested a little too deep", b"[" * 60 + b"]" * 60, 400, "deeper than 40"),
    Bad("too much", b" " * 3_000_000, 413, "larger than 1048576 bytes"),
    Bad("a compressed body", GOOD, 415, "without compression", headers=BEARER | {"content-encoding": "gzip"}),
    Bad("no JSON at all", GOOD, 415, "application/json", headers=BEARER | {"content-type": "text/xml"}),
]


def senders() -> list[Bad]:
    """Those who are not who they should be. Made late: signatures carry the time."""
    now = time.time()
    right = signature(GOOD, now)
    who = "not who this source expects"
    return [
        Bad("no token", GOOD, 401, who, headers={}),
        Bad("another token", GOOD, 401, who, headers={"authorization": "Bearer guessed"}),
        Bad("the token another way", GOOD, 401, who, headers={"authorization": f"Basic {TOKEN}"}),
        Bad("a token for a signature", GOOD, 401, who, "signed"),
        Bad("a wrong signature", GOOD, 401, who, "signed", right | {"x-signature-256": "0" * 64}),
        Bad("a signature with another secret", GOOD, 401, who, "signed", signature(GOOD, now, "guessed")),
        Bad("a signature of another body", GOOD + b" ", 401, who, "signed", right),
        Bad("a signature without its time", GOOD, 401, who, "signed", {"x-signature-256": right["x-signature-256"]}),
        Bad("a signature with another time", GOOD, 401, who, "signed", right | {"x-timestamp": str(int(now) + 1)}),
        Bad("a request of an hour ago, sent again", GOOD, 401, who, "signed", signature(GOOD, now - 3600)),
        Bad("a request of tomorrow", GOOD, 401, who, "signed", signature(GOOD, now + 86_400)),
        Bad("a source that is not there", GOOD, 404, "no such source", "nobody"),
        Bad("a path instead of a source", GOOD, 404, "/v1/alerts/{source}", "../../etc/passwd"),
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    root = tmp_path_factory.mktemp("engine")
    playbooks = root / "playbooks"
    playbooks.mkdir()
    (playbooks / "watch.yaml").write_text(PLAYBOOK)
    (root / "signing-secret").write_text(SECRET)
    one = Engine(root, root / "no-cluster-is-asked", playbooks)
    given = json.loads(one.config.read_text())
    given["gateway"]["sources"] |= SOURCES
    given["gateway"]["body_timeout"] = "1s"
    given["telemetry"] = {"log_format": "json"}
    one.config.write_text(json.dumps(given))
    one.settings = load_settings(one.config)
    try:
        await one.start("temporal")
        await one.start("gateway")
        await one.prepare()
        yield one
    finally:
        await one.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{engine.gateway_port}", timeout=20) as one:

        async def ready() -> bool:
            try:
                return (await one.get("/readyz")).is_success
            except httpx.TransportError:
                return False

        await until(ready, within=30)
        yield one


def memory(engine: Engine) -> int:
    """Give the most that the gateway ever held, in kB."""
    process = engine._processes["gateway"]
    assert process.returncode is None, "the gateway is gone"
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


async def problem_with(http: httpx.AsyncClient, bad: Bad) -> str:
    """Send it; say what is wrong with the answer, or nothing."""
    path = f"/v1/alerts/{bad.source}"
    answer = await http.post(path, content=bad.body, headers=JSON | bad.headers)
    told = answer.json()
    sentences = " ".join([told["detail"], *told["errors"]])
    good = (
        (answer.status_code, told["status"]) == (bad.status, bad.status)
        and answer.headers["content-type"] == "application/problem+json"
        and bad.finding in sentences
        and len(answer.content) < 8000
        and not any(word in sentences for word in ("Traceback", TOKEN, SECRET))
    )
    return "" if good else f"{bad.what}: {answer.status_code} {answer.text[:300]}"


async def trickle(port: int, start: bytes) -> bytes:
    """Send the beginning of a request, then a byte now and then, and give what comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(start)
    answer = asyncio.create_task(reader.readuntil(b"}"))
    while not answer.done():
        writer.write(b" ")
        await asyncio.wait([answer], timeout=0.2)
    writer.close()
    with contextlib.suppress(OSError):  # the gateway has closed what it did not want to read to its end
        await writer.wait_closed()
    return answer.result()


async def started(engine: Engine) -> list[str]:
    """Every workflow that Temporal has ever seen."""
    client = await engine.client()
    return [one.id async for one in client.list_workflows()]


async def test_every_bad_request_is_a_clear_problem_and_starts_nothing(engine: Engine, http: httpx.AsyncClient) -> None:
    at_first = memory(engine)
    problems = [await problem_with(http, bad) for bad in [*SHAPES, *ENCODINGS, *senders()]]
    assert [one for one in problems if one] == []
    flood = [bad for bad in [*SHAPES, *ENCODINGS] if len(bad.body) > 100_000]
    again = await asyncio.gather(*(problem_with(http, bad) for bad in flood * 4))
    assert [one for one in again if one] == []
    assert memory(engine) - at_first < MAX_GROWTH

    # What is good is taken, and is the only thing that ever reached Temporal.
    answer = await http.post("/v1/alerts/signed", content=GOOD, headers=JSON | signature(GOOD, time.time()))
    assert answer.status_code == 202, answer.text

    async def seen() -> list[str]:
        return await started(engine)

    assert await until(seen, within=10) == answer.json()["incidents"]
    log = (engine.root / "gateway.log").read_text()
    assert "Traceback" not in log
    assert TOKEN not in log
    assert SECRET not in log


async def test_senders_that_take_for_ever_hold_up_nobody(engine: Engine, http: httpx.AsyncClient) -> None:
    head = f"POST /v1/alerts/alertmanager HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
    body = f"{head}content-type: application/json\r\ncontent-length: 5000\r\n\r\n{{".encode()
    slow = [asyncio.create_task(trickle(engine.gateway_port, body)) for _ in range(20)]
    silent = [await asyncio.open_connection("127.0.0.1", engine.gateway_port) for _ in range(200)]
    began = time.monotonic()
    answer = await http.post("/v1/alerts/alertmanager", content=GOOD, headers=JSON | BEARER)
    assert answer.status_code == 202
    assert time.monotonic() - began < 1
    answers = await asyncio.gather(*slow)
    assert {one.partition(b"\r\n")[0] for one in answers} == {b"HTTP/1.1 408 Request Timeout"}
    assert all(b"application/problem+json" in one for one in answers)
    for _, writer in silent:
        writer.close()
        await writer.wait_closed()
    assert memory(engine) < 400_000


async def test_a_map_with_a_hostile_expression_is_refused_when_the_gateway_starts(tmp_path: Path) -> None:
    fields = {"name": "${{ body.map(key, body.map(other, key + other)) }}", "starts_at": "${{ body.since }}"}
    source = {"type": "generic", "auth": {"none": True}, "map": fields}
    config = tmp_path / "halon.yaml"
    config.write_text(json.dumps({"playbooks": [], "gateway": {"port": 0, "sources": {"one": source}}}))
    command = [sys.executable, "-m", "halon.cli", "--config", str(config), "gateway"]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, cwd=tmp_path)
    _, told = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode not in {0, None}
    assert told.splitlines()[-1].startswith(b"error: `gateway.sources.one.map.name`"), told
    assert b"Traceback" not in told
