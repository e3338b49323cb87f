"""Events of EventBridge: which part of AWS they tell of, and what anything else is that happened."""

from collections.abc import Callable
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, digest, is_list, is_object
from halon.gateway.parsing import Parsed
from halon.gateway.sources import _cloudtrail, _costs, _guardduty, _health, _ocsf, _securityhub, _standing
from halon.gateway.sources._aws import OVER, is_over, severity_of
from halon.gateway.sources._cloudwatch import state_change
from halon.gateway.sources._reading import (
    WARNING,
    at,
    beside,
    each,
    finished,
    labelled,
    missing,
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
    """Read each event by itself, and each finding of one that has several."""
    items = [(event, finding) for event in events for finding in _findings(event)]
    return each(items, place, lambda item, where: _read(source, item, where))


def _findings(event: Any) -> list[Any]:
    """Give the findings of an event; one of which nothing is known where it is an event of another kind."""
    several = (*_securityhub.KINDS, *_ocsf.KINDS)
    return _securityhub.findings(event) if is_event(event) and event["detail-type"] in several else [None]


def _read(source: str, item: tuple[Any, Any], where: str) -> Alert | str:
    event, finding = item
    kind = needed(event, where, "detail-type")
    if not is_object(at(event, "detail")):
        raise missing(f"{where}.detail", "an object was expected")
    if kind in _securityhub.KINDS:
        return _securityhub.finding(source, event, finding, where)
    if kind in _ocsf.KINDS:
        return _ocsf.finding(source, event, finding, where)
    # Insights of CloudTrail come by the same way and are no calls.
    called = kind.endswith(_cloudtrail.SUFFIX) and text(event, "detail", "eventName")
    reader = _cloudtrail.call if called else _READERS.get(kind, _happened)
    return reader(source, event, where)


def _anomaly(source: str, event: Any, where: str) -> Alert:
    return _costs.anomaly(source, at(event, "detail"), f"{where}.detail", _about(event))


def _configured(_source: str, _event: Any, _where: str) -> str:
    return "an alarm was configured, which is no alert"


def _about(event: Any) -> dict[str, Any]:
    given = {"event_source": at(event, "source"), "event_type": at(event, "detail-type")}
    return {"account": at(event, "account"), "region": at(event, "region")} | given


def _happened(source: str, event: Any, where: str) -> Alert | str:
    """Give the alert of an event of which nothing is known but that it happened."""
    kind = text(event, "detail-type")
    detail = at(event, "detail")
    if any(is_over(text(detail, name)) for name in ("status", "state")):
        return f"{cut_text(kind, 200)}: {OVER}"
    listed = at(event, "resources")
    resources = [text(one) for one in listed] if is_list(listed) else []
    plain = {
        name: value
        for name, value in (detail if is_object(detail) else {}).items()
        if not (is_object(value) or is_list(value))
    }
    severity = severity_of(text(detail, "severity")) or WARNING
    own = _about(event) | {"resource": resources[0] if len(resources) == 1 else ""}
    labels, rest = labelled(beside(own, plain))
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


_READERS: dict[str, Callable[[str, Any, str], Alert | str]] = {
    "CloudWatch Alarm State Change": state_change,
    "CloudWatch Alarm Contributor State Change": state_change,
    "CloudWatch Alarm Configuration Change": _configured,
    "GuardDuty Finding": _guardduty.finding,
    _costs.ANOMALY: _anomaly,
    **dict.fromkeys(_health.KINDS, _health.health_event),
    **dict.fromkeys(_standing.KINDS, _standing.standing),
}
"""How an event is read, by its `detail-type`."""
