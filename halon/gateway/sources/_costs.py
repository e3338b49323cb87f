"""What AWS tells of costs: notices of AWS Budgets, which are text, and anomalies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import digest, is_object
from halon.gateway.sources._aws import NOWHERE, Arn
from halon.gateway.sources._reading import (
    WARNING,
    at,
    finished,
    first,
    labelled,
    missing,
    moment,
    needed,
    text,
    texts,
)
from halon.redaction import cut_text

ANOMALY = "Anomaly Detected"
_NOTICE = re.compile(r"AWS Budget Notification\b")
_LINE = re.compile(r"(?m)^[ \t]{0,4}([A-Z][A-Za-z ]{2,40}):[ \t]{1,4}(\S.{0,500})$")
_ACCOUNT = re.compile(r"(?m)^AWS Account[: ]{1,3}(\d{12})\b")
_BUDGETS = "https://console.aws.amazon.com/billing/home#/budgets"


@dataclass(frozen=True, slots=True)
class Message:
    """A message, and what is known of it besides what it says."""

    source: str
    body: str
    id: str
    at: datetime
    subject: str = ""
    topic: str = ""
    """The ARN of where it was published."""
    place: Arn = NOWHERE
    where: str = "Message"

    def labels(self) -> dict[str, str]:
        """Labels of where it comes from."""
        return {"account": self.place.account, "region": self.place.region, "topic": self.topic}


def is_budget(message: Message) -> bool:
    """Whether a message is a notice of AWS Budgets."""
    return _NOTICE.match(message.body.strip()) is not None


def budget(message: Message) -> Alert:
    """Give the alert of a notice, which has a line for each value.

    Raises:
        InvalidInput: it names no budget.
    """
    values = {name.strip().lower(): value.strip() for name, value in _LINE.findall(message.body)}
    named = values.get("budget name", "")
    if not named:
        raise missing(message.where, "a notice of AWS Budgets has a line `Budget Name:`")
    account = _ACCOUNT.search(message.body)
    number = account[1] if account else message.place.account
    kind, threshold = values.get("alert type", ""), values.get("alert threshold", "")
    labels, rest = labelled(
        {"account": number, "budget": named, "budget_type": values.get("budget type", "")}
        | {"alert_type": kind, "threshold": threshold, "topic": message.topic}
    )
    amounts = (value for name, value in values.items() if name.endswith(" amount") and name != "budgeted amount")
    return finished(
        Alert.model_construct(
            source=message.source,
            name="AWS Budget Notification",
            fingerprint=digest([number, named, kind, threshold])[:16],
            status=AlertStatus.FIRING,
            severity=WARNING,
            labels=labels,
            annotations=texts(
                {"summary": message.subject or f"{named} has exceeded {threshold}", "description": message.body}
                | {"budgeted": values.get("budgeted amount", ""), "amount": next(amounts, ""), "message_id": message.id}
            )
            | rest,
            starts_at=message.at,
            # A budget tells once in its period that a threshold is passed: each notice is an episode.
            cycle=cut_text(message.id, 400),
            url=_BUDGETS,
        ),
        message.where,
    )


def is_anomaly(body: Any) -> bool:
    """Whether a message is what Cost Anomaly Detection writes to a topic."""
    return is_object(body) and "anomalyId" in body and "anomalyStartDate" in body


def anomaly(source: str, given: Any, where: str, about: Mapping[str, Any]) -> Alert:
    """Give the alert of a cost anomaly, from a message or from the detail of an event; `about` are its first labels.

    Raises:
        InvalidInput: it lacks what names it.
    """
    identity = needed(given, where, "anomalyId")
    labels, rest = labelled(
        {"account": text(given, "accountId")}
        | {name: value for name, value in about.items() if name != "account" or not text(given, "accountId")}
        | {"dimension": at(given, "dimensionalValue"), "monitor": at(given, "monitorArn")}
        | {"service": at(given, "rootCauses", 0, "service"), "usage_type": at(given, "rootCauses", 0, "usageType")}
    )
    return finished(
        Alert.model_construct(
            source=source,
            name=ANOMALY,
            fingerprint=identity,
            status=AlertStatus.FIRING,
            severity=WARNING,
            labels=labels,
            annotations=texts(
                {"summary": f"Costs of {first(text(given, 'dimensionalValue'), 'AWS')} are unusual"}
                | {"impact": at(given, "impact", "totalImpact"), "max_impact": at(given, "impact", "maxImpact")}
                | {"score": at(given, "anomalyScore", "currentScore"), "last_seen": at(given, "anomalyEndDate")}
                | {"root_causes": at(given, "rootCauses")}
            )
            | rest,
            starts_at=moment(at(given, "anomalyStartDate"), f"{where}.anomalyStartDate"),
            url=text(given, "anomalyDetailsLink"),
        ),
        where,
    )
