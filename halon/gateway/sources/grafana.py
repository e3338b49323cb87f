"""Grafana alerting's webhook contact point: Alertmanager's shape with links, values and an organisation added.

What alerted before Grafana 11, on dashboards, is read too: one rule a body, without a word on when it began.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, digest, is_list, is_object
from halon.errors import InvalidInput
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource, Parsed
from halon.gateway.schemes import timed_signature
from halon.gateway.sources._reading import (
    WARNING,
    at,
    each,
    finished,
    first,
    labelled,
    maybe_moment,
    missing,
    moment,
    needed,
    one,
    text,
    texts,
)
from halon.redaction import cut_text
from halon.settings import Source

_STAMPS = ("X-Grafana-Alerting-Signature-Timestamp", "X-Grafana-Alerting-Timestamp")
"""Grafana has no name of its own for this header; these are the ones in its documentation."""
SENDER = Sender(
    "Grafana",
    ("signature", "bearer", "basic", "header", "hmac"),
    timed_signature("X-Grafana-Alerting-Signature", *_STAMPS),
)
_TEST = ("TestAlert", "Grafana")
_LEGACY_TEST = ("Test notification", "Someone is testing the alert notification")
_LEGACY_STATES = {"alerting": AlertStatus.FIRING, "no_data": AlertStatus.FIRING, "ok": AlertStatus.RESOLVED}
_LINKS = {
    "silence_url": "silenceURL",
    "dashboard_url": "dashboardURL",
    "panel_url": "panelURL",
    "image_url": "imageURL",
    "value_string": "valueString",
}


class Grafana:
    """The source `grafana`."""

    timeless = True

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alerts of one notification.

        Raises:
            InvalidInput: the body is no notification of Grafana alerting, or holds too many alerts.
        """
        del headers
        alerts = at(body, "alerts")
        if alerts is None and text(body, "ruleName") and text(body, "state"):
            return one(self._legacy(body, now))
        if not is_list(alerts):
            raise InvalidInput("the body is no notification of Grafana alerting", ["alerts: a list was expected"])
        organisation = text(body, "orgId")
        left_out = at(body, "truncatedAlerts")
        parsed = each(alerts, "alerts", lambda raw, where: self._alert(raw, where, organisation))
        truncated = max(left_out, 0) if isinstance(left_out, int) else 0
        return Parsed(parsed.alerts, parsed.rejected, truncated, parsed.remarks)

    def _alert(self, raw: Any, where: str, organisation: str) -> Alert | str:
        given = at(raw, "labels")
        if not is_object(given):
            raise missing(f"{where}.labels")
        name = needed(raw, where, "labels", "alertname")
        if (name, text(given, "instance")) == _TEST:
            return "Grafana tests the contact point"
        status = text(raw, "status").lower()
        if status not in set(AlertStatus):
            raise missing(f"{where}.status", "firing or resolved was expected")
        labels, rest = labelled(given)
        began, ended = moment(at(raw, "startsAt"), f"{where}.startsAt"), maybe_moment(at(raw, "endsAt"))
        resolved = status == AlertStatus.RESOLVED
        return finished(
            Alert.model_construct(
                source=self.name,
                name=name,
                fingerprint=text(raw, "fingerprint") or digest({one: text(value) for one, value in given.items()})[:16],
                status=AlertStatus(status),
                severity=labels.get("severity", ""),
                labels=labels,
                annotations=_annotations(raw, organisation) | rest,
                starts_at=began,
                ends_at=ended if resolved else None,
                # A rule that is normal again starts anew. Grafana's Alertmanager puts the first start back, unless it
                # has forgotten the alert meanwhile, as it does when Grafana starts.
                undated=resolved and ended is not None and began >= ended,
                url=first(text(raw, "generatorURL"), text(raw, "panelURL"), text(raw, "dashboardURL")),
            ),
            where,
        )

    def _legacy(self, body: Any, now: datetime) -> Alert | str:
        name, state = needed(body, "", "ruleName"), text(body, "state").lower()
        if name == _LEGACY_TEST[0] and text(body, "message").startswith(_LEGACY_TEST[1]):
            return "Grafana tests the notification channel"
        status = _LEGACY_STATES.get(state)
        if status is None:
            return f"state {cut_text(state, 60)} is no alert"
        tags = at(body, "tags")
        places = {"rule_id": "ruleId", "dashboard_id": "dashboardId", "panel_id": "panelId"}
        labels, rest = labelled(
            {"alertname": name}
            | (tags if is_object(tags) else {})
            | {label: at(body, field) for label, field in places.items()}
        )
        return finished(
            Alert.model_construct(
                source=self.name,
                name=name,
                fingerprint=digest([text(body, "orgId"), text(body, "ruleId") or name])[:16],
                status=status,
                severity=labels.get("severity", "") or (WARNING if state == "no_data" else ""),
                labels=labels,
                annotations=texts(
                    {"summary": first(text(body, "message"), text(body, "title")), "state": state}
                    | {"values": at(body, "evalMatches"), "organisation": at(body, "orgId")}
                    | {"image_url": first(text(body, "imageUrl"), text(body, "image_url"))}
                )
                | rest,
                starts_at=now,
                ends_at=now if status is AlertStatus.RESOLVED else None,
                undated=True,
                url=first(text(body, "ruleUrl"), text(body, "rule_url")),
            ),
            "body",
        )


def build(name: str, settings: Source) -> AlertSource:
    """Build the source from its settings, of which it needs none."""
    del settings
    return Grafana(name)


def _annotations(raw: Any, organisation: str) -> dict[str, str]:
    own = at(raw, "annotations")
    added = {name: at(raw, field) for name, field in _LINKS.items()} | {
        "values": at(raw, "values"),
        "organisation": organisation,
    }
    return texts(added) | texts(own if is_object(own) else {})
