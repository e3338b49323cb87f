"""What is said on the status page."""

from contextlib import AbstractAsyncContextManager

from notice import Opening, Telling, telling
from statuspage_double import StatusPageDouble, statuspage

from halon.contracts.base import JsonObject

INCIDENT: JsonObject = {
    "reference": "i-1",
    "name": "Orders fail",
    "status": "investigating",
    "body": "We look into it.",
}


def publishing() -> AbstractAsyncContextManager[Telling]:
    return telling(StatusPageDouble(), statuspage, "statuspage.publish_incident", INCIDENT)


NOTICES: dict[str, Opening] = {"statuspage.publish_incident": publishing}
