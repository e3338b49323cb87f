"""New Relic's issues by a workflow's webhook, in its default template, and incidents of the channels of before."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
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
        del headers
        if not (is_object(body) or is_list(body)):
            raise InvalidInput("the body is no notification of New Relic", ["body: an object was expected"])
        return each(body if is_list(body) else [body], "issues" if is_list(body) else "body", partial(self._read, now))

    def _read(self, now: datetime, raw: Any, where: str) -> Alert | str:
        state = first(_one(raw, "state"), _one(raw, "current_state"))
        if not state:
            raise missing(f"{where}.state")
        if _one(raw, "id") == _SAMPLE:
            return "New Relic tests the destination"
        status = _STATUSES.get(state.lower())
        if status is None:
            return f"state {cut_text(state, 60)} is no alert"
        read = self._incident if at(raw, "current_state") else self._issue
        return read(raw, where, status, now)

    def _issue(self, raw: Any, where: str, status: AlertStatus, now: datetime) -> Alert:
        condition, title = _one(raw, "alertConditionNames"), _one(raw, "title")
        identity = first(_one(raw, "id"), _one(raw, "issueId")) or needed(raw, where, "id")
        priority = first(_one(raw, "priority"), _one(raw, "severity"))
        severity = _SEVERITIES.get(priority.lower(), "")
        labels, rest = labelled(
            {
                "condition": condition,
                "policy": _one(raw, "alertPolicyNames"),
                "entity": _one(raw, "impactedEntities"),
                "severity": severity,
                "priority": priority,
                "workflow": _one(raw, "workflowName"),
                "origin": first(_one(raw, "sources"), _one(raw, "source")),
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
        began, told = _one(raw, "createdAt"), _one(raw, "updatedAt")
        ended = first(_one(raw, "closedAt"), told)
        return finished(
            Alert.model_construct(
                source=self.name,
                name=first(condition, title) or needed(raw, where, "title"),
                fingerprint=identity,
                status=status,
                severity=severity,
                labels=labels,
                annotations=texts(notes) | rest,
                starts_at=moment(began, f"{where}.createdAt") if began else maybe_moment(told) or now,
                ends_at=maybe_moment(ended) if status is AlertStatus.RESOLVED else None,
                # A template may leave the start out: an issue is one episode, and what comes after it is another issue.
                cycle="" if began else identity,
                undated=not began,
                url=first(_one(raw, "issueUrl"), _one(raw, "issuePageUrl")),
            ),
            where,
        )

    def _incident(self, raw: Any, where: str, status: AlertStatus, now: datetime) -> Alert:
        severity = _SEVERITIES.get(_one(raw, "severity").lower(), "")
        condition = _one(raw, "condition_name")
        labels, rest = labelled(
            {
                "condition": condition,
                "condition_id": _one(raw, "condition_id"),
                "policy": first(_one(raw, "policy_name"), _one(raw, "alertPolicyNames")),
                "entity": first(
                    text(raw, "targets", 0, "name"), text(raw, "targets", "name"), _one(raw, "impactedEntities")
                ),
                "severity": severity,
                "priority": _one(raw, "severity"),
                "account_id": at(raw, "account_id"),
            }
        )
        notes = {"summary": at(raw, "details"), "entities": at(raw, "targets"), "runbook_url": at(raw, "runbook_url")}
        identity = needed(raw, where, "incident_id")
        told = first(_one(raw, "timestamp"), _one(raw, "updatedAt"))
        when = moment(told, f"{where}.timestamp") if told else now
        return finished(
            Alert.model_construct(
                source=self.name,
                name=condition or needed(raw, where, "condition_name"),
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
