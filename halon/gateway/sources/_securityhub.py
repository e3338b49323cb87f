"""Security Hub's findings in AWS's finding format: several in one event, each with an end of its own."""

from collections.abc import Callable
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import digest, is_list
from halon.gateway.sources._aws import arn, console, quoted, severity_of
from halon.gateway.sources._guardduty import graded
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
from halon.redaction import cut_text

KINDS = ("Security Hub Findings - Imported", "Security Hub Findings - Custom Action")
_ENDED_WORKFLOWS = frozenset({"RESOLVED", "SUPPRESSED"})
_SEARCH = "securityhub/home?region=REGION#/findings?search=Id%3D%255Coperator%255C%253AEQUALS%255C%253A"
_MAX_RESOURCES = 32
_MAX_ID = 400
_NORMAL = 10.0
"""Severities are also given from 0 to 100."""


def _last(identity: str) -> str:
    """Give the name at the end of an ARN, or the whole of what is none."""
    return arn(identity).resource.replace(":", "/").rpartition("/")[2] or identity.rpartition(":")[2]


_NAMED: dict[str, tuple[str, Callable[[str], str]]] = {
    "awsec2instance": ("instance_id", _last),
    "awss3bucket": ("bucket_name", _last),
    "awsiamuser": ("user_name", _last),
    "awsiamrole": ("role_name", _last),
    "awsiamaccesskey": ("access_key_id", _last),
    "awslambdafunction": ("function_arn", str),
    "awsrdsdbinstance": ("db_instance", _last),
    "awsrdsdbcluster": ("db_cluster", _last),
    "awsekscluster": ("cluster_name", _last),
    "awsecscluster": ("cluster_name", _last),
    "awsec2securitygroup": ("security_groups", _last),
    "awsec2volume": ("volume_id", _last),
    "awsec2vpc": ("vpc_id", _last),
    "awsec2subnet": ("subnet_id", _last),
    "awsec2networkinterface": ("network_interface_id", _last),
}
"""The label of a resource by its type in lower case, and how its id is written there."""


def findings(event: Any) -> list[Any]:
    """Give the findings of an event; none when it has none."""
    found = at(event, "detail", "findings")
    return found if is_list(found) else []


def finding(source: str, event: Any, given: Any, where: str) -> Alert | str:
    """Give the alert of one finding, or the remark that its check could not be made.

    Raises:
        InvalidInput: it lacks what names it.
    """
    identity = needed(given, where, "Id")
    title = needed(given, where, "Title")
    compliance = text(given, "Compliance", "Status")
    ended = _ended(given, compliance)
    if compliance == "NOT_AVAILABLE" and not ended:
        return f"{cut_text(title, 200)}: a check that could not be made begins no alert and ends none"
    account = first(text(given, "AwsAccountId"), text(event, "account"))
    region = first(text(given, "Region"), text(event, "region"))
    began = first(text(given, "FirstObservedAt"), text(given, "CreatedAt"))
    fields = at(given, "ProductFields")
    labels, rest = labelled(
        {"finding_type": at(given, "Types", 0), "control": _control(given)}
        | {"account": account, "region": region}
        | {"event_source": at(event, "source"), "event_type": at(event, "detail-type")}
        | {"product": first(text(given, "ProductName"), text(fields, "aws/securityhub/ProductName"))}
        | {"generator": at(given, "GeneratorId"), "sample": "true" if at(given, "Sample") is True else ""}
        | resource_labels(at(given, "Resources"))
    )
    search = f"{_SEARCH}{quoted(quoted(identity))}"
    return finished(
        Alert.model_construct(
            source=source,
            name=title,
            fingerprint=identity if len(identity) <= _MAX_ID else digest(identity),
            status=AlertStatus.RESOLVED if ended else AlertStatus.FIRING,
            severity=_severity(given),
            labels=labels,
            annotations=texts(_notes(given, event, compliance)) | rest,
            starts_at=moment(began, f"{where}.CreatedAt"),
            ends_at=maybe_moment(first(text(given, "UpdatedAt"), text(event, "time"))) if ended else None,
            url=first(text(given, "SourceUrl"), console(arn(text(given, "ProductArn")).partition, region, search)),
        ),
        where,
    )


def _ended(given: Any, compliance: str) -> bool:
    workflow = first(text(given, "Workflow", "Status"), text(given, "WorkflowState"))
    return text(given, "RecordState") == "ARCHIVED" or workflow in _ENDED_WORKFLOWS or compliance == "PASSED"


def _severity(given: Any) -> str:
    label = severity_of(text(given, "Severity", "Label"))
    normalized = at(given, "Severity", "Normalized")
    known = isinstance(normalized, int | float) and not isinstance(normalized, bool)
    return label or (graded(normalized / _NORMAL) if known else "")


def _control(given: Any) -> str:
    fields = at(given, "ProductFields")
    return first(text(given, "Compliance", "SecurityControlId"), text(fields, "ControlId"), text(fields, "RuleId"))


def resource_labels(given: Any) -> dict[str, Any]:
    """Give labels for the resources: the first of each type, and the first of all that is not the account itself."""
    listed = given[:_MAX_RESOURCES] if is_list(given) else []
    labels: dict[str, Any] = {}
    for one in listed:
        kind, identity = text(one, "Type"), text(one, "Id")
        known = kind.replace("::", "").lower()
        if known != "awsaccount":
            labels.setdefault("resource_type", kind)
            labels.setdefault("resource_id", identity)
        if known in _NAMED and identity:
            name, written = _NAMED[known]
            labels.setdefault(name, written(identity))
        if known == "awslambdafunction":
            function = arn(identity).resource.split(":")
            labels.setdefault("function_name", function[1] if len(function) > 1 else identity)
        if kind == "AwsIamAccessKey":
            labels = _key(at(one, "Details", kind)) | labels
    return labels


def _key(given: Any) -> dict[str, Any]:
    kind, name = text(given, "PrincipalType"), first(text(given, "PrincipalName"), text(given, "UserName"))
    return {
        "principal_id": at(given, "PrincipalId"),
        "user_type": kind,
        "user_name": name if kind in {"IAMUser", "AwsIamUser"} else "",
        "role_name": name if kind in {"AssumedRole", "AwsIamRole", "Role"} else "",
    }


def _notes(given: Any, event: Any, compliance: str) -> dict[str, Any]:
    """Give what may change from one update of a finding to the next."""
    resources = at(given, "Resources")
    named = [text(one, "Id") for one in resources[:_MAX_RESOURCES]] if is_list(resources) else []
    return {
        "summary": at(given, "Title"),
        "description": at(given, "Description"),
        "finding_id": at(given, "Id"),
        "compliance": compliance,
        "workflow": at(given, "Workflow", "Status"),
        "record_state": at(given, "RecordState"),
        "severity_label": at(given, "Severity", "Label"),
        "severity_original": at(given, "Severity", "Original"),
        "resources": ", ".join(filter(None, named)),
        "remediation": at(given, "Remediation", "Recommendation", "Text"),
        "remediation_url": at(given, "Remediation", "Recommendation", "Url"),
        "last_seen": at(given, "LastObservedAt"),
        "action_name": at(event, "detail", "actionName"),
        "event_id": at(event, "id"),
    }
