"""Sentry's integration platform: alerts of issues and of metrics, issues, and single errors. One a body.

`Sentry-Hook-Resource` says what the body is about; where a proxy takes it away, the body itself does.
"""

import re
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
    INFO,
    WARNING,
    at,
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

SENDER = Sender("Sentry", ("signature", "header", "bearer"), body_signature("Sentry-Hook-Signature"))
_HEADER = "sentry-hook-resource"
_RESOURCES = {"event": "event_alert", "metric_alert": "metric_alert", "issue": "issue", "error": "error"}
"""What a body is about that has such data."""
_SEVERITIES = {
    "fatal": CRITICAL,
    "critical": CRITICAL,
    "error": WARNING,
    "warning": WARNING,
    "info": INFO,
    "debug": INFO,
}
_ISSUE_ACTIONS = {
    "created": AlertStatus.FIRING,
    "unresolved": AlertStatus.FIRING,
    "resolved": AlertStatus.RESOLVED,
    "archived": AlertStatus.RESOLVED,
    "ignored": AlertStatus.RESOLVED,
}
_METRIC_ACTIONS = {
    "critical": AlertStatus.FIRING,
    "warning": AlertStatus.FIRING,
    "open": AlertStatus.FIRING,
    "resolved": AlertStatus.RESOLVED,
}
_PROJECT = re.compile(r"/projects/([^/]+)/([^/]+)/")


