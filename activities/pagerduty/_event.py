"""What the actions on PagerDuty share: names, what they answer, and how an incident goes on."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import StringConstraints, model_validator

from halon.clients.pagerduty import PagerDuty
from halon.kit.action import Notice, Output, Permission
from halon.kit.env import Env

ServiceName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$", max_length=63)
]
IncidentId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{0,32}$", max_length=32)]
EVENT = Permission("http", ("POST",), "/v2/enqueue", "the integration key of the service's Events API v2")


class Sent(Output):
    """What PagerDuty took."""

    incident: str
    """The id of the incident, when it was named by it; otherwise empty: the Events API does not tell it."""
    dedup_key: str
    """The key of the incident, when it was named by it: `reference`."""


class GoingOn(Notice[Sent]):
    """What becomes of an incident that is there, named by its key or by its id."""

    becomes: ClassVar[Literal["acknowledge", "resolve"]]
    permissions: ClassVar[tuple[Permission, ...]] = (
        EVENT,
        Permission("http", ("GET", "PUT"), "/incidents/{incident}", "for `incident`: scope `incidents.write`"),
    )

    service: Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?)?$", max_length=63)] = ""
    """The service's name in `pagerduty.services` of halon.yaml; with `reference`."""
    reference: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[ -~]*$", max_length=200)] = ""
    """The reference that the incident was triggered with, which is its `dedup_key`."""
    incident: IncidentId = ""
    """Or the incident's id in PagerDuty, such as the `alert.fingerprint` of an alert that came from there."""

    @model_validator(mode="after")
    def _one(self) -> "GoingOn":
        if bool(self.service) != bool(self.reference) or bool(self.incident) == bool(self.reference):
            raise ValueError("say which incident: `service` and `reference`, or else `incident`")
        return self

    def target(self) -> str:
        """Name the incident."""
        return f"pagerduty/incidents/{self.incident}" if self.incident else f"pagerduty/{self.service}/{self.reference}"

    async def run(self, env: Env) -> Sent:
        """Say so."""
        duty = env.get(PagerDuty)
        if self.incident:
            await duty.move(self.incident, self.becomes)
        else:
            await duty.send(self.service, self.becomes, self.reference, {})
        return Sent(incident=self.incident, dedup_key=self.reference)
