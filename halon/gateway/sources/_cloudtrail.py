"""Calls and sign-ins that CloudTrail recorded: who did what, to what. Each happened once and never ends."""

from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, digest, is_list, is_object
from halon.gateway.sources._reading import (
    WARNING,
    at,
    finished,
    first,
    labelled,
    moment,
    needed,
    text,
    texts,
)
from halon.redaction import cut_text

SUFFIX = " via CloudTrail"
_ROLE = "AssumedRole"
_TARGETS = {
    "bucket_name": ("bucketName",),
    "instance_id": ("instanceId",),
    "target_user": ("userName",),
    "target_role": ("roleName",),
    "target_access_key_id": ("accessKeyId",),
    "function_name": ("functionName",),
    "db_instance": ("dBInstanceIdentifier",),
    "group_id": ("groupId",),
    "trail": ("name",),
}
"""Labels of what a call acted on, and the parameters that say so."""
_OF_TRAILS = "cloudtrail.amazonaws.com"
_MAX_PARAMETERS = 30


def call(source: str, event: Any, where: str) -> Alert:
    """Give the alert of an event that came by way of CloudTrail.

    Raises:
        InvalidInput: it lacks what names it.
    """
    detail = at(event, "detail")
    place = f"{where}.detail"
    name = needed(detail, place, "eventName")
    who = at(detail, "userIdentity")
    given = at(detail, "requestParameters")
    service = text(detail, "eventSource")
    account = first(text(detail, "recipientAccountId"), text(event, "account"))
    region = first(text(detail, "awsRegion"), text(event, "region"))
    actor = _actor(who)
    targets = {label: at(given, *path) for label, path in _TARGETS.items()}
    if service != _OF_TRAILS:
        del targets["trail"]
    instances = at(given, "instancesSet", "items")
    if is_list(instances) and len(instances) == 1:
        targets["instance_id"] = at(instances[0], "instanceId")
    labels, rest = labelled(
        {"account": account, "region": region}
        | {"event_source": at(event, "source"), "event_type": at(event, "detail-type")}
        | {"api": name, "api_service": service, "error_code": at(detail, "errorCode")}
        | {"result": at(detail, "responseElements", name)}
        | actor
        | targets
    )
    identity = first(text(detail, "eventID"), text(event, "id"))
    condition: list[Json] = [
        account,
        region,
        service,
        name,
        first(text(actor["principal_arn"]), text(actor["principal_id"])),
    ]
    return finished(
        Alert.model_construct(
            source=source,
            name=name,
            fingerprint=digest(condition)[:16],
            status=AlertStatus.FIRING,
            severity=WARNING,
            labels=labels,
            annotations=texts(
                {"summary": f"{name} by {first(text(who, 'arn'), text(who, 'type'), 'unknown')}", "event_id": identity}
                | {"remote_ip": at(detail, "sourceIPAddress"), "user_agent": at(detail, "userAgent")}
                | {"error": at(detail, "errorMessage"), "mfa": at(detail, "additionalEventData", "MFAUsed")}
                | {f"request.{key}": value for key, value in _parameters(given)}
            )
            | rest,
            starts_at=moment(first(text(detail, "eventTime"), text(event, "time")), f"{place}.eventTime"),
            cycle=cut_text(identity, 400),
        ),
        where,
    )


def _actor(who: Any) -> dict[str, Any]:
    kind, principal = text(who, "type"), text(who, "principalId")
    role = kind == _ROLE
    return {
        "user_type": kind,
        "user_name": at(who, "userName") if kind == "IAMUser" else "",
        "role_name": at(who, "sessionContext", "sessionIssuer", "userName") if role else "",
        "session_name": principal.partition(":")[2] if role else "",
        "principal_id": principal,
        "principal_arn": at(who, "arn"),
        "access_key_id": at(who, "accessKeyId"),
    }


def _parameters(given: Any) -> list[tuple[str, Any]]:
    return list(given.items())[:_MAX_PARAMETERS] if is_object(given) else []
