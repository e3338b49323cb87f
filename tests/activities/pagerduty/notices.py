"""What PagerDuty's notices tell."""

from contextlib import AbstractAsyncContextManager

from notice import Opening, Telling, telling
from pagerduty_double import SERVICE, PagerDutyDouble, pagerduty

from halon.contracts.base import JsonObject

REFERENCE = "i-1"


def on_account(action: str, params: JsonObject, *open_keys: str) -> Opening:
    def opening() -> AbstractAsyncContextManager[Telling]:
        double = PagerDutyDouble()
        for key in open_keys:
            double.opened(key)
        return telling(double, pagerduty, f"pagerduty.{action}", params)

    return opening


EVENT: JsonObject = {"service": SERVICE, "reference": REFERENCE}
NOTE: JsonObject = {"dedup_key": REFERENCE, "reference": "i-1/found", "text": "Memory grew"}
NOTICES: dict[str, Opening] = {
    "pagerduty.trigger_incident": on_account("trigger_incident", {**EVENT, "summary": "Down"}),
    "pagerduty.acknowledge_incident": on_account("acknowledge_incident", EVENT, REFERENCE),
    "pagerduty.resolve_incident": on_account("resolve_incident", EVENT, REFERENCE),
    "pagerduty.add_note": on_account("add_note", NOTE, REFERENCE),
}
