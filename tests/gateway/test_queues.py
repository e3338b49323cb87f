"""Queues of Amazon SQS are asked for messages: what is durable is deleted, and nothing else is. On moto's SQS."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from emulator import Answer, Call, Emulator, emulated
from gateway_doubles import Gateway, firing, playbook, running, webhook

from halon.documents.document import DocumentError
from halon.errors import Misconfigured, TransientError
from halon.gateway.bodies import Bodies
from halon.gateway.polling import LAST
from halon.settings.loading import parse_settings
from halon.telemetry import Telemetry

BODIES = Path(__file__).parent / "sources"
RIGHTS = ("sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")
EVERYTHING = (playbook(alerts=["*"], group_by=[]),)


def body(kind: str, case: str = "firing") -> str:
    return (BODIES / kind / f"{case}.json").read_text()


def soon(call: Call) -> Answer:
    """Wait a second for messages instead of ten, so that a gateway stops soon."""
    call.body = call.body.replace(b'"WaitTimeSeconds": 10', b'"WaitTimeSeconds":  1')
    return call.forward()


class Aws:
    """An AWS with one queue, and a role that may do what the documentation says."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.sqs = emulator.admin("sqs")
        self.url: str = self.sqs.create_queue(QueueName="alerts")["QueueUrl"]
        self.role = emulator.role(RIGHTS)

    def send(self, text: str) -> None:
        self.sqs.send_message(QueueUrl=self.url, MessageBody=text)

    def left(self) -> tuple[int, int]:
        """How many messages can be seen, and how many are hidden."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def hidden_for(self) -> list[int]:
        """For how long messages were hidden that were not done."""
        lines = [line for line in self.emulator.journal if line.startswith("sqs:ChangeMessageVisibility ")]
        return [json.loads(line.split(" ", 1)[1])["VisibilityTimeout"] for line in lines]

    def settings(self, queue: str) -> str:
        account = f"{{endpoint: '{self.emulator.url}', role: '{self.role}', region: eu-west-1}}"
        source = f"{{type: sqs, auth: {{iam: true}}, queue: {queue}}}"
        return f"""
gateway: {{port: 0, sources: {{queue: {source}}}}}
aws: {{accounts: {{prod: {account}}}}}
"""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHALON")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-key-of-nobody")
    with emulated({("sqs", "ReceiveMessage"): soon}) as emulator:
        yield Aws(emulator)


async def until(true: Callable[[], bool | Awaitable[bool]]) -> None:
    """Look until something is so."""
    async with asyncio.timeout(30):
        while True:
            found = true()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.05)


@pytest.fixture
def start(tmp_path: Path, telemetry: Telemetry, aws: Aws) -> Callable[..., Any]:
    @asynccontextmanager
    async def started(queue: str = "{name: alerts}") -> AsyncIterator[Gateway]:
        async with running(tmp_path, telemetry, aws.settings(queue), playbooks=EVERYTHING) as gateway:
            yield gateway

    return started


async def counted(gateway: Gateway, what: str) -> float:
    """What a metric stands at; the metrics of all these tests are one process's."""
    text = (await gateway.http.get("/metrics")).text
    found = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(f"halon_gateway_{what} ")]
    return float(found[0]) if found else 0


async def failures(gateway: Gateway) -> float:
    return await counted(gateway, 'queue_failures_total{source="queue"}')


async def messages(gateway: Gateway, result: str) -> float:
    return await counted(gateway, f'messages_total{{result="{result}",source="queue"}}')


async def fails_again(gateway: Gateway) -> None:
    """Wait until the queue was asked in vain once more."""
    before = await failures(gateway)

    async def failed() -> bool:
        return await failures(gateway) > before

    await until(failed)


