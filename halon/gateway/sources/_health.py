"""Events of AWS Health: what is wrong with AWS itself, and what it will change."""

import re
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import is_list
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
    text,
    texts,
)

KINDS = ("AWS Health Event", "AWS Health Abuse Event")
_STATUSES = {"open": AlertStatus.FIRING, "upcoming": AlertStatus.FIRING, "closed": AlertStatus.RESOLVED}
_SEVERITIES = {"issue": CRITICAL, "investigation": WARNING, "scheduledChange": WARNING, "accountNotification": INFO}
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_MAX_ENTITIES = 100


def health_event(source: str, event: Any, where: str) -> Alert:
    """Give the alert of an event of AWS Health.

    Raises:
        InvalidInput: it lacks what names it, or its status is none that is known.
    """
    detail = at(event, "detail")
    place = f"{where}.detail"
    identity, code = needed(detail, place, "eventArn"), needed(detail, place, "eventTypeCode")
    ended = maybe_moment(at(detail, "endTime"))
    now = maybe_moment(at(event, "time"))
    # Events of some years ago have no status: they are over when their end has come.
    over = ended is not None and now is not None and ended <= now
    said = text(detail, "statusCode") or ("closed" if over else "open")
    status = _STATUSES.get(said)
    if status is None:
        raise missing(f"{place}.statusCode", "open, upcoming or closed was expected")
    category = text(detail, "eventTypeCategory")
    account = first(text(detail, "affectedAccount"), text(event, "account"))
    entities = _entities(detail)
    # An event with many entities comes in pages, of which the last may have one.
    only = entities[0] if len(entities) == 1 and text(detail, "totalPages") in {"", "1"} else ""
    # Reports of abuse name it by its ARN.
    instance = only.rpartition("/")[2]
    labels, rest = labelled(
        {"account": account, "region": first(text(detail, "eventRegion"), text(event, "region"))}
        | {"event_source": at(event, "source"), "event_type": at(event, "detail-type")}
        | {"service": at(detail, "service"), "category": category, "scope": at(detail, "eventScopeCode")}
        | {"entity": only, "instance_id": instance if _INSTANCE.fullmatch(instance) else ""}
        | {"severity": _SEVERITIES.get(category, "")}
    )
    resolved = status is AlertStatus.RESOLVED
    return finished(
        Alert.model_construct(
            source=source,
            name=code,
            # Seen from an organization, one event is many accounts' own.
            fingerprint=f"{identity}/{account}" if text(detail, "affectedAccount") else identity,
            status=status,
            severity=_SEVERITIES.get(category, WARNING),
            labels=labels,
            annotations=texts(
                {"summary": _description(detail), "status": said, "affected_entities": ", ".join(entities)}
                | {"end_time": at(detail, "endTime"), "communication_id": at(detail, "communicationId")}
                | {"page": at(detail, "page"), "total_pages": at(detail, "totalPages"), "event_id": at(event, "id")}
            )
            | rest,
            starts_at=moment(at(detail, "startTime"), f"{place}.startTime"),
            ends_at=(ended or now) if resolved else None,
            url=f"https://health.aws.amazon.com/health/home#/account/event-log?eventID={identity}",
        ),
        where,
    )


def _entities(detail: Any) -> list[str]:
    given = at(detail, "affectedEntities")
    named = [text(one, "entityValue") for one in given[:_MAX_ENTITIES]] if is_list(given) else []
    return sorted(set(filter(None, named)))


def _description(detail: Any) -> str:
    """Give the description, in English when there is one."""
    given = at(detail, "eventDescription")
    told = [(text(one, "language"), text(one, "latestDescription")) for one in given] if is_list(given) else []
    return next((words for language, words in told if language.startswith("en")), told[0][1] if told else "")
