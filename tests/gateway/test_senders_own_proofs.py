"""Senders prove themselves as they really do; a way that a sender does not have stops the start of the gateway."""

import base64
import hmac
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_doubles import NOW, TOKEN, Gateway, playbook, running

from halon.errors import Misconfigured
from halon.telemetry import Telemetry

BODIES = Path(__file__).parent / "sources"
SETTINGS = """
data_dir: data
gateway:
  port: 0
  sources:
    grafana: {type: grafana, auth: {signature: {file: token}}}
    pagerduty: {type: pagerduty, auth: {signature: {file: token}}}
    basic: {type: grafana, auth: {basic: {username: halon, password: {file: token}}}}
    sentry: {type: sentry, auth: {signature: {file: token}}}
    events: {type: cloudevents, auth: {bearer: {file: token}}}
    aws: {type: eventbridge, auth: {header: {name: X-Api-Key, value: {file: token}}}}
    aws-basic: {type: eventbridge, auth: {basic: {username: halon, password: {file: token}}}}
    key: {type: pagerduty, auth: {header: {value: {file: token}}}}
"""
EVERYTHING = (playbook(alerts=["*"], group_by=[]),)


def body(kind: str, case: str = "firing") -> bytes:
    return (BODIES / kind / f"{case}.json").read_bytes()


def signed(content: bytes, secret: str = TOKEN) -> str:
    return hmac.digest(secret.encode(), content, "sha256").hex()


def basic(user: str = "halon", password: str = TOKEN) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


GRAFANA, PAGERDUTY, SENTRY = body("grafana"), body("pagerduty"), body("sentry")
STAMP = str(int(NOW.timestamp()))
LATE = str(int(NOW.timestamp()) - 301)
STAMP_HEADER = "x_grafana_alerting_signature_timestamp"


def stamped(stamp: str, over: str | None = None) -> dict[str, str]:
    content = f"{stamp if over is None else over}:".encode() + GRAFANA
    return {"x_grafana_alerting_signature": signed(content), STAMP_HEADER: stamp}


@pytest.fixture
async def guarded(tmp_path: Path, telemetry: Telemetry) -> AsyncIterator[Gateway]:
    async with running(tmp_path, telemetry, SETTINGS, playbooks=EVERYTHING) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("source", "content", "headers"),
    [
        ("grafana", GRAFANA, {"x_grafana_alerting_signature": signed(GRAFANA)}),
        ("grafana", GRAFANA, stamped(STAMP)),
        ("pagerduty", PAGERDUTY, {"x_pagerduty_signature": f"v1={signed(PAGERDUTY)}"}),
        ("pagerduty", PAGERDUTY, {"x_pagerduty_signature": f"v1={'0' * 64}, v1={signed(PAGERDUTY)}"}),
        ("pagerduty", PAGERDUTY, {"x_pagerduty_signature": f"v2=00,v1={signed(PAGERDUTY)}"}),
        ("sentry", SENTRY, {"sentry_hook_signature": signed(SENTRY), "sentry_hook_resource": "metric_alert"}),
        ("basic", GRAFANA, basic()),
        ("key", PAGERDUTY, {"x_api_key": TOKEN}),
        ("aws", body("eventbridge"), {"x_api_key": TOKEN, "content_type": "application/json; charset=utf-8"}),
        ("aws-basic", body("eventbridge"), basic()),
    ],
)
async def test_who_proves_itself_comes_in(
    guarded: Gateway, source: str, content: bytes, headers: dict[str, str]
) -> None:
    answer = await guarded.post(content, source, **headers)
    assert (answer.status_code, answer.json()["matched"]) == (202, 1)


