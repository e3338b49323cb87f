"""Events of EventBridge: which part of AWS they tell of, and what anything else is that happened."""

from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, digest, is_list, is_object
from halon.gateway.parsing import Parsed
from halon.gateway.sources._aws import severity_of
from halon.gateway.sources._cloudwatch import state_change
from halon.gateway.sources._reading import (
    WARNING,
    at,
    each,
    finished,
    labelled,
    moment,
    needed,
    text,
    texts,
)
from halon.redaction import cut_text


def is_event(body: Any) -> bool:
    """Whether a body is an event's envelope."""
    return is_object(body) and isinstance(body.get("detail-type"), str) and is_object(body.get("detail"))


def read_events(source: str, events: list[Any], place: str) -> Parsed:
    """Read each event by itself."""
    return each(events, place, lambda event, where: _read(source, event, where))


def _read(source: str, event: Any, where: str) -> Alert | str:
    match needed(event, where, "detail-type"):
        case "CloudWatch Alarm State Change":
            return state_change(source, event, where)
        case kind:
            return _happened(source, event, kind, where)


def _happened(source: str, event: Any, kind: str, where: str) -> Alert:
    """Give the alert of an event of which nothing is known but that it happened."""
    detail = at(event, "detail")
    listed = at(event, "resources")
    resources = [text(one) for one in listed] if is_list(listed) else []
    plain = {
        name: value
        for name, value in (detail if is_object(detail) else {}).items()
        if not (is_object(value) or is_list(value))
    }
    severity = severity_of(text(detail, "severity")) or WARNING
    labels, rest = labelled(
        {"event_source": at(event, "source"), "event_type": kind}
        | {"account": at(event, "account"), "region": at(event, "region")}
        | {"resource": resources[0] if len(resources) == 1 else ""}
        | plain
    )
    condition: list[Json] = [
        text(event, "source"),
        kind,
        text(event, "account"),
        text(event, "region"),
        ",".join(sorted(resources)),
    ]
    return finished(
        Alert.model_construct(
            source=source,
            name=kind,
            fingerprint=digest(condition)[:16],
            status=AlertStatus.FIRING,
            severity=severity,
            labels=labels,
            annotations=texts({"event_id": at(event, "id"), "resources": ", ".join(resources), "detail": detail})
            | rest,
            starts_at=moment(at(event, "time"), f"{where}.time"),
            cycle=cut_text(text(event, "id"), 400),
        ),
        where,
    )
