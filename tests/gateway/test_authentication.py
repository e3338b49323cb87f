"""Who may send alerts: on by default, the same answer whatever is wrong, and no replays where there is a timestamp."""

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest
from gateway_doubles import NOW, TOKEN, Gateway, firing, running, webhook

from halon.errors import Misconfigured
from halon.telemetry import Telemetry

BODY = json.dumps(webhook(firing())).encode()
DIGEST = hmac.digest(TOKEN.encode(), BODY, "sha256").hex()


def timed(stamp: float | str, body: bytes = BODY) -> dict[str, str]:
    signature = hmac.digest(TOKEN.encode(), f"v0:{stamp}:".encode() + body, "sha256")
    return {"x_signature": base64.b64encode(signature).decode(), "x_timestamp": str(stamp)}


STAMP = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("source", "headers"),
    [
        ("alertmanager", {"authorization": f"Bearer {TOKEN}"}),
        ("alertmanager", {"authorization": f"bearer  {TOKEN}"}),
        ("signed", {"x_hub_signature_256": f"sha256={DIGEST}"}),
        ("signed", {"x_hub_signature_256": f"sha256={DIGEST.upper()}"}),
        ("timed", timed(STAMP)),
        ("timed", timed(STAMP - 60)),
        ("timed", timed(STAMP + 60)),
        ("lab", {}),
    ],
)
async def test_who_proves_who_it_is_comes_in(gateway: Gateway, source: str, headers: dict[str, str]) -> None:
    assert (await gateway.post(BODY, source, **headers)).status_code == 202
    assert len(gateway.dispatcher.groups) == 1


@pytest.mark.parametrize(
    ("source", "headers"),
    [
        ("alertmanager", {}),
        ("alertmanager", {"authorization": ""}),
        ("alertmanager", {"authorization": "Bearer"}),
        ("alertmanager", {"authorization": TOKEN}),
        ("alertmanager", {"authorization": f"Basic {TOKEN}"}),
        ("alertmanager", {"authorization": f"Bearer {TOKEN[:-1]}"}),
        ("alertmanager", {"authorization": f"Bearer {TOKEN}x"}),
        ("alertmanager", {"authorization": f"Bearer {TOKEN.upper()}"}),
        ("alertmanager", {"x_hub_signature_256": f"sha256={DIGEST}"}),
        ("signed", {}),
        ("signed", {"authorization": f"Bearer {TOKEN}"}),
        ("signed", {"x_hub_signature_256": DIGEST}),
        ("signed", {"x_hub_signature_256": "sha256="}),
        ("signed", {"x_hub_signature_256": "sha256=no-hexadecimal"}),
        ("signed", {"x_hub_signature_256": f"sha256={DIGEST[:-2]}"}),
        ("signed", {"x_hub_signature_256": f"sha256={'0' * 64}"}),
        ("signed", {"x_hub_signature_256": f"sha1={hashlib.sha1(BODY).hexdigest()}"}),  # noqa: S324  # the point
        ("timed", {}),
        ("timed", timed(STAMP - 61)),
        ("timed", timed(STAMP + 61)),
        ("timed", timed(STAMP) | {"x_timestamp": str(STAMP + 1)}),
        ("timed", {"x_signature": timed(STAMP)["x_signature"]}),
        ("timed", timed("")),
        ("timed", timed("-1")),
        ("timed", timed("1e9")),
        ("timed", timed("9" * 5000)),
        ("timed", timed(STAMP, b"another body")),
    ],
)
async def test_who_does_not_is_refused_with_the_same_answer(
    gateway: Gateway, source: str, headers: dict[str, str]
) -> None:
    answer = await gateway.post(BODY, source, **headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "www-authenticate" in answer.headers
    assert answer.json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "the sender is not who this source expects: check the credentials on both sides",
        "errors": [],
    }
    assert gateway.dispatcher.groups == []


async def test_two_tokens_in_one_request_are_none(gateway: Gateway) -> None:
    headers = [
        ("authorization", f"Bearer {TOKEN}"),
        ("authorization", "Bearer x"),
        ("content-type", "application/json"),
    ]
    assert (await gateway.http.post("/v1/alerts/alertmanager", content=BODY, headers=headers)).status_code == 401


async def test_a_token_in_other_letters_is_only_wrong(gateway: Gateway) -> None:
    headers = [(b"authorization", b"Bearer \xff\xfe\xe9"), (b"content-type", b"application/json")]
    assert (await gateway.http.post("/v1/alerts/alertmanager", content=BODY, headers=headers)).status_code == 401


async def test_who_is_refused_learns_nothing_about_the_body(gateway: Gateway) -> None:
    assert (await gateway.post(b"not json", "signed", x_hub_signature_256="sha256=00")).status_code == 401
    assert (await gateway.post(b"not json", "alertmanager")).status_code == 401


async def test_the_same_request_signed_long_ago_is_a_replay(tmp_path: Path, telemetry: Telemetry) -> None:
    moments = [NOW]
    async with running(tmp_path, telemetry, clock=lambda: moments[-1]) as gateway:
        assert (await gateway.post(BODY, "timed", **timed(STAMP))).status_code == 202
        moments.append(NOW.replace(minute=NOW.minute + 2))
        assert (await gateway.post(BODY, "timed", **timed(STAMP))).status_code == 401


async def test_a_secret_that_is_missing_stops_the_start(tmp_path: Path, telemetry: Telemetry) -> None:
    settings = "gateway: {port: 0, sources: {a: {type: alertmanager, auth: {bearer: {env: HALON_TEST_NOT_SET}}}}}"
    with pytest.raises(Misconfigured, match=r"gateway\.sources\.a\.auth\.bearer.*HALON_TEST_NOT_SET, which is not set"):
        async with running(tmp_path, telemetry, settings):
            pass
