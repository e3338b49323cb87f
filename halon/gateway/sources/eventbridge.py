"""Amazon EventBridge, through an API destination: findings, health, alarms, calls, and any other event, as it is."""

from collections.abc import Mapping
from datetime import datetime

from halon.contracts.base import Json, is_list
from halon.errors import InvalidInput
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource, Parsed
from halon.gateway.sources._events import is_event, read_events
from halon.settings import Source

SENDER = Sender("Amazon EventBridge", ("header", "basic", "bearer"))


class EventBridge:
    """The source `eventbridge`."""

    timeless = True

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alerts of an event, or of a list of them.

        Raises:
            InvalidInput: the body is no event of EventBridge.
        """
        del headers, now
        if is_list(body):
            return read_events(self.name, body, "events")
        if not is_event(body):
            said = "the body is no event of EventBridge: send the matched event whole, without an input transformer"
            raise InvalidInput(said, ["detail-type: with `detail`, it was expected"])
        return read_events(self.name, [body], "events")


def build(name: str, settings: Source) -> AlertSource:
    """Build the source from its settings, of which it needs none."""
    del settings
    return EventBridge(name)
