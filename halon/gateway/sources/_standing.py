"""Events of things that stand until they are mended: each says what it is about, and whether it still holds."""

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, digest
from halon.gateway.sources._aws import severity_of
from halon.gateway.sources._reading import (
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
from halon.redaction import cut_text

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Where in an event's detail things stand."""

    identity: tuple[Path, ...]
    """What it is about, all of it together."""
    state: Path
    fires: frozenset[str]
    ends: frozenset[str]
    name: Path = ()
    """Without it the event's type is the name."""
    began: Path = ()
    """Without it the beginning is when the event was told: such events are told when the state changes."""
    severity: Path = ()
    labels: dict[str, Path] = field(default_factory=dict[str, Path])
    gone: Path = ()
    """What is true when it ends because it was deleted, whatever its state."""
    error: Path = ()
    """What stands there when it could not be looked at."""


_ACCESS = _Kind(
    identity=(("id",),),
    state=("status",),
    fires=frozenset({"ACTIVE"}),
    ends=frozenset({"ARCHIVED", "RESOLVED"}),
    began=("createdAt",),
    labels={"finding_type": ("findingType",), "resource_type": ("resourceType",), "resource_id": ("resource",)},
    gone=("isDeleted",),
    error=("error",),
)
_KINDS = {
    "Inspector2 Finding": _Kind(
        identity=(("findingArn",),),
        state=("status",),
        fires=frozenset({"ACTIVE"}),
        ends=frozenset({"CLOSED", "SUPPRESSED"}),
        name=("title",),
        began=("firstObservedAt",),
        severity=("severity",),
        labels={
            "finding_type": ("type",),
            "resource_type": ("resources", 0, "type"),
            "resource_id": ("resources", 0, "id"),
        },
    ),
    "Macie Finding": _Kind(
        identity=(("id",),),
        state=("archived",),
        fires=frozenset({"false", ""}),
        ends=frozenset({"true"}),
        name=("type",),
        began=("createdAt",),
        severity=("severity", "description"),
        labels={"finding_type": ("type",), "bucket_name": ("resourcesAffected", "s3Bucket", "name")},
    ),
    "Config Rules Compliance Change": _Kind(
        identity=(("configRuleARN",), ("configRuleName",), ("resourceType",), ("resourceId",)),
        state=("newEvaluationResult", "complianceType"),
        fires=frozenset({"NON_COMPLIANT"}),
        ends=frozenset({"COMPLIANT"}),
        name=("configRuleName",),
        began=("newEvaluationResult", "resultRecordedTime"),
        labels={"resource_type": ("resourceType",), "resource_id": ("resourceId",)},
    ),
    "Access Analyzer Finding": _ACCESS,
    "Internal Access Finding": _ACCESS,
    "Unused Access Finding for IAM entities": replace(_ACCESS, identity=(("findingId",),)),
    "Trusted Advisor Check Item Refresh Notification": _Kind(
        identity=(("check-name",), ("uuid",)),
        state=("status",),
        fires=frozenset({"WARN", "ERROR"}),
        ends=frozenset({"OK"}),
        name=("check-name",),
        labels={"resource_id": ("resource_id",)},
    ),
}
KINDS = tuple(_KINDS)


def standing(source: str, event: Any, where: str) -> Alert | str:
    """Give the alert of such an event, or the remark that its state is neither.

    Raises:
        InvalidInput: it lacks what names it.
    """
    told, detail = needed(event, where, "detail-type"), at(event, "detail")
    kind, place = _KINDS[told], f"{where}.detail"
    state = text(detail, *kind.state)
    name = first(text(detail, *kind.name) if kind.name else "", told)
    if state not in kind.fires | kind.ends:
        return f"{cut_text(name, 200)}: {cut_text(state, 60) or 'no state'} begins no alert and ends none"
    gone = bool(kind.gone) and at(detail, *kind.gone) is True
    resolved = gone or state in kind.ends
    failed = text(detail, *kind.error) if kind.error else ""
    if failed and not resolved:
        return f"{cut_text(name, 200)}: {cut_text(failed, 60)}, a check that could not be made begins no alert"
    about: list[Json] = [text(detail, *path) for path in kind.identity]
    if not any(about):
        raise missing(".".join((place, *map(str, kind.identity[0]))))
    account = first(text(detail, "awsAccountId"), text(detail, "accountId"), text(event, "account"))
    region = text(event, "region")
    severity = severity_of(text(detail, *kind.severity)) if kind.severity else WARNING
    began = text(detail, *kind.began) if kind.began else ""
    labels, rest = labelled(
        {"account": account, "region": region, "event_source": at(event, "source"), "event_type": told}
        | {label: at(detail, *path) for label, path in kind.labels.items()}
    )
    return finished(
        Alert.model_construct(
            source=source,
            name=name,
            fingerprint=digest([told, account, region, *about])[:16],
            status=AlertStatus.RESOLVED if resolved else AlertStatus.FIRING,
            severity=severity or WARNING,
            labels=labels,
            annotations=texts(
                {"summary": first(text(detail, "title"), name), "description": at(detail, "description")}
                | {"state": state, "detail": detail, "event_id": at(event, "id")}
            )
            | rest,
            starts_at=maybe_moment(began) or moment(at(event, "time"), f"{where}.time"),
            ends_at=maybe_moment(at(event, "time")) if resolved else None,
            # Not every end says when it began, and a thing is only once in a state.
            undated=resolved,
        ),
        where,
    )