@pytest.mark.parametrize(
    ("queue", "content", "name"),
    [
        ("{name: alerts}", body("sns"), "checkout-cpu"),
        ("{name: alerts, account: prod, region: eu-west-1, format: sns}", body("sns"), "checkout-cpu"),
        ("{name: alerts, format: eventbridge}", body("eventbridge", "alarm"), "checkout-cpu"),
        ("{name: alerts, format: alertmanager}", json.dumps(webhook(firing())), "KubePodCrashLooping"),
        ("{name: alerts, format: cloudwatch}", json.loads(body("sns"))["Message"], "checkout-cpu"),
        ("{name: alerts, format: cloudwatch}", json.loads(body("sns", "budget"))["Message"], "AWS Budget Notification"),
    ],
)
async def test_a_message_is_an_alert_and_is_deleted(
    start: Callable[..., Any], aws: Aws, queue: str, content: str, name: str
) -> None:
    async with start(queue) as gateway:
        before = await messages(gateway, "taken")
        aws.send(content)
        await until(lambda: bool(gateway.dispatcher.groups))
        await until(lambda: aws.left() == (0, 0))
        assert [alert.name for alert in gateway.dispatcher.groups[0].alerts] == [name]
        assert await messages(gateway, "taken") == before + 1


async def test_a_queue_is_found_by_its_address(start: Callable[..., Any], aws: Aws) -> None:
    aws.send(body("sns"))
    async with start(f"{{url: '{aws.url}'}}") as gateway:
        await until(lambda: bool(gateway.dispatcher.groups))
        await until(lambda: aws.left() == (0, 0))


async def test_a_message_is_deleted_only_when_its_alert_is_durable(start: Callable[..., Any], aws: Aws) -> None:
    async with start() as gateway:
        gateway.dispatcher.gate = asyncio.Event()
        aws.send(body("sns"))
        await asyncio.wait_for(gateway.dispatcher.entered.wait(), 30)
        assert aws.left() == (0, 1)
        gateway.dispatcher.gate.set()
        await until(lambda: aws.left() == (0, 0))


async def test_what_temporal_does_not_take_stays_in_the_queue(start: Callable[..., Any], aws: Aws) -> None:
    async with start() as gateway:
        gateway.dispatcher.gate = asyncio.Event()
        aws.send(body("sns"))
        await asyncio.wait_for(gateway.dispatcher.entered.wait(), 30)
        gateway.dispatcher.error = TransientError("Temporal does not answer")
        gateway.dispatcher.gate.set()
        await until(lambda: aws.hidden_for() == [30])
        assert aws.left() == (0, 1)


async def test_an_end_does_not_overtake_a_beginning_that_has_to_wait(start: Callable[..., Any], aws: Aws) -> None:
    aws.send(body("sns"))
    aws.send(body("sns", "resolved"))
    async with start() as gateway:
        gateway.dispatcher.gate = asyncio.Event()
        await asyncio.wait_for(gateway.dispatcher.entered.wait(), 30)
        gateway.dispatcher.error = TransientError("Temporal does not answer")
        gateway.dispatcher.gate.set()
        await until(lambda: aws.hidden_for() == [30, 30])
        gateway.dispatcher.error = None
        assert gateway.dispatcher.groups == []