@pytest.mark.parametrize(
    ("source", "content", "headers"),
    [
        ("grafana", GRAFANA, {}),
        ("grafana", GRAFANA, {"x_grafana_alerting_signature": signed(GRAFANA, "another secret")}),
        ("grafana", GRAFANA, {"x_grafana_alerting_signature": "not hexadecimal"}),
        ("grafana", GRAFANA + b" ", {"x_grafana_alerting_signature": signed(GRAFANA)}),
        ("grafana", GRAFANA, stamped(LATE)),
        ("grafana", GRAFANA, stamped(STAMP, over=LATE)),
        ("grafana", GRAFANA, stamped("soon")),
        ("grafana", GRAFANA, {"x_grafana_alerting_signature": stamped(STAMP)["x_grafana_alerting_signature"]}),
        ("grafana", GRAFANA, basic()),
        ("pagerduty", PAGERDUTY, {"x_pagerduty_signature": signed(PAGERDUTY)}),
        ("pagerduty", PAGERDUTY, {"x_pagerduty_signature": f"v1={'0' * 64}," * 10 + f"v1={signed(PAGERDUTY)}"}),
        ("pagerduty", PAGERDUTY + b" ", {"x_pagerduty_signature": f"v1={signed(PAGERDUTY)}"}),
        ("sentry", SENTRY, {"sentry_hook_signature": signed(PAGERDUTY)}),
        ("basic", GRAFANA, {}),
        ("basic", GRAFANA, basic(user="nobody")),
        ("basic", GRAFANA, basic(password="wrong")),
        ("basic", GRAFANA, {"authorization": "Basic !"}),
        ("basic", GRAFANA, {"authorization": f"Bearer {TOKEN}"}),
        ("key", PAGERDUTY, {}),
        ("key", PAGERDUTY, {"x_api_key": TOKEN[:-1]}),
        ("aws", body("eventbridge"), {}),
        ("aws-basic", body("eventbridge"), basic(password="wrong")),
    ],
)
async def test_who_does_not_is_refused(guarded: Gateway, source: str, content: bytes, headers: dict[str, str]) -> None:
    answer = await guarded.post(content, source, **headers)
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers
    assert guarded.dispatcher.groups == []


@pytest.mark.parametrize(
    ("case", "content_type", "alerts"),
    [
        ("firing", "application/cloudevents+json; charset=utf-8", 1),
        ("batch", "application/cloudevents-batch+json", 2),
    ],
)
async def test_cloud_events_come_under_their_own_types(
    guarded: Gateway, case: str, content_type: str, alerts: int
) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "content_type": content_type}
    answer = await guarded.post(body("cloudevents", case), "events", **headers)
    assert (answer.status_code, answer.json()["matched"]) == (202, alerts)


async def test_a_sender_that_asks_first_is_told_that_it_may_send(guarded: Gateway) -> None:
    asked = {"webhook-request-origin": "eventgrid.azure.net"}
    answer = await guarded.http.options("/v1/alerts/events", headers=asked)
    assert (answer.status_code, answer.headers["webhook-allowed-origin"]) == (200, "*")
    for other in ("pagerduty", "nobody"):
        answer = await guarded.http.options(f"/v1/alerts/{other}", headers=asked)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_test_of_the_connection_is_taken_and_the_receipt_says_what_it_was(guarded: Gateway) -> None:
    content = body("pagerduty", "test")
    answer = await guarded.post(content, "pagerduty", x_pagerduty_signature=f"v1={signed(content)}")
    assert answer.status_code == 202
    assert (answer.json()["received"], answer.json()["remarks"]) == (0, ["PagerDuty tests the webhook"])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "{type: pagerduty, auth: {bearer: {file: token}}}",
            "`gateway.sources.one.auth.bearer`: PagerDuty cannot do that; it can signature, header",
        ),
        (
            "{type: alertmanager, auth: {signature: {file: token}}}",
            "`gateway.sources.one.auth.signature`: Alertmanager cannot do that; it can bearer, basic, header, hmac",
        ),
    ],
)
async def test_a_proof_that_the_sender_cannot_give_stops_the_start(
    tmp_path: Path, telemetry: Telemetry, source: str, reason: str
) -> None:
    with pytest.raises(Misconfigured, match=reason.replace("(", r"\(")):
        async with running(tmp_path, telemetry, f"gateway: {{port: 0, sources: {{one: {source}}}}}"):
            pass
