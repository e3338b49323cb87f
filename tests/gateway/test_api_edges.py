"""The edges of the API: who is let in, what may be sent, and what is said when Temporal is not there."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_doubles import NOW, RememberingDispatcher
from temporalio.client import Client

from halon.clients.calendars import Freezes
from halon.clients.embedded import free_port
from halon.clients.ledger import LedgerClient
from halon.clients.roster import Roster
from halon.clients.seals import sealer
from halon.clients.temporal import TemporalConfig, connect_later
from halon.clients.tokens import hash_of, new_token
from halon.contracts.incident import IncidentRow
from halon.gateway.api.app import install
from halon.gateway.api.edge import MAX_BODY
from halon.gateway.api.parts import Parts
from halon.gateway.app import create_app
from halon.gateway.identity import Identity
from halon.gateway.serve import server
from halon.operations.denials import Guard
from halon.operations.rights import Rights
from halon.operations.runs import Repertoire
from halon.settings.loading import parse_settings
from halon.store.engine import open_database
from halon.store.store import Store
from halon.telemetry import Telemetry

ANA, EVE = new_token(), new_token()
SETTINGS = f"""
data_dir: data
gateway: {{port: 0}}
people:
  ana: {{tokens: ["{hash_of(ANA)}"]}}
  eve: {{tokens: ["{hash_of(EVE)}"]}}
