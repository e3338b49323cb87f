"""The codec server decrypts for those who may see payloads in clear, on pages of Temporal's UI, and for nobody else."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from gateway_doubles import NOW
from temporalio.api.common.v1 import Payload

from halon.clients.codec import ENCODING, KEY_ID, EncryptionCodec, Keyring, new_key, read_key
from halon.clients.oncall import directory_of
from halon.clients.tokens import hash_of, new_token
from halon.contracts.audit import AuditKind
from halon.contracts.people import Method, Principal
from halon.gateway.codec import MAX_BODY, Readers, add_codec, ui_origins
from halon.gateway.identity import Identity
from halon.gateway.serve import server
from halon.operations.denials import Guard
from halon.operations.rights import Rights
from halon.settings.loading import parse_settings
from halon.settings.model import TemporalSettings
from halon.store.store import Store, open_store

UI = "http://127.0.0.1:8233"
KEY = new_key()
CODEC = EncryptionCodec(Keyring("k1", {"k1": read_key(KEY, "x")}), "default")
CLEAR = Payload(metadata={"encoding": b"json/plain"}, data=b'"planted-clear"')
WIRE_CLEAR = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": base64.b64encode(CLEAR.data).decode()}


ANA, BEN = new_token(), new_token()
PEOPLE = f"""
people:
  ana: {{tokens: ["{hash_of(ANA)}"]}}
  ben: {{tokens: ["{hash_of(BEN)}"]}}
roles: {{seer: {{may: [decrypt], to: [ana]}}}}
"""


def signed_in(request: Request) -> Principal | None:
    """Stand in for the console's sessions, which have tests of their own."""
    person = request.cookies.get("session")
    return Principal(person=person, method=Method.OIDC) if person else None


@dataclass
class Served:
    http: httpx.AsyncClient
    store: Store


@asynccontextmanager
async def served(tmp_path: Path, more: str = "") -> AsyncIterator[Served]:
    settings = parse_settings(f"data_dir: data\n{more}", tmp_path / "halon.yaml")
    async with open_store(settings) as store:
        guard = Guard(Rights(lambda: directory_of(settings), settings.environment, lambda: NOW), store, lambda: NOW)
        app = FastAPI()
        add_codec(
            app, CODEC, ui_origins(settings.temporal), Readers(settings, Identity(settings, None), guard, signed_in)
        )
        uvicorn = server(app, settings.gateway.model_copy(update={"port": 0}))
        serving = asyncio.create_task(uvicorn.serve())
        while not uvicorn.started:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.01)
        port = uvicorn.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
            yield Served(http, store)
        uvicorn.should_exit = True
        await serving


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as one:
        yield one


@pytest.fixture
async def peopled(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, PEOPLE) as one:
        yield one


async def sealed() -> dict[str, Any]:
    (one,) = await CODEC.encode([CLEAR])
    metadata = {name: base64.b64encode(value).decode() for name, value in one.metadata.items()}
    return {"metadata": metadata, "data": base64.b64encode(one.data).decode()}


async def ask(gateway: Served, body: Any, operation: str = "decode", **headers: str) -> Any:
    return await gateway.http.post(f"/codec/{operation}", json=body, headers=headers)


async def test_what_was_encrypted_is_decrypted_and_the_other_way_round(local: Served) -> None:
    answer = await ask(local, {"payloads": [await sealed(), WIRE_CLEAR]})
    assert (answer.status_code, answer.json()) == (200, {"payloads": [WIRE_CLEAR, WIRE_CLEAR]})
    assert answer.headers["cache-control"] == "no-store"
    (encoded,) = (await ask(local, {"payloads": [WIRE_CLEAR]}, "encode")).json()["payloads"]
    assert base64.b64decode(encoded["metadata"]["encoding"]) == ENCODING
    assert (await ask(local, {"payloads": [encoded]})).json() == {"payloads": [WIRE_CLEAR]}


async def test_with_people_only_those_who_may_decrypt_see_anything(peopled: Served) -> None:
    body = {"payloads": [await sealed()]}
    seen = {
        "": await ask(peopled, body),
        "nobody": await ask(peopled, body, Authorization="Bearer nobody"),
        "basic": await ask(peopled, body, Authorization=f"Basic {ANA}"),
        "ben": await ask(peopled, body, Authorization=f"Bearer {BEN}"),
        "ana": await ask(peopled, body, Authorization=f"Bearer {ANA}"),
    }
    assert {who: one.status_code for who, one in seen.items()} == {
        "": 401, "nobody": 401, "basic": 401, "ben": 403, "ana": 200,
    }  # fmt: skip
    assert all("planted" not in one.text for who, one in seen.items() if who != "ana")
    assert "ben has no right to `decrypt`" in seen["ben"].json()["detail"]
    records = await peopled.store.audit.records(f"access-{NOW:%Y-%m}")
    assert [(one.kind, one.actor) for one in records] == [(AuditKind.ACCESS_DENIED, "ben")]


