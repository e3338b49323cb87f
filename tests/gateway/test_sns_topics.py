"""Messages of Amazon SNS are let in when SNS signed them lately for a topic that is named, and for nothing else.

SNS is a server on loopback with keys and an authority made here. Only what lies outside Halon is replaced: where the
name of SNS's host leads, and which authorities the machine trusts.
"""

import base64
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import certifi
import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from gateway_doubles import NOW, Gateway, playbook, running

from halon.clients.aws.sns import MAX_FETCHES
from halon.documents.document import DocumentError
from halon.gateway.topics import SIGNED
from halon.settings.loading import parse_settings
from halon.telemetry import Telemetry

BODIES = Path(__file__).parent / "sources" / "sns"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
STRANGER = "arn:aws:sns:eu-west-1:999999999999:alarms"
HOST = "sns.eu-west-1.amazonaws.com"
REAL = Path(__file__).parent / "sns"
"""Messages that SNS itself signed in 2022, and its certificate of then, as AWS publishes them with its SDK for Ruby."""
REAL_HOST, REAL_AT = "sns.us-east-2.amazonaws.com", datetime(2022, 7, 28, 21, 25, tzinfo=UTC)
FILE = "/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"
SETTINGS = f"gateway: {{port: 0, sources: {{sns: {{type: sns, auth: {{topics: ['{TOPIC}']}}}}}}}}"
EVERYTHING = (playbook(alerts=["*"], group_by=[]),)


@cache
def authority() -> trustme.CA:
    return trustme.CA()


@cache
def certificate(*names: str, until: datetime | None = None) -> trustme.LeafCert:
    """One of a host: a key takes a while to make."""
    return authority().issue_cert(*names, key_type=trustme.KeyType.RSA, not_after=until)


