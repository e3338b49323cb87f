"""Telling people, through Apprise: a channel is a name in halon.yaml, its addresses are secrets that stay in here.

An address is read where it is used and never leaves: not to an error, a log or an answer. Apprise waits for sockets, so
it runs in a thread.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import apprise
from pydantic import SecretStr

from halon.errors import InvalidInput, Misconfigured, TransientError
from halon.redaction import redact_text

Severity: TypeAlias = Literal["info", "warning", "critical"]
Address: TypeAlias = Callable[[], SecretStr]
"""Reads an address; raises Misconfigured when it is not there."""

MAX_TITLE = 250
"""Characters; PagerDuty and others refuse or cut longer ones."""
MAX_BODY = 8000
"""Characters."""
_ONE_SERVICE = 10.0
_ALL_SERVICES = 25.0
"""Seconds; less than one attempt of an activity may take."""
_TYPES = {
    "info": apprise.NotifyType.INFO,
    "warning": apprise.NotifyType.WARNING,
    "critical": apprise.NotifyType.FAILURE,
}


@dataclass(frozen=True, slots=True)
class Message:
    """What people are told. What looks like a secret is masked, and what is too long is cut."""

    title: str
    body: str
    severity: Severity
    end: str = ""
    """What follows the body as it is: a link to answer by looks like a secret, and is one that the recipient needs."""


class Notifier:
    """Channels by name, each with the addresses that it tells."""

    def __init__(self, channels: Mapping[str, Sequence[Address]]) -> None:
        self._channels = dict(channels)
        # They write parts of addresses, which are secrets: Apprise at every level, what sends for it below warnings.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        logging.getLogger("urllib3").setLevel(logging.WARNING)

    async def send(
        self,
        channel: str,
        message: Message,
        *,
        told: Collection[int] = (),
        on_told: Callable[[int], None] | None = None,
    ) -> int:
        """Tell every address of a channel, and give how many that are.

        `told` are the places of addresses that an earlier attempt has told; `on_told` hears of each that is told now.

        Raises:
            Misconfigured: there is no such channel, or one of its addresses is missing or wrong.
            InvalidInput: there is nothing to tell.
            TransientError: an address was not reached.
        """
        addresses = self._channels.get(channel)
        if not addresses:
            raise Misconfigured(_unknown(channel, sorted(self._channels)))
        title = redact_text(" ".join(message.title.split()), MAX_TITLE)
        body = redact_text(message.body.strip(), MAX_BODY) or title  # a service may refuse an empty body
        body += f"\n\n{message.end}" if message.end else ""
        if not body:
            raise InvalidInput("a notification needs a title or a body")
        whole = Message(title, body, message.severity)
        services = [_service(channel, number, address) for number, address in enumerate(addresses)]
        waiting = [number for number in range(len(services)) if number not in told]
        failed: list[str] = []

        async def tell(number: int) -> None:
            failure = await asyncio.to_thread(_send, services[number], whole)
            if failure:
                failed.append(failure)
            elif on_told is not None:
                on_told(number)

        await asyncio.gather(*(tell(number) for number in waiting))
        if failed:
            count = f"{len(failed)} of the {len(services)} addresses of channel '{channel}'"
            raise TransientError(f"{count} could not be told: {', '.join(sorted(failed))}")
        return len(services)


def _service(channel: str, number: int, address: Address) -> Any:
    # Apprise's own types have unparametrised dicts in them.
    service: Any = apprise.Apprise(
        asset=apprise.AppriseAsset(
            app_id="Halon",
            app_desc="Halon",
            secure_logging=True,
            storage_mode=apprise.PersistentStoreMode.MEMORY,
            service_timeout=_ONE_SERVICE,
        )
    )
    if not service.add(address().get_secret_value().strip()):
        where = f"`notify.channels.{channel}[{number}]` in halon.yaml"
        raise Misconfigured(f"{where} names something that is not an Apprise URL")
    return service


def _send(service: Any, message: Message) -> str:
    """Tell one address. Gives what went wrong, or nothing."""
    answer = service.notify(
        title=message.title,
        body=message.body,
        notify_type=_TYPES[message.severity],
        body_format=apprise.NotifyFormat.TEXT,
        timeout=_ALL_SERVICES,
    )
    if answer:
        return ""
    return next((_failure(str(one.name), one.status) for one in answer if not one), "nothing was sent")


def _failure(service: str, status: Any) -> str:
    late = status == apprise.AppriseResultStatus.TIMEOUT
    return f"{service} {'did not answer in time' if late else 'did not accept it, or was not reached'}"


def _unknown(channel: str, known: Sequence[str]) -> str:
    named = ", ".join(known) or "none"
    return (
        f"halon.yaml has no channel '{channel[:64]}' under notify.channels (it names: {named}); "
        f"add `notify: {{channels: {{{channel[:64]}: [{{env: VARIABLE_WITH_ITS_APPRISE_URL}}]}}}}`"
    )