class Sentry:
    """The source `sentry`."""

    timeless = False

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alert of one webhook, or the remark that it is about something else.

        Raises:
            InvalidInput: the body is no webhook of Sentry's integration platform.
        """
        del now
        if at(body, "project_slug") is not None and is_object(at(body, "event")):
            return one(self._plugin(body))
        data, action = at(body, "data"), text(body, "action")
        if not is_object(data) or not action:
            raise InvalidInput(
                "the body is no webhook of Sentry's integration platform",
                [f"{'action' if is_object(data) else 'data'}: Field required"],
            )
        resource = next((value for name, value in headers.items() if name.lower() == _HEADER), "")
        resource = resource or next((kind for field, kind in _RESOURCES.items() if field in data), "")
        what = f"{cut_text(resource or 'a webhook', 60)} {cut_text(action, 60)} is no alert"
        if resource == "event_alert":
            return one(self._event(data, "event"))
        if resource == "error":
            return one(self._event(data, "error") if action == "created" else what)
        if resource == "metric_alert":
            status = _METRIC_ACTIONS.get(action)
            return one(what if status is None else self._metric(data, action, status))
        if resource == "issue":
            status = _ISSUE_ACTIONS.get(action)
            return one(what if status is None else self._issue(data, action, status))
        return one(what)

    def _event(self, data: Any, field: str) -> Alert | str:
        event, where = data.get(field), f"data.{field}"
        level = text(event, "level")
        tags = _tags(event)
        if tags.get("sample_event") == "yes":
            return "Sentry tests with a sample event"
        place = _PROJECT.search(text(event, "url"))
        labels, rest = labelled(
            {
                "organization": place[1] if place else "",
                "project": place[2] if place else text(event, "project"),
                "level": level,
                "severity": _SEVERITIES.get(level, ""),
                "platform": at(event, "platform"),
                "release": first(text(event, "release"), tags.get("release", "")),
                "environment": first(text(event, "environment"), tags.get("environment", "")),
            }
        )
        notes = {
            "summary": first(text(event, "message"), text(event, "metadata", "value"), text(event, "title")),
            "rule": first(text(data, "triggered_rule"), text(data, "issue_alert", "title")),
            "culprit": at(event, "culprit"),
            "event_id": at(event, "event_id"),
            "issue_url": at(event, "issue_url"),
        }
        began = first(text(event, "datetime"), text(event, "timestamp"), text(event, "received"))
        return finished(
            Alert.model_construct(
                source=self.name,
                name=needed(event, where, "title"),
                fingerprint=_issue_id(event, where),
                status=AlertStatus.FIRING,
                severity=_SEVERITIES.get(level, ""),
                labels=labels,
                annotations=texts(notes) | {f"tag.{name}": value for name, value in tags.items()} | rest,
                starts_at=moment(began or None, f"{where}.datetime"),
                url=first(text(event, "web_url"), text(event, "url")),
            ),
            where,
        )

    def _plugin(self, body: Any) -> Alert:
        """Read what the webhooks plugin sends, which is older than the integration platform and signs nothing."""
        event, level = at(body, "event"), text(body, "level")
        tags = _tags(event)
        labels, rest = labelled(
            {
                "project": at(body, "project_slug"),
                "level": level,
                "severity": _SEVERITIES.get(level, ""),
                "platform": at(event, "platform"),
                "release": first(text(event, "release"), tags.get("release", "")),
                "environment": first(text(event, "environment"), tags.get("environment", "")),
            }
        )
        notes = {
            "summary": at(body, "message"),
            "rule": text(body, "triggering_rules", 0),
            "culprit": at(body, "culprit"),
            "event_id": at(event, "event_id"),
        }
        began = first(text(event, "timestamp"), text(event, "received"), text(event, "datetime"))
        return finished(
            Alert.model_construct(
                source=self.name,
                name=first(text(event, "title"), text(body, "message")) or needed(body, "", "message"),
                fingerprint=needed(body, "", "id"),
                status=AlertStatus.FIRING,
                severity=_SEVERITIES.get(level, ""),
                labels=labels,
                annotations=texts(notes) | {f"tag.{name}": value for name, value in tags.items()} | rest,
                starts_at=moment(began or None, "event.timestamp"),
                url=text(body, "url"),
            ),
            "body",
        )

    def _issue(self, data: Any, action: str, status: AlertStatus) -> Alert:
        issue, where = data.get("issue"), "data.issue"
        level = text(issue, "level")
        labels, rest = labelled(
            {
                "organization": at(issue, "organization", "slug"),
                "project": first(text(issue, "project", "slug"), text(issue, "project", "name")),
                "level": level,
                "severity": _SEVERITIES.get(level, ""),
                "platform": at(issue, "platform"),
            }
        )
        notes = {
            "summary": first(text(issue, "metadata", "value"), text(issue, "title")),
            "culprit": at(issue, "culprit"),
            "short_id": at(issue, "shortId"),
            "count": at(issue, "count"),
            "action": action,
        }
        # An issue that comes back began anew when it was last seen, and at its end nothing says when it began.
        field = "firstSeen" if action == "created" else "lastSeen"
        return finished(
            Alert.model_construct(
                source=self.name,
                name=needed(issue, where, "title"),
                fingerprint=needed(issue, where, "id"),
                status=status,
                severity=_SEVERITIES.get(level, ""),
                labels=labels,
                annotations=texts(notes) | rest,
                starts_at=moment(first(text(issue, field), text(issue, "firstSeen")) or None, f"{where}.{field}"),
                undated=status is AlertStatus.RESOLVED,
                url=first(text(issue, "web_url"), text(issue, "permalink"), text(issue, "url")),
            ),
            where,
        )

    def _metric(self, data: Any, action: str, status: AlertStatus) -> Alert:
        alert, where = data.get("metric_alert"), "data.metric_alert"
        rule = at(alert, "alert_rule")
        labels, rest = labelled(
            {
                "organization": at(alert, "organization_id"),
                "project": text(alert, "projects", 0),
                "environment": at(rule, "environment"),
                "rule_id": at(rule, "id"),
            }
        )
        notes = {
            "summary": first(text(data, "description_title"), text(alert, "title")),
            "description": at(data, "description_text"),
            "aggregate": at(rule, "aggregate"),
            "query": at(rule, "query"),
            "incident": at(alert, "identifier"),
        }
        began = first(text(alert, "date_started"), text(alert, "date_detected"), text(alert, "date_created"))
        return finished(
            Alert.model_construct(
                source=self.name,
                name=first(text(rule, "name"), text(alert, "title")) or needed(alert, where, "title"),
                fingerprint=f"metric-alert/{first(text(rule, 'id'), text(alert, 'id')) or needed(alert, where, 'id')}",
                status=status,
                severity=_SEVERITIES.get(action, ""),
                labels=labels,
                annotations=texts(notes) | rest,
                starts_at=moment(began or None, f"{where}.date_started"),
                ends_at=maybe_moment(at(alert, "date_closed")) if status is AlertStatus.RESOLVED else None,
                url=text(data, "web_url"),
            ),
            where,
        )


def build(name: str, settings: Source) -> AlertSource:
    """Build the source from its settings, of which it needs none."""
    del settings
    return Sentry(name)


def _issue_id(event: Any, where: str) -> str:
    """Give the id of an event's issue: what says so, or what the address of the issue ends with."""
    found = first(text(event, "issue_id"), text(event, "groupID"))
    found = found or text(event, "issue_url").rstrip("/").rpartition("/")[2]
    if not found:
        raise missing(f"{where}.issue_id")
    return found


def _tags(event: Any) -> dict[str, str]:
    pairs = at(event, "tags")
    return {
        first(text(pair, 0), text(pair, "key")): first(text(pair, 1), text(pair, "value"))
        for pair in (pairs if is_list(pairs) else ())
        if first(text(pair, 0), text(pair, "key"))
    }
