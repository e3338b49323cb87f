"""Findings of Security Hub in the open schema, OCSF, in which its newer half tells them."""

from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import digest, is_list
from halon.gateway.sources._aws import console, severity_of
from halon.gateway.sources._reading import (
    at,
    finished,
    first,
    labelled,
    maybe_moment,
    moment,
    needed,
    text,
    texts,
)
from halon.gateway.sources._securityhub import resource_labels

KINDS = ("Findings Imported V2",)
_ENDED = frozenset({"suppressed", "resolved", "archived", "deleted", "closed"})
_CLOSED = 3
"""The activity that ends a finding."""
_PASSED = "pass"
_MAX_RESOURCES = 32
_MAX_ID = 400


def finding(source: str, event: Any, given: Any, where: str) -> Alert:
    """Give the alert of one finding.

    Raises:
        InvalidInput: it lacks what names it.
    """
    about, cloud = at(given, "finding_info"), at(given, "cloud")
    identity = first(text(given, "metadata", "uid"), text(about, "uid")) or needed(given, where, "finding_info", "uid")
    title = needed(given, where, "finding_info", "title")
    region = first(text(cloud, "region"), text(event, "region"))
    ended = _ended(given)
    began = _time(about, "first_seen_time") or _time(about, "created_time") or _time(given, "time")
    resources = _resources(given)
    labels, rest = labelled(
        {"finding_type": at(about, "types", 0), "control": at(given, "compliance", "control")}
        | {"account": first(text(cloud, "account", "uid"), text(event, "account")), "region": region}
        | {"event_source": at(event, "source"), "event_type": at(event, "detail-type")}
        | {"product": at(given, "metadata", "product", "name"), "generator": at(about, "analytic", "name")}
        | resource_labels(resources)
    )
    return finished(
        Alert.model_construct(
            source=source,
            name=title,
            fingerprint=identity if len(identity) <= _MAX_ID else digest(identity),
            status=AlertStatus.RESOLVED if ended else AlertStatus.FIRING,
            severity=severity_of(text(given, "severity")),
            labels=labels,
            annotations=texts(
                {"summary": title, "description": at(about, "desc"), "finding_id": at(about, "uid")}
                | {"status": at(given, "status"), "compliance": at(given, "compliance", "status")}
                | {"severity_label": at(given, "severity"), "class": at(given, "class_name")}
                | {"resources": ", ".join(text(one, "Id") for one in resources)}
                | {"remediation": at(given, "remediation", "desc"), "last_seen": _time(about, "last_seen_time")}
                | {"event_id": at(event, "id")}
            )
            | rest,
            starts_at=moment(began, f"{where}.finding_info.created_time_dt"),
            ends_at=maybe_moment(_time(about, "modified_time") or _time(given, "time")) if ended else None,
            url=console(text(cloud, "cloud_partition") or "aws", region, "securityhub/v2/home?region=REGION#/findings"),
        ),
        where,
    )


def _ended(given: Any) -> bool:
    passed = text(given, "compliance", "status").lower() == _PASSED
    return passed or text(given, "status").lower() in _ENDED or at(given, "activity_id") == _CLOSED


def _time(given: Any, name: str) -> Any:
    """Give a time, which stands there as text, as a number, or as both."""
    return at(given, f"{name}_dt") or at(given, name)


def _resources(given: Any) -> list[dict[str, str]]:
    listed = at(given, "resources")
    found = listed[:_MAX_RESOURCES] if is_list(listed) else []
    return [{"Type": text(one, "type"), "Id": first(text(one, "uid"), text(one, "name"))} for one in found]
