"""Buttons in Slack: `POST /v1/slack/interactions`, which Slack signs.

Slack wants its answer within three seconds, so the request is answered as soon as it is known to be Slack's, and what
comes of it is told at the address that Slack gives for that. A request counts once: the run refuses a second one, at
whichever gateway it arrives.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import parse_qsl

import structlog
from cachetools import TTLCache
from fastapi import FastAPI
from opentelemetry import metrics
from pydantic import BaseModel, Field, ValidationError
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from halon.clients.credentials import Credentials
from halon.clients.slack import Slack
from halon.clients.slack_blocks import (
    APPROVE,
    COMMENT,
    DENY,
    SlackMessage,
    button_of,
    decided_message,
    escaped,
    question_message,
)
from halon.contracts.base import digest
from halon.contracts.decision import Verdict
from halon.contracts.people import Method
from halon.errors import HalonError, InvalidInput
from halon.gateway.api.parts import Parts
from halon.gateway.auth import Signature
from halon.gateway.outside import Ended, Opened, Outside, Sent
from halon.gateway.problems import Refusal, problem_response, retry_after
from halon.gateway.requests import BodyMemory, read_body
from halon.settings import Hmac
from halon.settings.slack import SlackSettings

PATH = "/v1/slack/interactions"
MAX_BODY = 512 * 1024
"""Bytes: Slack sends the whole message along."""
MAX_AT_ONCE = 64
TOLERANCE = timedelta(minutes=5)
"""How far Slack's time may lie from ours."""
ANSWERED_WITHIN = timedelta(seconds=60)
_BODIES = 16 * 1024 * 1024
_MAX_SEEN = 10_000
_VERDICTS = {APPROVE: Verdict.APPROVE, DENY: Verdict.DENY}
log = structlog.get_logger(__name__)
_meter = metrics.get_meter("halon.gateway")
_pressed = _meter.create_counter("halon.gateway.slack", description="Requests of Slack, by what came of them")


class _User(BaseModel):
    id: Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{2,30}$")]


class _Action(BaseModel):
    action_id: Annotated[str, Field(max_length=255)]
    value: Annotated[str, Field(max_length=2000)] = ""


class _Typed(BaseModel):
    value: Annotated[str, Field(max_length=4096)] | None = None


class _State(BaseModel):
    values: dict[str, dict[str, _Typed]] = {}


class _Payload(BaseModel):
    """What is read of an interaction; the rest may be anything."""

    type: str
    user: _User
    actions: Annotated[list[_Action], Field(max_length=25)] = []
    response_url: Annotated[str, Field(max_length=2048)] = ""
    state: _State | None = None

    @property
    def comment(self) -> str:
        """What was written into the field."""
        typed = self.state.values.get(COMMENT, {}).get(COMMENT) if self.state else None
        return (typed.value or "").strip() if typed else ""


class Pressed(BaseModel):
    """A button that somebody pressed."""

    user: str
    verdict: Verdict
    value: str
    comment: str
    address: str
    """Where what comes of it is told."""
    id: str


