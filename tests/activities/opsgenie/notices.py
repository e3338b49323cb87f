"""What Opsgenie's notices tell."""

from contextlib import AbstractAsyncContextManager

from notice import Opening, Telling, telling
from opsgenie_double import OpsgenieDouble, opsgenie

from halon.contracts.base import JsonObject

REFERENCE = "i-1"


def on_account(action: str, params: JsonObject, *aliases: str) -> Opening:
    def opening() -> AbstractAsyncContextManager[Telling]:
        double = OpsgenieDouble()
        for alias in aliases:
            double.opened(alias)
        return telling(double, opsgenie, f"opsgenie.{action}", params)

    return opening


NOTICES: dict[str, Opening] = {
    "opsgenie.create_alert": on_account("create_alert", {"reference": REFERENCE, "message": "Down"}),
    "opsgenie.acknowledge_alert": on_account("acknowledge_alert", {"reference": REFERENCE}, REFERENCE),
    "opsgenie.close_alert": on_account("close_alert", {"reference": REFERENCE}, REFERENCE),
}
