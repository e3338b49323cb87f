"""How the reads tell conditions, ages and messages, the same for every kind of object. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from halon.clients.kubernetes.objects import Condition, Metadata
from halon.contracts.base import Duration
from halon.kit.action import Output
from halon.redaction import redact_text

MAX_TEXT = 1000
"""Characters of one message."""
MAX_CONDITIONS = 20


class ConditionTold(Output):
    """A condition."""

    type: str
    """Such as `Failed` of a Job or `ScalingLimited` of an autoscaler."""
    status: str
    """`True`, `False` or `Unknown`."""
    reason: str
    """One word, such as `BackoffLimitExceeded`."""
    message: str
    """What looks like a secret is masked."""
    lasts: Duration | None
    """Since when it is so; null when nobody wrote that down."""


def conditions(found: Sequence[Condition], now: datetime) -> tuple[ConditionTold, ...]:
    """Tell conditions."""
    return tuple(
        ConditionTold(
            type=one.type,
            status=one.status,
            reason=one.reason,
            message=said(one.message),
            lasts=since(one.last_transition_time, now),
        )
        for one in found[:MAX_CONDITIONS]
    )


def said(message: str) -> str:
    """A message as it may be shown: masked, and not too long."""
    return redact_text(message, MAX_TEXT)


def since(moment: datetime | None, now: datetime) -> timedelta | None:
    """How long ago it was; None when nobody knows when, and nothing less than none when clocks differ."""
    return None if moment is None else max(now - moment, timedelta())


def age(meta: Metadata, now: datetime) -> timedelta:
    """How long ago an object was made."""
    return since(meta.creation_timestamp, now) or timedelta()


def controller(meta: Metadata) -> str:
    """What controls an object, as `CronJob/nightly`, or empty."""
    owner = meta.controller
    return f"{owner.kind}/{owner.name}" if owner else ""
