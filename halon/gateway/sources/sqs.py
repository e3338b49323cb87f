"""A queue of Amazon SQS, which the gateway asks: its messages are bodies of another type of source."""

from halon.errors import Misconfigured
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource
from halon.gateway.sources import build_source, source_types
from halon.settings import Auth, QueueSettings, Source
from halon.settings.sources import PLAIN, POLLED, WATCHED

SENDER = Sender("Amazon SQS", ("iam",))


def build(name: str, settings: Source) -> AlertSource:
    """Build the source that reads the queue's messages.

    Raises:
        Misconfigured: there is no such format.
    """
    queue = settings.queue or QueueSettings(name=name)
    offered = sorted({*source_types(), PLAIN} - {POLLED, WATCHED, "generic"})
    if queue.format not in offered:
        place = f"gateway.sources.{name}.queue.format"
        raise Misconfigured(f"`{place}` is {queue.format}; it may be {', '.join(offered)}")
    kind = "sns" if queue.format == PLAIN else queue.format
    return build_source(name, Source(type=kind, auth=Auth(none=True)))