async def test_who_has_signed_in_to_the_console_needs_no_token_and_the_same_right(peopled: Served) -> None:
    body = {"payloads": [await sealed()]}
    ana, ben = [await ask(peopled, body, Origin=UI, Cookie=f"session={who}") for who in ("ana", "ben")]
    assert (ana.status_code, ben.status_code) == (200, 403)
    stolen = await ask(peopled, body, Origin="https://evil.example.com", Cookie="session=ana")
    assert (stolen.status_code, "planted" in stolen.text) == (403, False)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_without_people_it_serves_this_machine_and_not_a_proxy_before_it(local: Served, header: str) -> None:
    answer = await ask(local, {"payloads": []}, **{header: "203.0.113.7"})
    assert (answer.status_code, "names nobody" in answer.text) == (403, True)


async def test_without_people_a_gateway_that_others_reach_decrypts_for_nobody(tmp_path: Path) -> None:
    async with served(tmp_path, "gateway: {host: 0.0.0.0}") as gateway:
        assert (await ask(gateway, {"payloads": [await sealed()]})).status_code == 403


async def test_a_page_of_the_ui_may_ask_and_no_other_page(local: Served) -> None:
    preflight = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-namespace",
    }
    asked = await local.http.options("/codec/decode", headers={"Origin": UI, **preflight})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, UI)
    assert asked.headers["access-control-allow-credentials"] == "true"
    answered = await ask(local, {"payloads": []}, Origin=UI)
    assert (answered.status_code, answered.headers["access-control-allow-origin"]) == (200, UI)
    for page in ("http://evil.example.com", "http://127.0.0.1:8234", "null"):
        refused = await local.http.options("/codec/decode", headers={"Origin": page, **preflight})
        assert (refused.status_code, refused.headers.get("access-control-allow-origin")) == (400, None)
        answer = await ask(local, {"payloads": [await sealed()]}, Origin=page)
        assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (403, None)
        assert "temporal.ui_url" in answer.json()["detail"]


async def test_a_page_cannot_send_without_asking_first(local: Served) -> None:
    body = json.dumps({"payloads": [await sealed()]})
    answer = await local.http.post("/codec/decode", content=body, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


async def test_another_namespace_is_refused(local: Served) -> None:
    assert (await ask(local, {"payloads": []}, **{"X-Namespace": "default"})).status_code == 200
    answer = await ask(local, {"payloads": []}, **{"X-Namespace": "other"})
    assert (answer.status_code, "for namespace default" in answer.text) == (403, True)


@pytest.mark.parametrize("body", [[], {"payloads": {}}, {"payloads": [{"data": "%%%"}]}, {"payloads": [{"data": 3}]}])
async def test_what_is_no_list_of_payloads_is_refused(local: Served, body: Any) -> None:
    answer = await ask(local, body)
    assert (answer.status_code, "payloads" in answer.json()["detail"]) == (400, True)


async def test_a_payload_whose_key_is_gone_is_told_by_its_keys_id(local: Served) -> None:
    one = await sealed()
    one["metadata"][KEY_ID] = base64.b64encode(b"k9").decode()
    answer = await ask(local, {"payloads": [one]})
    assert (answer.status_code, "key 'k9'" in answer.json()["detail"]) == (422, True)


async def test_a_body_without_end_is_refused(local: Served) -> None:
    answer = await local.http.post(
        "/codec/decode", content=b"[" * (MAX_BODY + 1), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("settings", "origins"),
    [
        ({}, ["http://127.0.0.1:8233", "http://localhost:8233"]),
        ({"address": "localhost:9000"}, ["http://127.0.0.1:10000", "http://localhost:10000"]),
        ({"address": "temporal.example.com:7233"}, []),
        ({"ui_url": "https://temporal.example.com/ui"}, ["https://temporal.example.com"]),
        ({"ui_url": "https://temporal.example.com:443"}, ["https://temporal.example.com"]),
        ({"ui_url": "http://localhost:5000"}, ["http://127.0.0.1:5000", "http://localhost:5000"]),
    ],
)
def test_the_ui_is_where_the_settings_say_or_where_halon_up_serves_it(settings: Any, origins: list[str]) -> None:
    assert list(ui_origins(TemporalSettings(**settings))) == origins
