"""Opsgenie's and Jira Service Management's outgoing webhook: one action on one alert a body."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, is_list, is_object
from halon.errors import InvalidInput
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource, Parsed
from halon.gateway.sources._reading import (
    at,
    beside,
    finished,
    first,
    labelled,
    maybe_moment,
    moment,
    needed,
    one,
    ranked,
    tagged,
    text,
    texts,
)
from halon.redaction import cut_text
from halon.settings import Source

SENDER = Sender("Opsgenie", ("bearer", "basic", "header"))
_STATUSES = {"create": AlertStatus.FIRING, "close": AlertStatus.RESOLVED, "delete": AlertStatus.RESOLVED}
_PAGE = "https://app.opsgenie.com/alert/detail/{}/details"


class Opsgenie:
    """The source `opsgenie`."""

    timeless = True

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alert of one action, or the remark that the action starts and ends nothing.

        Raises:
            InvalidInput: the body is no action of Opsgenie's, or its alert lacks what names it.
        """
        del headers, now
        action = text(body, "action")
        if not action:
            raise InvalidInput("the body is no action of Opsgenie's webhook", ["action: Field required"])
        status = _STATUSES.get(action.lower())
        if status is None:
            return one(f"{cut_text(action, 60)} is no alert")
        return one(self._alert(body, status))

    def _alert(self, body: Any, status: AlertStatus) -> Alert:
        given = at(body, "alert")
        where = "alert"
        identity = needed(given, where, "alertId")
        priority = text(given, "priority")
        tags, plain = tagged(at(given, "tags"))
        own = {
            "alias": at(given, "alias"),
            "entity": at(given, "entity"),
            "origin": at(given, "source"),
            "severity": ranked(priority),
            "priority": priority,
            "team": _team(given),
            "tags": ",".join(plain),
        }
        labels, rest = labelled(beside(own, tags))
        details = at(given, "details")
        notes = {
            "summary": at(given, "message"),
            "description": at(given, "description"),
            "tiny_id": at(given, "tinyId"),
            "by": at(given, "username"),
            "note": at(given, "note"),
        }
        return finished(
            Alert.model_construct(
                source=self.name,
                name=needed(given, where, "message"),
                fingerprint=identity,
                status=status,
                severity=ranked(priority),
                labels=labels,
                annotations=texts(notes) | texts(details if is_object(details) else {}) | rest,
                starts_at=moment(at(given, "createdAt"), f"{where}.createdAt"),
                ends_at=maybe_moment(at(given, "updatedAt")) if status is AlertStatus.RESOLVED else None,
                url=first(text(given, "url"), _PAGE.format(identity)),
            ),
            where,
        )


def build(name: str, settings: Source) -> AlertSource:
    """Build the source from its settings, of which it needs none."""
    del settings
    return Opsgenie(name)


def _team(given: Any) -> str:
    teams = at(given, "responders")
    named = [text(team, "name") or text(team, "id") for team in teams] if is_list(teams) else []
    return first(text(given, "team"), ", ".join(filter(None, named)))