class SlackDesk:
    """Takes decisions from Slack."""

    def __init__(self, parts: Parts, settings: SlackSettings, slack: Slack) -> None:
        """Make it ready.

        Raises:
            Misconfigured: the signing secret is not there.
        """
        self._parts = parts
        self._slack = slack
        self._outside = Outside(parts)
        self._people = {person.slack: name for name, person in parts.settings.people.items() if person.slack}
        credentials = Credentials(parts.settings.credentials)
        self._signature = Signature(
            credentials.keep(settings.signing_secret, "slack.signing_secret"),
            Hmac(
                secret=settings.signing_secret,
                header="X-Slack-Signature",
                prefix="v0=",
                timestamp_header="X-Slack-Request-Timestamp",
                timestamp_format="v0:{timestamp}:",
                tolerance=TOLERANCE,
            ),
        )
        self._memory = BodyMemory(_BODIES)
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._seen: TTLCache[str, bool] = TTLCache(_MAX_SEEN, 2 * TOLERANCE.total_seconds() + 60, time.monotonic)

    async def receive(self, request: Request) -> Response:
        """Take in a request. Its answer says only that it is taken."""
        try:
            pressed = await self._read(request)
        except Refusal as refusal:
            _pressed.add(1, {"result": refusal.status.phrase.lower()})
            log.warning("slack.refused", status=refusal.status.value, reason=refusal.detail)
            return problem_response(refusal)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it
        return Response(background=None if pressed is None else BackgroundTask(self._handle, pressed))

    async def _read(self, request: Request) -> Pressed | None:
        """Read a request that is Slack's; None for one that decides nothing.

        Raises:
            Refusal: it is not Slack's, was sent before, or cannot be read.
        """
        if not self._signature.admits(request.headers):
            raise Refusal(HTTPStatus.UNAUTHORIZED, "this is not signed by Slack: look at `slack.signing_secret`")
        if self._slots.locked():
            detail = "too many requests of Slack at the same time"
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=retry_after(timedelta(seconds=2)))
        async with self._slots:
            with self._memory.share() as share:
                raw = await read_body(request, MAX_BODY, self._parts.settings.gateway.body_timeout, share)
                if not await self._signature.accepts(request.headers, raw, self._parts.clock()):
                    raise Refusal(
                        HTTPStatus.UNAUTHORIZED, "this is not signed by Slack: look at `slack.signing_secret`"
                    )
                name = digest([request.headers["x-slack-request-timestamp"], raw.decode("utf-8", "replace")])[:40]
                payload = _payload(raw)
        if name in self._seen:
            raise Refusal(HTTPStatus.CONFLICT, "this request of Slack was sent before, and counts once")
        self._seen[name] = True
        action = payload.actions[0] if payload.type == "block_actions" and payload.actions else None
        if action is None or action.action_id not in _VERDICTS:
            return None
        return Pressed(
            user=payload.user.id,
            verdict=_VERDICTS[action.action_id],
            value=action.value,
            comment=payload.comment,
            address=payload.response_url,
            id=f"slack-{name}",
        )

    async def _handle(self, pressed: Pressed) -> None:
        """Decide, and tell what came of it."""
        try:
            async with asyncio.timeout(ANSWERED_WITHIN.total_seconds()):
                word, message, replace = await self._decided(pressed)
                await self._slack.respond(pressed.address, message, replace=replace)
        except TimeoutError:
            word = "unanswered"
            log.warning("slack.unanswered", user=pressed.user, reason="no answer in time")
        except HalonError as error:
            word = "unanswered"
            log.warning("slack.unanswered", user=pressed.user, reason=str(error))
        _pressed.add(1, {"result": word})

    async def _decided(self, pressed: Pressed) -> tuple[str, SlackMessage, bool]:
        """Give what came of it as a word, a message, and whether that takes the question's place."""
        try:
            button = button_of(pressed.value)
            person = self._people.get(pressed.user)
            sent = Sent(
                person=person or f"slack:{pressed.user}",
                method=Method.SLACK,
                run=button.run,
                step=button.step,
                plan=button.plan,
                id=pressed.id,
            )
            if person is None:
                await self._outside.deny(sent, f"no one under `people` in halon.yaml has Slack's id {pressed.user}")
                return "unknown", _aside(f"Nobody in halon.yaml has your id in Slack, `{pressed.user}`."), False
            opened = await self._outside.opened(sent)
            await self._outside.decide(sent, pressed.verdict, pressed.comment)
            return "ok", await self._told(sent, opened, pressed), True
        except Ended as ended:
            return ended.word, _aside(f"*{ended.heading}.* {escaped(ended.detail)}"), False
        except InvalidInput as error:
            return "refused", _aside(escaped(str(error))), False
        except HalonError as error:
            return (
                "unanswered",
                _aside(f"{escaped(str(error))}. It may have been taken: look before you press again."),
                False,
            )

    async def _told(self, sent: Sent, opened: Opened, pressed: Pressed) -> SlackMessage:
        console = self._console(sent.incident)
        if pressed.verdict is Verdict.APPROVE:
            gate = await self._outside.still(sent)
            if gate is not None:
                return question_message(opened.row, gate, sent.run, console)
        did = "approved" if pressed.verdict is Verdict.APPROVE else "denied"
        why = f": {escaped(pressed.comment, 1000)}" if pressed.comment else ""
        mark = ":white_check_mark:" if pressed.verdict is Verdict.APPROVE else ":no_entry:"
        return decided_message(opened.row, opened.gate, f"{mark} <@{pressed.user}> {did}{why}", console)

    def _console(self, incident: str) -> str:
        base = self._parts.settings.gateway.public_url
        return f"{base.rstrip('/')}/console/incidents/{incident}" if base else ""


def _payload(raw: bytes) -> _Payload:
    try:
        fields = dict(parse_qsl(raw.decode("ascii"), strict_parsing=True, max_num_fields=5))
        return _Payload.model_validate(json.loads(fields["payload"]))
    except (ValueError, KeyError, RecursionError, ValidationError):
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "this is no interaction as Slack sends them") from None


def _aside(text: str) -> SlackMessage:
    return SlackMessage(text)


def add_slack(app: FastAPI, parts: Parts) -> None:
    """Let people decide by buttons in Slack, when halon.yaml names a Slack app.

    Raises:
        Misconfigured: the signing secret is not there.
    """
    settings = parts.settings.slack
    if settings is None:
        return
    slack = Slack(settings, Credentials(parts.settings.credentials).named(settings.token, "slack.token"))
    desk = SlackDesk(parts, settings, slack)
    app.add_route(PATH, desk.receive, methods=["POST"], include_in_schema=False)
    lasting = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(over: FastAPI) -> AsyncGenerator[Any]:
        async with lasting(over) as state:
            try:
                yield state
            finally:
                await slack.close()

    app.router.lifespan_context = lifespan
