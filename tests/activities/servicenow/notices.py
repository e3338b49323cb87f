"""What ServiceNow's notices tell."""

from contextlib import AbstractAsyncContextManager

from notice import Opening, Telling, telling
from servicenow_double import ServiceNowDouble, servicenow

from halon.contracts.base import JsonObject

NUMBER = "INC0010001"


def on_instance(action: str, params: JsonObject) -> Opening:
    def opening() -> AbstractAsyncContextManager[Telling]:
        return telling(ServiceNowDouble(), servicenow, f"servicenow.{action}", params)

    return opening


NOTE: JsonObject = {"number": NUMBER, "reference": "i-1/found", "text": "It grew"}
NOTICES: dict[str, Opening] = {
    "servicenow.create_incident": on_instance("create_incident", {"reference": "i-1", "short_description": "Down"}),
    "servicenow.update_incident": on_instance("update_incident", NOTE),
    "servicenow.resolve_incident": on_instance("resolve_incident", {"number": NUMBER, "close_notes": "Rolled back"}),
}
