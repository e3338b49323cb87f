"""Prometheus Alertmanager's webhook, version 4: many alerts in a body, firing and resolved mixed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, digest, is_object
from halon.errors import InvalidInput
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource, Parsed, checked, field_problems, refuse_too_many
from halon.settings import Source

SENDER = Sender("Alertmanager", ("bearer", "basic", "header", "hmac"))
"""It signs nothing by itself; a proxy before it may."""
_NO_END = datetime(1970, 1, 1, tzinfo=UTC)
"""Alertmanager writes Go's zero time, 0001-01-01, for an alert that has not ended."""


class _Wire(BaseModel):
    """What Alertmanager adds in later versions is of no concern here. A field that is null is one that is not there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if value is not None} if is_object(given) else given


class _Body(_Wire):
    version: Literal["4"]
    alerts: list[Any]
    """Each is read by itself: one that is not fit to act on must not hold up the others."""
    truncated: int = Field(default=0, alias="truncatedAlerts", ge=0)


class _Alert(_Wire):
    status: AlertStatus
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: AwareDatetime = Field(alias="startsAt")
    ends_at: AwareDatetime | None = Field(default=None, alias="endsAt")
    url: str = Field(default="", alias="generatorURL")
    fingerprint: str = ""


class Alertmanager:
    """The source `alertmanager`."""

    timeless = True

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alerts of one webhook.

        Raises:
            InvalidInput: the body is not a version 4 webhook, or holds too many alerts.
        """
        del headers, now
        try:
            webhook = _Body.model_validate(body)
        except ValidationError as error:
            raise InvalidInput("the body is not Alertmanager's webhook, version 4", field_problems(error)) from error
        refuse_too_many(len(webhook.alerts))
        alerts: list[Alert] = []
        rejected: list[str] = []
        for index, raw in enumerate(webhook.alerts):
            try:
                alerts.append(self._alert(raw, f"alerts[{index}]"))
            except ValidationError as error:
                rejected.extend(field_problems(error, f"alerts[{index}]")[:1])
            except InvalidInput as error:
                rejected.append(str(error))
        return Parsed(tuple(alerts), tuple(rejected), webhook.truncated)

    def _alert(self, raw: object, where: str) -> Alert:
        one = _Alert.model_validate(raw)
        name = one.labels.get("alertname", "")
        if not name:
            raise InvalidInput(f"{where}.labels.alertname: the alert has no name")
        alert = Alert.model_construct(
            source=self.name,
            name=name,
            fingerprint=one.fingerprint or digest(dict(one.labels))[:16],
            status=one.status,
            severity=one.labels.get("severity", ""),
            labels=one.labels,
            annotations=one.annotations,
            starts_at=one.starts_at.astimezone(UTC),
            ends_at=one.ends_at.astimezone(UTC) if one.ends_at and one.ends_at > _NO_END else None,
            url=one.url,
        )
        return Alert.model_validate(checked(alert, where).model_dump())


def build(name: str, settings: Source) -> AlertSource:
    """Build the source from its settings, of which it needs none."""
    del settings
    return Alertmanager(name)
