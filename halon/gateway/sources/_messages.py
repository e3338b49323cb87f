"""Messages that programs publish: what an alarm, an event or a budget says in one, and what anything else is.

What says nothing of an end is told as something that happened: it fires once, and each message is an episode.
"""

from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import digest, is_list, is_object
from halon.gateway.parsing import BadJson, Parsed, parse_json
from halon.gateway.sources._aws import OVER, is_over, is_over_title, severity_of
from halon.gateway.sources._cloudwatch import alarm, is_alarm
from halon.gateway.sources._costs import Message, anomaly, budget, is_anomaly, is_budget
from halon.gateway.sources._events import is_event, read_events
from halon.gateway.sources._reading import (
    WARNING,
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
    one,
    text,
    texts,
)
from halon.redaction import cut_text

_MAX_TITLE = 200
_OWN = ("name", "fingerprint")
"""What a message has that is written for Halon: the names of an alert's own fields."""
_TESTS = ("autoscaling:TEST_NOTIFICATION", "s3:TestEvent")
"""What services of AWS publish when somebody names the topic as the place for their events."""
_TEST_TEXT = "Successfully validated SNS topic for Amazon SES"
_STATUSES = {"firing": AlertStatus.FIRING, "resolved": AlertStatus.RESOLVED}


def read_message(message: Message) -> Parsed:
    """Give the alerts of a message.

    Raises:
        InvalidInput: it is JSON that is cut off, or an alarm or event without what decides.
    """
    given = message.body.strip()
    value: Any = None
    if given.startswith(("{", "[")):
        try:
            value = parse_json(given.encode())
        except BadJson as error:
            # Text may begin with a bracket, as Alertmanager's do.
            if given.startswith("{"):
                raise missing(message.where, f"it begins as JSON, and {error}") from error
    if at(value, "Event") in _TESTS or given.startswith(_TEST_TEXT):
        return one("a service of AWS tests the topic")
    if is_list(value) and value and all(map(is_object, value)):
        return _listed(message, value)
    if is_event(value):
        return read_events(message.source, [value], message.where)
    return one(_read(message, value, message.where))


def _listed(message: Message, values: list[Any]) -> Parsed:
    if all(map(is_event, values)):
        return read_events(message.source, values, message.where)
    return each(values, message.where, lambda value, where: _read(message, value, where))


def _read(message: Message, value: Any, where: str) -> Alert | str:
    if is_alarm(value):
        return alarm(message.source, value, where, message.place)
    if is_anomaly(value):
        return anomaly(message.source, value, where, message.labels())
    if is_object(value):
        if all(text(value, name).strip() for name in _OWN):
            return _given(message, value, where)
        over = any(is_over(text(value, name)) for name in ("status", "state"))
        return OVER if over else _object(message, value, where)
    if is_budget(message):
        return budget(message)
    return OVER if is_over_title(message.subject or message.body) else _text(message)


def _given(message: Message, value: dict[str, Any], where: str) -> Alert:
    """Give the alert of a message that is written for Halon."""
    status = _STATUSES.get(first(text(value, "status"), "firing").lower())
    if status is None:
        raise missing(f"{where}.status", "firing or resolved was expected")
    given, own = value.get("labels"), value.get("annotations")
    labels, rest = labelled((given if is_object(given) else {}) | message.labels())
    started = text(value, "starts_at")
    resolved = status is AlertStatus.RESOLVED
    return finished(
        Alert.model_construct(
            source=message.source,
            name=needed(value, where, "name"),
            fingerprint=needed(value, where, "fingerprint"),
            status=status,
            severity=text(value, "severity"),
            labels=labels,
            annotations=texts({"message_id": message.id}) | texts(own if is_object(own) else {}) | rest,
            starts_at=moment(started, f"{where}.starts_at") if started else message.at,
            ends_at=(maybe_moment(value.get("ends_at")) or message.at) if resolved else None,
            undated=resolved and not started,
            url=text(value, "url"),
        ),
        where,
    )


def _object(message: Message, value: dict[str, Any], where: str) -> Alert:
    """Give the alert of a message of which nothing is known but that it is JSON."""
    plain = {name: found for name, found in value.items() if not (is_object(found) or is_list(found))}
    severity = severity_of(text(value, "severity"))
    labels, rest = labelled(beside(message.labels(), plain | {"severity": severity}))
    return _happened(message, labels, {"description": message.body} | rest, severity, where)


def _text(message: Message) -> Alert:
    """Give the alert of a message in plain text."""
    labels, rest = labelled(message.labels())
    return _happened(message, labels, {"description": message.body} | rest, "", message.where)


def _happened(message: Message, labels: dict[str, str], notes: dict[str, str], severity: str, where: str) -> Alert:
    lines = (line.strip() for line in message.body.splitlines())
    title = "" if message.body.lstrip().startswith(("{", "[")) else next(filter(None, lines), "")
    name = first(message.subject, title[:_MAX_TITLE], message.topic.rpartition(":")[2], "message")
    return finished(
        Alert.model_construct(
            source=message.source,
            name=name.strip(),
            fingerprint=digest([message.topic, name])[:16],
            status=AlertStatus.FIRING,
            severity=severity or WARNING,
            labels=labels,
            annotations=texts({"summary": name, "message_id": message.id}) | texts(notes),
            starts_at=message.at,
            cycle=cut_text(message.id, 400),
        ),
        where,
    )