@dataclass
class Aws:
    """SNS in one region, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    asked: list[str] = field(default_factory=list[str])
    status: int = 200
    signer: RSAPrivateKey | None = None

    def certify(self, *names: str, file: str = FILE, until: datetime | None = None) -> None:
        """Have SNS sign with a new key from now on."""
        leaf = certificate(*names, until=until)
        self.files[file] = leaf.cert_chain_pems[0].bytes()
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        assert isinstance(key, RSAPrivateKey)
        self.signer = key

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        if self.status != 200:
            return web.Response(status=self.status, headers={"location": "https://example.com/"})
        if request.path == "/" and request.query.get("Action") == "ConfirmSubscription":
            return web.Response(text="<ConfirmSubscriptionResponse/>", content_type="text/xml")
        found = self.files.get(request.path)
        return web.Response(body=found, status=200 if found else 404)

    def sign(self, body: dict[str, Any], version: str = "2") -> dict[str, Any]:
        """Give the message as SNS signs it."""
        assert self.signer
        content = "".join(f"{name}\n{body[name]}\n" for name in SIGNED[body["Type"]] if body.get(name) is not None)
        hashed = SHA1() if version == "1" else SHA256()  # noqa: S303  # SNS's version 1
        signature = base64.b64encode(self.signer.sign(content.encode(), PKCS1v15(), hashed)).decode()
        return body | {"SignatureVersion": version, "Signature": signature}


def message(case: str = "firing", **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = json.loads((BODIES / f"{case}.json").read_text())
    return given | {"SigningCertURL": f"https://{HOST}{FILE}", "Timestamp": "2026-01-02T03:04:00.123Z"} | changes


@pytest.fixture
async def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Aws]:
    one = Aws()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate(HOST, REAL_HOST).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # pyOpenSSL is not installed
    trusted = tmp_path / "authorities.pem"
    authority().cert_pem.write_to_path(str(trusted))
    monkeypatch.setattr(certifi, "where", lambda: str(trusted))
    app = web.Application()
    app.router.add_get("/{path:.*}", one.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    connect: Any = anyio.connect_tcp

    async def led(remote_host: str, remote_port: int, **more: Any) -> Any:
        if remote_host in {HOST, REAL_HOST}:
            assert remote_port == 443
            return await connect("127.0.0.1", port, **more)
        assert remote_host == "127.0.0.1"
        return await connect(remote_host, remote_port, **more)

    monkeypatch.setattr(anyio, "connect_tcp", led)
    one.certify("sns.amazonaws.com")
    yield one
    await runner.cleanup()


@pytest.fixture
async def gateway(tmp_path: Path, telemetry: Telemetry, aws: Aws) -> AsyncIterator[Gateway]:
    del aws
    async with running(tmp_path, telemetry, SETTINGS, playbooks=EVERYTHING) as one:
        yield one


async def sent(gateway: Gateway, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
    given = {"content_type": "text/plain; charset=UTF-8", "x_amz_sns_topic_arn": body["TopicArn"]} | headers
    answer = await gateway.post(body, "sns", **given)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("case", ["firing", "resolved", "event"])
async def test_what_sns_signed_comes_in(gateway: Gateway, aws: Aws, version: str, case: str) -> None:
    status, receipt = await sent(gateway, aws.sign(message(case), version))
    assert (status, receipt["matched"]) == (202, 1)


@pytest.mark.parametrize("version", ["version-1", "version-2"])
async def test_what_sns_itself_signed_once_came_in_then(
    tmp_path: Path, telemetry: Telemetry, aws: Aws, version: str
) -> None:
    body = json.loads((REAL / f"{version}.json").read_text())
    aws.files[body["SigningCertURL"].removeprefix(f"https://{REAL_HOST}")] = (REAL / "certificate.pem").read_bytes()
    settings = SETTINGS.replace(TOPIC, body["TopicArn"])
    async with running(tmp_path, telemetry, settings, clock=lambda: REAL_AT, playbooks=EVERYTHING) as gateway:
        status, receipt = await sent(gateway, body)
        assert (status, receipt["alerts"][0]["name"]) == (202, "Hello world")
        assert (await sent(gateway, body | {"Message": "Hello, world"}))[0] == 401


async def test_a_certificate_is_fetched_once(gateway: Gateway, aws: Aws) -> None:
    for _ in range(3):
        assert (await sent(gateway, aws.sign(message())))[0] == 202
    assert aws.asked == [FILE]


@pytest.mark.parametrize(
    "changes",
    [
        {"Message": "something else"},
        {"Subject": "another subject"},
        {"MessageId": "another"},
        {"Timestamp": "2026-01-02T03:00:32.123Z"},
        {"SignatureVersion": "1"},
        {"Signature": "AAAA"},
        {"Signature": "not base64"},
        {"SignatureVersion": "3"},
    ],
)
async def test_what_was_changed_is_refused(gateway: Gateway, aws: Aws, changes: dict[str, Any]) -> None:
    status, problem = await sent(gateway, aws.sign(message()) | changes)
    assert status == 401
    assert problem["detail"]
    assert gateway.dispatcher.groups == []


async def test_a_subject_that_is_taken_away_is_missed(gateway: Gateway, aws: Aws) -> None:
    signed = aws.sign(message())
    del signed["Subject"]
    assert (await sent(gateway, signed))[0] == 401
    assert (await sent(gateway, aws.sign(message(Subject=None))))[0] == 202


async def test_another_topic_is_refused_although_sns_signed_it(gateway: Gateway, aws: Aws) -> None:
    signed = aws.sign(message(TopicArn=STRANGER))
    status, problem = await sent(gateway, signed)
    assert (status, problem["detail"]) == (401, f"{STRANGER} is not one of this source's `topics`")
    assert aws.asked == []


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}{FILE}",
        f"https://sns.us-east-1.amazonaws.com{FILE}",
        f"https://{HOST}.example.com{FILE}",
        f"https://{HOST}@example.com{FILE}",
        f"https://{HOST}:8443{FILE}",
        f"https://sns-eu-west-1.amazonaws.com{FILE}",
        f"https://snsxeu-west-1.amazonaws.com{FILE}",
        f"https://{HOST}/../{FILE}",
        f"https://{HOST}{FILE}?x",
        f"https://{HOST}{FILE}\n",
        f"https://{HOST}/bucket/cert.pem",
    ],
)
async def test_a_certificate_from_elsewhere_is_not_even_fetched(gateway: Gateway, aws: Aws, url: str) -> None:
    status, problem = await sent(gateway, aws.sign(message(SigningCertURL=url)))
    assert (status, aws.asked) == (401, [])
    assert HOST in problem["detail"]


@pytest.mark.parametrize(
    ("names", "until", "status"),
    [
        (("sns.amazonaws.com",), None, 202),
        (("sns-signing.eu-west-1.amazonaws.com", HOST), None, 202),
        (("example.com",), None, 401),
        (("sns.us-east-1.amazonaws.com",), None, 401),
        (("sns.amazonaws.com",), NOW - timedelta(days=1), 401),
    ],
)
async def test_the_certificate_is_one_of_sns_and_in_force(
    gateway: Gateway, aws: Aws, names: tuple[str, ...], until: datetime | None, status: int
) -> None:
    aws.certify(*names, until=until)
    assert (await sent(gateway, aws.sign(message())))[0] == status


async def test_a_key_of_somebody_else_is_refused(gateway: Gateway, aws: Aws) -> None:
    aws.certify(HOST, file="/SimpleNotificationService-other.pem")
    assert (await sent(gateway, aws.sign(message())))[0] == 401


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (timedelta(hours=1), 202),
        (timedelta(minutes=70), 401),
        (timedelta(minutes=-4), 202),
        (timedelta(minutes=-6), 401),
    ],
)
async def test_a_message_grows_old(gateway: Gateway, aws: Aws, age: timedelta, status: int) -> None:
    when = (NOW - age).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert (await sent(gateway, aws.sign(message(Timestamp=when))))[0] == status


async def test_while_sns_does_not_answer_the_message_is_to_come_again(gateway: Gateway, aws: Aws) -> None:
    aws.status = 503
    answer = await gateway.post(aws.sign(message()), "sns", content_type="text/plain")
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    aws.status = 200
    assert (await sent(gateway, aws.sign(message())))[0] == 202


async def test_a_redirect_is_not_followed_and_what_is_not_there_is_not_asked_for_again(
    gateway: Gateway, aws: Aws
) -> None:
    aws.status = 302
    assert (await sent(gateway, aws.sign(message())))[0] == 401
    assert (await sent(gateway, aws.sign(message())))[0] == 401
    assert aws.asked == [FILE]


async def test_a_stranger_cannot_have_certificates_fetched_without_end(gateway: Gateway, aws: Aws) -> None:
    for number in range(MAX_FETCHES):
        url = f"https://{HOST}/SimpleNotificationService-{number}.pem"
        assert (await sent(gateway, aws.sign(message(SigningCertURL=url))))[0] == 401
    assert (await sent(gateway, aws.sign(message())))[0] == 503
    assert len(aws.asked) == MAX_FETCHES


async def test_raw_delivery_is_refused_with_the_reason(gateway: Gateway) -> None:
    answer = await gateway.post({"AlarmName": "x"}, "sns", x_amz_sns_rawdelivery="true", content_type="text/plain")
    assert answer.status_code == 422
    assert "raw message delivery carries no signature" in answer.json()["detail"]
    answer = await gateway.post({"AlarmName": "x"}, "sns", content_type="text/plain")
    assert (answer.status_code, answer.json()["detail"]) == (422, "the body is no message of Amazon SNS")


async def test_a_subscription_is_confirmed_once(gateway: Gateway, aws: Aws) -> None:
    signed = aws.sign(message("confirmation"))
    for _ in range(2):
        status, receipt = await sent(gateway, signed)
        assert (status, receipt["remarks"]) == (202, [f"the subscription to {TOPIC} is confirmed"])
    visited = [path for path in aws.asked if path.startswith("/?")]
    assert [path.startswith("/?Action=ConfirmSubscription&TopicArn=arn") for path in visited] == [True]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/?Action=ConfirmSubscription",
        f"https://{HOST}/?Action=DeleteTopic&TopicArn={TOPIC}&Token=TOKEN",
        f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={STRANGER}&Token=TOKEN",
        f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=another",
        f"https://{HOST}/elsewhere?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=TOKEN",
        f"https://{HOST}:8443/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=TOKEN",
    ],
)
async def test_no_other_address_is_visited(gateway: Gateway, aws: Aws, url: str) -> None:
    body = message("confirmation")
    signed = aws.sign(body | {"SubscribeURL": url.replace("TOKEN", body["Token"])})
    assert (await sent(gateway, signed))[0] == 401
    assert aws.asked == [FILE]


async def test_a_confirmation_that_nobody_signed_visits_nothing(gateway: Gateway, aws: Aws) -> None:
    assert (await sent(gateway, aws.sign(message("confirmation")) | {"Message": "come"}))[0] == 401
    assert (await sent(gateway, aws.sign(message("confirmation", TopicArn=STRANGER))))[0] == 401
    assert [path for path in aws.asked if path != FILE] == []


async def test_a_confirmation_that_sns_refuses_says_so_and_one_without_an_answer_comes_again(
    gateway: Gateway, aws: Aws
) -> None:
    assert (await sent(gateway, aws.sign(message())))[0] == 202
    aws.status = 503
    assert (await sent(gateway, aws.sign(message("confirmation"))))[0] == 503
    aws.status = 403
    status, problem = await sent(gateway, aws.sign(message("confirmation")))
    assert (status, problem["detail"]) == (422, "SubscribeURL: Amazon SNS answers HTTP 403: subscribe anew")


async def test_the_end_of_a_subscription_is_taken_and_nothing_is_subscribed_anew(gateway: Gateway, aws: Aws) -> None:
    status, receipt = await sent(gateway, aws.sign(message("ended")))
    assert (status, receipt["received"]) == (202, 0)
    assert aws.asked == [FILE]


@pytest.mark.parametrize(
    ("topics", "reason"),
    [
        ([], "name exactly one of"),
        (["arn:aws:sns:eu-west-1:123456789012:alarms.fifo"], "does not have the form"),
        (["*"], "does not have the form"),
        ([f"arn:aws:sns:eu-west-1:123456789012:t{n}" for n in range(101)], "at most 100"),
    ],
)
def test_topics_are_named_one_by_one(topics: list[str], reason: str) -> None:
    settings = f"gateway: {{sources: {{sns: {{type: sns, auth: {{topics: {topics}}}}}}}}}"
    with pytest.raises(DocumentError) as caught:
        parse_settings(settings, Path("halon.yaml"))
    assert reason in str(caught.value.problems[0])