roles: {{chief: {{may: [administer], to: [ana]}}}}
"""
JSON = {"content-type": "application/json"}
INCIDENT = "crash-0a1b2c3d4e-5b0c99e1"


class Nowhere:
    """A gateway whose Temporal is not there."""

    def __init__(self, port: int, store: Store) -> None:
        self.port = port
        self.store = store

    def client(self, token: str | None = ANA) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}/v1", headers=headers, timeout=30)


@pytest.fixture
async def nowhere(tmp_path: Path, telemetry: Telemetry) -> AsyncIterator[Nowhere]:
    settings = parse_settings(SETTINGS, tmp_path / "halon.yaml")
    client: Client = await connect_later(TemporalConfig(f"127.0.0.1:{free_port()}", "default"))
    store = Store(await open_database(settings.store_url))
    parts = Parts(
        settings=settings,
        identity=Identity(settings, None),
        guard=Guard(Rights(Roster(settings), settings.environment, lambda: NOW), store, lambda: NOW),
        store=store,
        client=client,
        ledger=LedgerClient(client, "halon"),
        repertoire=Repertoire({}, {}),
        sealer=lambda: sealer(settings),
        freezes=lambda: Freezes(()),
        clock=lambda: NOW,
    )
    app = create_app(settings, {}, RememberingDispatcher(), store, telemetry, lambda: NOW)
    install(app, parts)
    uvicorn = server(app, settings.gateway)
    serving = asyncio.create_task(uvicorn.serve())
    while not uvicorn.started:  # noqa: ASYNC110  # uvicorn tells nobody
        await asyncio.sleep(0.01)
    yield Nowhere(uvicorn.servers[0].sockets[0].getsockname()[1], store)
    uvicorn.should_exit = True
    await serving
    await store.close()


async def test_nobody_is_heard_before_they_say_who_they_are(nowhere: Nowhere) -> None:
    async with nowhere.client(None) as http:
        # Even what is wrong otherwise, and what is not there, says nothing to strangers.
        for path in ("/me", "/incidents", f"/incidents/{INCIDENT}", "/guards"):
            assert (await http.get(path)).status_code == 401
        answer = await http.post("/runs", content=b"x" * (MAX_BODY + 1), headers=JSON)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="halon"')


async def test_nothing_that_is_said_is_kept_on_the_way(nowhere: Nowhere) -> None:
    async with nowhere.client() as http:
        for path in ("/me", f"/incidents/{INCIDENT}", "/incidents?limit=0"):
            answer = await http.get(path)
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b'{"reason": "%s"}' % (b"x" * MAX_BODY), JSON, 413),
        (b"reason=x", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b'{"reason": "x"}', {}, 415),
        (b'{"reason": "x"}', JSON | {"content-encoding": "gzip"}, 415),
        (b"{", JSON, 400),
        (b'{"reason": "x", "reason": "y"}', JSON, 400),
        (b"[" * 50_000, JSON, 400),
        (b'{"reason": "\xff"}', JSON, 400),
        (b"{}", JSON, 422),
        (b'{"reason": "  "}', JSON, 422),
        (b'{"reason": "x", "unknown": 1}', JSON, 422),
        (b"[]", JSON, 422),
        (b"null", JSON, 422),
    ],
    ids=lambda value: repr(value)[:24],
)
async def test_what_cannot_be_read_is_refused(
    nowhere: Nowhere, content: bytes, headers: dict[str, str], status: int
) -> None:
    async with nowhere.client() as http:
        answer = await http.post("/pauses", content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert "unknown: 1" not in answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"/incidents/{INCIDENT}/decisions", {"verdict": "approve", "plan": "0" * 64}),
        (f"/incidents/{INCIDENT}/cancel", {}),
        ("/pauses", {"reason": "x"}),
        ("/breakers/a/trip", {"reason": "x"}),
        ("/guards", None),
    ],
)
async def test_without_temporal_everybody_is_told_to_come_back(
    nowhere: Nowhere, path: str, body: dict[str, Any] | None
) -> None:
    await nowhere.store.incidents.upsert(row())
    async with nowhere.client() as http:
        answer = await (http.get(path) if body is None else http.post(path, json=body))
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert "Temporal" in answer.json()["detail"]


async def test_without_temporal_incidents_are_told_as_last_recorded(nowhere: Nowhere) -> None:
    await nowhere.store.incidents.upsert(row())
    async with nowhere.client() as http:
        listed = (await http.get("/incidents")).json()
        shown = (await http.get(f"/incidents/{INCIDENT}")).json()
    assert [one["id"] for one in listed["incidents"]] == [INCIDENT]
    assert "Temporal" in listed["stale"]
    assert (shown["incident"]["state"], shown["run"], "Temporal" in shown["stale"]) == ("open", None, True)


async def test_an_incident_is_found_by_its_whole_id_alone(nowhere: Nowhere) -> None:
    await nowhere.store.incidents.upsert(row().model_copy(update={"state": "closed", "outcome": "remediated"}))
    async with nowhere.client() as http:
        assert (await http.get(f"/incidents/{INCIDENT}")).status_code == 200
        for beginning in (INCIDENT[:-1], "crash", "%"):
            answer = await http.get(f"/incidents/{beginning}")
            assert answer.status_code in {404, 503}, answer.text
            assert INCIDENT not in answer.text


async def test_what_is_denied_is_counted_and_in_the_audit(nowhere: Nowhere) -> None:
    async with nowhere.client(EVE) as http:
        refused = await http.post("/pauses", json={"reason": "x", "target": "k8s/"})
    assert refused.status_code == 403
    (record,) = await nowhere.store.audit.records(f"access-{NOW:%Y-%m}")
    assert (record.actor, record.data["right"], record.data["authenticated"]) == ("eve", "pause", "token")
    assert record.message.startswith("Not allowed to pause targets under k8s/: eve has no right to `pause`")
    async with httpx.AsyncClient() as http:
        metrics = (await http.get(f"http://127.0.0.1:{nowhere.port}/metrics")).text
    assert 'halon_access_denied_total{method="token",right="pause"}' in metrics
    assert EVE not in json.dumps(record.model_dump(mode="json")) + metrics


@pytest.mark.parametrize("cursor", ["abc", "W10", "WzEsMl0", "e30", "\N{BLACK STAR}", "WyJ4IiwgInkiXQ"])
async def test_a_cursor_that_no_list_gave_is_refused(nowhere: Nowhere, cursor: str) -> None:
    async with nowhere.client() as http:
        answer = await http.get("/incidents", params={"cursor": cursor})
    assert (answer.status_code, "cursor" in answer.json()["detail"]) == (422, True)


async def test_pages_of_incidents_that_began_at_the_same_moment_leave_none_out(nowhere: Nowhere) -> None:
    wanted = [f"crash-0a1b2c3d4e-{number:08x}" for number in range(7)]
    for number, incident in enumerate(wanted):
        late = timedelta(seconds=number // 3)
        closed = {"id": incident, "state": "closed", "opened_at": NOW + late}
        await nowhere.store.incidents.upsert(row().model_copy(update=closed))
    found: list[str] = []
    async with nowhere.client() as http:
        params: dict[str, Any] = {"limit": 2, "state": "closed"}
        while True:
            page = (await http.get("/incidents", params=params)).json()
            found += [one["id"] for one in page["incidents"]]
            if page["next"] is None:
                break
            params["cursor"] = page["next"]
    assert found == wanted[::-1]


def row() -> IncidentRow:
    return IncidentRow(
        id=INCIDENT,
        group="crash-0a1b2c3d4e",
        playbook="crash",
        playbook_digest="d" * 64,
        workflow_id="crash-0a1b2c3d4e",
        run_id="run",
        state="open",
        opened_at=NOW,
        alert_count=1,
    )