async def test_a_defect_in_one_message_keeps_no_other_waiting(
    start: Callable[..., Any], aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Bodies.read

    def broken(self: Bodies, source: Any, raw: bytes, *more: Any) -> Any:
        if raw == b"strike":
            raise ZeroDivisionError
        return read(self, source, raw, *more)

    monkeypatch.setattr(Bodies, "read", broken)
    aws.send("strike")
    aws.send(body("sns"))
    async with start() as gateway:
        await until(lambda: bool(gateway.dispatcher.groups))
        await until(lambda: (aws.hidden_for(), aws.left()) == ([30], (0, 1)))


async def test_while_temporal_does_not_answer_nothing_is_received(start: Callable[..., Any], aws: Aws) -> None:
    async with start() as gateway:
        gateway.dispatcher.error = TransientError("Temporal does not answer")
        await fails_again(gateway)
        aws.send(body("sns"))
        await fails_again(gateway)
        assert aws.left() == (1, 0)
        gateway.dispatcher.error = None
        await until(lambda: aws.left() == (0, 0))


@pytest.mark.parametrize("content", [body("sns", "malformed"), "no JSON at all", '{"Type": "Other"}'])
async def test_a_message_that_cannot_be_read_stays_for_the_dead_letter_queue_and_holds_up_no_other(
    start: Callable[..., Any], aws: Aws, content: str
) -> None:
    async with start() as gateway:
        before = await messages(gateway, "refused")
        aws.send(content)
        aws.send(body("sns"))
        await until(lambda: bool(gateway.dispatcher.groups))
        await until(lambda: aws.hidden_for() == [30])
        await until(lambda: aws.left() == (0, 1))
        assert await messages(gateway, "refused") == before + 1


async def test_the_more_often_a_message_cannot_be_read_the_later_it_comes_again(
    start: Callable[..., Any], aws: Aws
) -> None:
    aws.send("no JSON at all")
    for _ in range(3):
        aws.sqs.receive_message(QueueUrl=aws.url, VisibilityTimeout=0)
    async with start():
        await until(lambda: aws.hidden_for() == [240])


async def test_the_queues_own_policy_takes_it_away(start: Callable[..., Any], aws: Aws) -> None:
    dead: str = aws.sqs.create_queue(QueueName="dead")["QueueUrl"]
    target = aws.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": "2"})
    aws.sqs.set_queue_attributes(QueueUrl=aws.url, Attributes={"RedrivePolicy": policy})
    aws.send("no JSON at all")
    for _ in range(2):
        aws.sqs.receive_message(QueueUrl=aws.url, VisibilityTimeout=0)
    async with start():
        await until(lambda: aws.left() == (0, 0))
    assert aws.sqs.receive_message(QueueUrl=dead)["Messages"][0]["Body"] == "no JSON at all"


async def test_sqs_may_be_away_for_a_while(start: Callable[..., Any], aws: Aws) -> None:
    aws.emulator.throttling = True
    async with start() as gateway:
        aws.send(body("sns"))
        await fails_again(gateway)
        assert gateway.dispatcher.groups == []
        aws.emulator.throttling = False
        await until(lambda: aws.left() == (0, 0))


async def test_a_right_that_is_missing_keeps_nothing_from_running(start: Callable[..., Any], aws: Aws) -> None:
    aws.emulator.denied = {"sqs:ReceiveMessage"}
    aws.send(body("sns"))
    async with start() as gateway:
        await fails_again(gateway)
        assert (await gateway.http.get("/healthz")).status_code == 200
        assert aws.left() == (1, 0)
        aws.emulator.denied = set()
        await until(lambda: aws.left() == (0, 0))


async def test_a_gateway_that_stops_ends_what_it_has_in_hand(start: Callable[..., Any], aws: Aws) -> None:
    async with start() as gateway:
        gateway.dispatcher.gate = asyncio.Event()
        aws.send(body("sns"))
        await asyncio.wait_for(gateway.dispatcher.entered.wait(), 30)
        asyncio.get_running_loop().call_later(0.5, gateway.dispatcher.gate.set)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < LAST.total_seconds()
    assert aws.left() == (0, 0)


async def test_nobody_can_post_to_a_queue(start: Callable[..., Any]) -> None:
    async with start() as gateway:
        assert (await gateway.post(webhook(firing()), "queue")).status_code == 404


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{type: sqs, auth: {iam: true}}", "needs `queue`"),
        ("{type: sqs, auth: {none: true}, queue: {name: a}}", "`auth: {iam: true}`"),
        (
            "{type: sqs, auth: {iam: true}, queue: {name: a, url: 'https://sqs.eu-west-1.amazonaws.com/1/a'}}",
            "exactly one",
        ),
        ("{type: sqs, auth: {iam: true}, queue: {name: a, format: generic}}", "cannot be generic"),
        ("{type: sns, auth: {none: true}, queue: {name: a}}", "no other one takes it"),
    ],
)
def test_a_queue_is_set_up_as_one(source: str, reason: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_settings(f"gateway: {{sources: {{queue: {source}}}}}", Path("halon.yaml"))
    assert reason in str(caught.value.problems[0])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{type: sqs, auth: {iam: true}, queue: {name: a, format: nagios}}", "queue.format` is nagios; it may be"),
        ("{type: sqs, auth: {iam: true}, queue: {name: a, account: other}}", "no account 'other'"),
        ("{type: alertmanager, auth: {iam: true}}", "Alertmanager cannot do that"),
    ],
)
async def test_what_is_not_there_stops_the_start(
    tmp_path: Path, telemetry: Telemetry, source: str, reason: str
) -> None:
    with pytest.raises(Misconfigured, match=reason):
        async with running(tmp_path, telemetry, f"gateway: {{port: 0, sources: {{queue: {source}}}}}"):
            pass
