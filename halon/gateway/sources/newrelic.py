"""New Relic's issues by a workflow's webhook, in its default template, and incidents of the channels of before."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, is_list, is_object
from halon.errors import InvalidInput
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource, Parsed
from halon.gateway.sources._reading import (
    CRITICAL,
    INFO,
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
    text,
    texts,
)
from halon.redaction import cut_text
from halon.settings import Source

SENDER = Sender("New Relic", ("bearer", "basic", "header"))
_STATUSES = {
    "created": AlertStatus.FIRING,
    "activated": AlertStatus.FIRING,
    "open": AlertStatus.FIRING,
    "opened": AlertStatus.FIRING,
    "closed": AlertStatus.RESOLVED,
    "resolved": AlertStatus.RESOLVED,
    "deactivated": AlertStatus.RESOLVED,
}
_SEVERITIES = {"critical": CRITICAL, "high": WARNING, "warning": WARNING, "medium": WARNING, "low": INFO, "info": INFO}
"""An issue's priority is HIGH when the threshold for warnings was crossed."""
_SAMPLE = "d1b1f3fd-995a-4066-88ab-8ce4f6960654"
"""The issue that New Relic sends when somebody tests a destination."""


class NewRelic:
    """The source `newrelic`."""

    timeless = True

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alerts of one notification: of an issue, or of a list of them.

        Raises:
            InvalidInput: the body is no notification of New Relic's.
        """
        del headers, now
        if not (is_object(body) or is_list(body)):
            raise InvalidInput("the body is no notification of New Relic", ["body: an object was expected"])
        return each(body if is_list(body) else [body], "issues" if is_list(body) else "body", self._read)

    def _read(self, raw: Any, where: str) -> Alert | str:
        state = first(_one(raw, "state"), _one(raw, "current_state"))
        if not state:
            raise missing(f"{where}.state")
        if _one(raw, "id") == _SAMPLE:
            return "New Relic tests the destination"
        status = _STATUSES.get(state.lower())
        if status is None:
            return f"state {cut_text(state, 60)} is no alert"
        return self._incident(raw, where, status) if at(raw, "current_state") else self._issue(raw, where, status)

    def _issue(self, raw: Any, where: str, status: AlertStatus) -> Alert:
        condition, title = _one(raw, "alertConditionNames"), _one(raw, "title")
        priority = _one(raw, "priority")
        severity = _SEVERITIES.get(priority.lower(), "")
        labels, rest = labelled(
            {
                "condition": condition,
                "policy": _one(raw, "alertPolicyNames"),
                "entity": _one(raw, "impactedEntities"),
                "severity": severity,
                "priority": priority,
                "workflow": _one(raw, "workflowName"),
                "origin": _one(raw, "sources"),
                "account_id": first(_one(raw, "accountId"), _one(raw, "nrAccountId")),
            }
        )
        notes = {
            "summary": title,
            "description": at(raw, "description"),
            "entities": at(raw, "impactedEntities"),
            "incidents": at(raw, "totalIncidents"),
            "trigger": _one(raw, "trigger"),
            "runbook_url": _one(raw, "runbookUrl"),
        }
        ended = first(_one(raw, "closedAt"), _one(raw, "updatedAt"))
        return finished(
            Alert.model_construct(
                source=self.name,
                name=first(condition, title) or needed(raw, where, "title"),
                fingerprint=first(_one(raw, "id"), _one(raw, "issueId")) or needed(raw, where, "id"),
                status=status,
                severity=severity,
                labels=labels,
                annotations=texts(notes) | rest,
                starts_at=moment(_one(raw, "createdAt"), f"{where}.createdAt"),
                ends_at=maybe_moment(ended) if status is AlertStatus.RESOLVED else None,
                url=first(_one(raw, "issueUrl"), _one(raw, "issuePageUrl")),
            ),
            where,
        )

    def _incident(self, raw: Any, where: str, status: AlertStatus) -> Alert:
        severity = _SEVERITIES.get(text(raw, "severity").lower(), "")
        labels, rest = labelled(
            {
                "condition": at(raw, "condition_name"),
                "condition_id": at(raw, "condition_id"),
                "policy": at(raw, "policy_name"),
                "entity": first(text(raw, "targets", 0, "name"), text(raw, "targets", "name")),
                "severity": severity,
                "priority": at(raw, "severity"),
                "account_id": at(raw, "account_id"),
            }
        )
        notes = {"summary": at(raw, "details"), "entities": at(raw, "targets"), "runbook_url": at(raw, "runbook_url")}
        identity = needed(raw, where, "incident_id")
        when = moment(at(raw, "timestamp"), f"{where}.timestamp")
        return finished(
            Alert.model_construct(
                source=self.name,
                name=needed(raw, where, "condition_name"),
                fingerprint=identity,
                status=status,
                severity=severity,
                labels=labels,
                annotations=texts(notes) | rest,
                starts_at=when,
                ends_at=when if status is AlertStatus.RESOLVED else None,
                cycle=identity,
                undated=True,
                url=text(raw, "incident_url"),
            ),
            where,
        )


def build(name: str, settings: Source) -> AlertSource:
    """Build the source from its settings, of which it needs none."""
    del settings
    return NewRelic(name)


def _one(raw: Any, field: str) -> str:
    """Give a field as text; of a list the first, because templates write `{{json}}` of what may hold several."""
    found = at(raw, field)
    return text(found, 0) if is_list(found) else text(found)
