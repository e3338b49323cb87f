"""Schedules that say who is on call: a calendar, PagerDuty, Opsgenie."""

from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Discriminator, StringConstraints, Tag, model_validator

from halon.settings.credentials import SecretRef
from halon.settings.section import SafeUrl, Section, TimeZone

Identifier: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\s/?#&][^/?#&]{0,199}$")]


def _written(value: Any) -> str:
    return "address" if isinstance(value, str) else "secret"


class CalendarSchedule(Section):
    """An iCalendar whose events say who is on call while they last."""

    file: Path | None = None
    url: (
        Annotated[Annotated[SafeUrl, Tag("address")] | Annotated[SecretRef, Tag("secret")], Discriminator(_written)]
        | None
    ) = None
    """An address, or where one is found that is a secret, as those of private calendars are."""
    timezone: TimeZone = "UTC"
    """For whole days, and for times without a zone."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "CalendarSchedule":
        if (self.file is None) == (self.url is None):
            raise ValueError("a calendar is exactly one of `file` and `url`")
        return self


class PagerDutySchedule(Section):
    """A schedule in PagerDuty, or the first level of an escalation policy there."""

    schedule: Identifier | None = None
    """Id, such as `PI7DH85`."""
    escalation_policy: Identifier | None = None
    token: SecretRef
    """A REST API key; one that may only read is enough."""
    url: SafeUrl = "https://api.pagerduty.com"

    @model_validator(mode="after")
    def _exactly_one(self) -> "PagerDutySchedule":
        if (self.schedule is None) == (self.escalation_policy is None):
            raise ValueError("name exactly one of `schedule` and `escalation_policy`")
        return self


class OpsgenieSchedule(Section):
    """A schedule in Opsgenie."""

    schedule: Identifier
    """Id or name."""
    token: SecretRef
    """Key of an API integration that may read."""
    url: SafeUrl = "https://api.opsgenie.com"
    """In Europe https://api.eu.opsgenie.com."""
