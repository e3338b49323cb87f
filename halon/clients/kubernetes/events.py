"""Events: what the cluster's parts tell about an object; as they are, and as they come."""

from datetime import datetime

from halon.clients.kubernetes.objects import Metadata, View


class Involved(View):
    """What an event is about."""

    kind: str = ""
    name: str = ""


class Event(View):
    """An event of the core API."""

    metadata: Metadata
    involved_object: Involved = Involved()
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None

    @property
    def at(self) -> datetime | None:
        """When it happened last."""
        return self.last_timestamp or self.event_time or self.metadata.creation_timestamp
