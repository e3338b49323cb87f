"""Slack's Web API: messages, and answers to the buttons in them. https://docs.slack.dev/reference/methods."""

import asyncio
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import SecretStr

from halon.clients.slack_blocks import SlackMessage
from halon.clients.web import Ask, Web
from halon.errors import HalonError, InvalidInput, NotFound, PermanentError, PermissionDenied, TransientError
from halon.settings.slack import SlackSettings

_KEYS = uuid.UUID("6a9a3b3e-6a0c-4a5e-9d5b-3a3a2f7d1c11")
"""Names of messages are made from it, so that they are the same for the same message."""
_LATER = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)
_NOT_LET_IN = frozenset(
    {
        "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope",
        "no_permission", "access_denied", "ekm_access_denied", "restricted_action",
    }
)  # fmt: skip
_NOT_THERE = frozenset({"channel_not_found", "not_in_channel", "is_archived", "message_not_found", "thread_not_found"})
_WORD = re.compile(r"^[a-z_]{1,60}$")


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that is there."""

    channel: str
    ts: str
    """Names the message within its channel, and its thread."""


class Slack:
    """One Slack app."""

    def __init__(self, settings: SlackSettings, token: Callable[[], SecretStr]) -> None:
        """`token` reads the token of the bot; it may wait for a network."""
        self._settings = settings
        self._token = token
        self._web = Web()

    async def post(self, message: SlackMessage, *, key: str, channel: str = "", thread: str = "") -> Posted:
        """Post a message, or reply in a thread. The same `key` within a channel is the same message, posted once.

        Raises:
            TransientError: Slack does not take it now.
            PermanentError: it never will, and why.
        """
        where = channel or self._settings.channel
        sent = {**message.body(), "channel": where, "client_msg_id": str(uuid.uuid5(_KEYS, f"{where}/{thread}/{key}"))}
        answer = await self._call("chat.postMessage", sent | ({"thread_ts": thread} if thread else {}))
        return Posted(str(answer.get("channel", where)), str(answer.get("ts", "")))

    async def update(self, posted: Posted, message: SlackMessage) -> None:
        """Replace a message.

        Raises:
            TransientError: Slack does not take it now.
            PermanentError: it never will, and why.
        """
        await self._call("chat.update", {**message.body(), "channel": posted.channel, "ts": posted.ts})

    async def whisper(self, message: SlackMessage, *, channel: str, user: str) -> None:
        """Tell one user something in a channel that nobody else sees.

        Raises:
            TransientError: Slack does not take it now.
            PermanentError: it never will, and why.
        """
        await self._call("chat.postEphemeral", {**message.body(), "channel": channel, "user": user})

    async def respond(self, address: str, message: SlackMessage, *, replace: bool) -> None:
        """Answer a button: in place of its message, or to the one who pressed it alone.

        Raises:
            InvalidInput: the address is not one of Slack's.
            TransientError: Slack does not take it now.
            PermanentError: it never will, and why.
        """
        if not address.startswith(f"{self._settings.hooks.rstrip('/')}/"):
            raise InvalidInput("the address for the answer does not begin as `slack.hooks` in halon.yaml says")
        kind = {"replace_original": True} if replace else {"response_type": "ephemeral", "replace_original": False}
        answer = await self._web.ask("Slack", Ask(address, method="POST", body={**message.body(), **kind}))
        if not answer.ok:
            raise answer.refused("Slack", "response_url")

    async def close(self) -> None:
        """Close the connections."""
        await self._web.close()

    async def _call(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        token = await asyncio.to_thread(self._token)
        ask = Ask(
            f"{self._settings.url.rstrip('/')}/{method}",
            method="POST",
            headers={"Authorization": f"Bearer {token.get_secret_value()}"},
            body=body,
        )
        answer = await self._web.ask("Slack", ask)
        if answer.status != HTTPStatus.OK:
            raise answer.refused("Slack", "slack.token")
        said = answer.object()
        if said is None or not isinstance(said.get("ok"), bool):
            raise PermanentError("what answers at `slack.url` is not Slack")
        if not said["ok"]:
            raise _refused(method, str(said.get("error", "")), answer.retry_after)
        return said


def _refused(method: str, error: str, retry_after: Any) -> HalonError:
    word = error if _WORD.fullmatch(error) else "unknown error"
    said = f"Slack does not take {method}: {word}"
    if word in _LATER:
        return TransientError(said, retry_after=retry_after)
    if word in _NOT_LET_IN:
        return PermissionDenied(f"{said}; look at `slack.token` and at the scopes of the app")
    if word in _NOT_THERE:
        return NotFound(f"{said}; invite the app to the channel")
    return PermanentError(said)
