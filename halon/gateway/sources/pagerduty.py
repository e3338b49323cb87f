"""PagerDuty's webhooks, version 3: one event a body. Incidents that trigger, reopen and resolve are alerts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, is_list, is_object
from halon.errors import InvalidInput
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource, Parsed
from halon.gateway.schemes import body_signature
from halon.gateway.sources._reading import (
    CRITICAL,
    WARNING,
    at,
    finished,
    first,
    labelled,
    moment,
    needed,
    one,
    ranked,
    text,
    texts,
)
from halon.redaction import cut_text
from halon.settings import Source

SENDER = Sender("PagerDuty", ("signature", "header"), body_signature("X-PagerDuty-Signature", "v1="))
_TRIGGERED, _REOPENED, _RESOLVED = "incident.triggered", "incident.reopened", "incident.resolved"
_URGENCIES = {"high": CRITICAL, "low": WARNING}


class PagerDuty:
    """The source `pagerduty`."""

    timeless = True

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alert of one event, or the remark that the event is none.

        Raises:
            InvalidInput: the body is no event, or its incident lacks what names it.
        """
        del headers, now
        event = at(body, "event")
        if not is_object(event):
            raise InvalidInput("the body is no webhook of PagerDuty, version 3", ["event: Field required"])
        kind = needed(event, "event", "event_type")
        if kind == "pagey.ping":
            return one("PagerDuty tests the webhook")
        if kind not in {_TRIGGERED, _REOPENED, _RESOLVED}:
            return one(f"{cut_text(kind, 60)} is no alert")
        return one(self._alert(event, kind))

    def _alert(self, event: Any, kind: str) -> Alert:
        where = "event.data"
        incident = event.get("data")
        began = (event.get("occurred_at"), "event.occurred_at") if kind == _REOPENED else None
        status = AlertStatus.RESOLVED if kind == _RESOLVED else AlertStatus.FIRING
        priority, urgency = text(incident, "priority", "summary"), text(incident, "urgency")
        severity = ranked(priority) or _URGENCIES.get(urgency, "")
        labels, rest = labelled(
            {
                "service": at(incident, "service", "summary"),
                "service_id": at(incident, "service", "id"),
                "severity": severity,
                "priority": priority,
                "urgency": urgency,
                "team": _summaries(incident, "teams"),
                "escalation_policy": at(incident, "escalation_policy", "summary"),
                "incident_key": at(incident, "incident_key"),
                "incident_type": at(incident, "incident_type", "name"),
            }
        )
        return finished(
            Alert.model_construct(
                source=self.name,
                name=needed(incident, where, "title"),
                fingerprint=needed(incident, where, "id"),
                status=status,
                severity=severity,
                labels=labels,
                annotations=texts(
                    {
                        "summary": at(incident, "title"),
                        "number": at(incident, "number"),
                        "assignees": _summaries(incident, "assignees"),
                        "by": at(event, "agent", "summary"),
                        "resolve_reason": at(incident, "resolve_reason"),
                        "conference_url": at(incident, "conference_bridge", "conference_url"),
                    }
                )
                | rest,
                starts_at=moment(*(began or (at(incident, "created_at"), f"{where}.created_at"))),
                ends_at=moment(event.get("occurred_at"), "event.occurred_at") if kind == _RESOLVED else None,
                # The end of an incident that was reopened names its first beginning.
                undated=kind == _RESOLVED,
                url=first(text(incident, "html_url"), text(incident, "self")),
            ),
            where,
        )


def build(name: str, settings: Source) -> AlertSource:
    """Build the source from its settings, of which it needs none."""
    del settings
    return PagerDuty(name)


def _summaries(incident: Any, field: str) -> str:
    references = at(incident, field)
    return ", ".join(filter(None, (text(item, "summary") for item in references))) if is_list(references) else ""
