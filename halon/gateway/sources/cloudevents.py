"""CloudEvents 1.0 over HTTP: structured, batched, or binary with the attributes in headers.

An event says who, what and when. What an alert has besides is read in its data, under the names that Halon's own alerts
have: `name`, `fingerprint`, `status`, `severity`, `labels`, `annotations`, `starts_at`, `ends_at` and `url`.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, digest, is_list, is_object
from halon.errors import InvalidInput
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource, Parsed, parse_json
from halon.gateway.sources._aws import severity_of
from halon.gateway.sources._reading import (
    at,
    beside,
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
from halon.settings import Source

SENDER = Sender("a sender of CloudEvents", ("bearer", "basic", "header", "hmac"), asks=True)
_PREFIX = "ce-"
_OWN = frozenset(
    {"specversion", "id", "source", "type", "time", "datacontenttype", "dataschema", "data", "data_base64"}
)
"""Attributes that are no labels of their own; `subject` and extensions are."""
_MAX_ATTRIBUTES = 40
_MAX_NAMED = 400
_STATUSES = {
    "firing": AlertStatus.FIRING,
    "triggered": AlertStatus.FIRING,
    "open": AlertStatus.FIRING,
    "resolved": AlertStatus.RESOLVED,
    "recovered": AlertStatus.RESOLVED,
    "ok": AlertStatus.RESOLVED,
    "closed": AlertStatus.RESOLVED,
}
_ALERTS = ("name", "fingerprint", "starts_at", "startsAt", "labels", "annotations")
"""Data that has one of these is an alert's: a status that is none is then an error, and elsewhere of another thing."""


class CloudEvents:
    """The source `cloudevents`."""

    timeless = False

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alerts of an event or of a batch.

        Raises:
            InvalidInput: the body is none, and the headers say nothing of one.
        """
        attributes = _attributes(headers)
        if "specversion" in attributes:
            return each([attributes | {"data": body}], "events", lambda raw, where: self._alert(raw, where, now))
        if not (is_list(body) or (is_object(body) and "specversion" in body)):
            raise InvalidInput("neither body nor headers are a CloudEvent", ["specversion: Field required"])
        return each(body if is_list(body) else [body], "events", lambda raw, where: self._alert(raw, where, now))

    def _alert(self, raw: Any, where: str, now: datetime) -> Alert:
        if not needed(raw, where, "specversion").startswith("1."):
            raise missing(f"{where}.specversion", "1.0 was expected")
        identity, origin, kind = (needed(raw, where, name) for name in ("id", "source", "type"))
        data = _data(raw, where)
        subject = text(raw, "subject")
        given = at(data, "labels")
        extensions = {name: value for name, value in raw.items() if name not in _OWN}
        plain = {} if is_object(given) or not is_object(data) else data
        attributes = (given if is_object(given) else {}) | {"event_source": origin, "event_type": kind} | extensions
        flat = {name: value for name, value in plain.items() if not (is_object(value) or is_list(value))}
        labels, rest = labelled(beside(attributes, flat))
        status = _status(data, where)
        severity = first(text(data, "severity"), text(raw, "severity"))
        own = at(data, "annotations")
        when = first(text(data, "starts_at"), text(data, "startsAt"), text(raw, "time"))
        named = first(text(data, "fingerprint"), f"{origin}#{subject}" if subject else "")
        resolved = status is AlertStatus.RESOLVED
        return finished(
            Alert.model_construct(
                source=self.name,
                name=first(text(data, "name"), kind),
                fingerprint=_fingerprint(named, [origin, kind, subject]),
                status=status,
                severity=severity_of(severity) or severity,
                labels=labels,
                annotations=texts({"event_id": identity}) | texts(own if is_object(own) else {}) | rest,
                starts_at=moment(when, f"{where}.time") if when else now,
                ends_at=maybe_moment(first(text(data, "ends_at"), text(raw, "time"))) if resolved else None,
                # An event without a time is told apart by its id, which is the same when it is sent again.
                cycle="" if when else digest([origin, identity])[:16],
                undated=not when or (resolved and not text(data, "starts_at") and not text(data, "startsAt")),
                url=first(text(data, "url"), text(data, "link")),
            ),
            where,
        )


def build(name: str, settings: Source) -> AlertSource:
    """Build the source from its settings, of which it needs none."""
    del settings
    return CloudEvents(name)


def _attributes(headers: Mapping[str, str]) -> dict[str, Any]:
    """Give the attributes that stand in headers, which are percent-encoded there."""
    found = [(name.lower(), value) for name, value in headers.items() if name.lower().startswith(_PREFIX)]
    return {name[len(_PREFIX) :]: unquote(value) for name, value in sorted(found)[:_MAX_ATTRIBUTES]}


def _fingerprint(named: str, about: list[Json]) -> str:
    if not named:
        return digest(about)[:16]
    return named if len(named) <= _MAX_NAMED else digest([*about, named])[:16]


def _status(data: Any, where: str) -> AlertStatus:
    """Give the status: what is no alert happened, whatever state the thing is in that it is about."""
    status = _STATUSES.get(first(text(data, "status"), "firing").lower())
    if status is None and any(at(data, name) for name in _ALERTS):
        raise missing(f"{where}.data.status", "firing or resolved was expected")
    return status or AlertStatus.FIRING


def _data(raw: Any, where: str) -> Any:
    encoded = at(raw, "data_base64")
    if encoded is None:
        return at(raw, "data")
    try:
        return parse_json(base64.b64decode(text(encoded), validate=True))
    except (ValueError, binascii.Error, InvalidInput) as error:
        raise missing(f"{where}.data_base64", "JSON in base64 was expected") from error
