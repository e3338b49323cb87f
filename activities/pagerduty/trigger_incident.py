"""Call whoever is on call for a service in PagerDuty."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from activities.pagerduty._event import EVENT, Sent, ServiceName
from halon.clients.pagerduty import PagerDuty
from halon.contracts.base import JsonObject
from halon.kit.action import Notice, Permission
from halon.kit.env import Env
from halon.kit.once import Reference, Title, Words, line_of, words_of

_MAX_SUMMARY = 1024
_MAX_SOURCE = 255
_MAX_DETAIL = 8000
"""Characters; PagerDuty refuses longer summaries, and events of more than 512 kB."""


class TriggerIncident(Notice[Sent]):
    """Trigger an incident of a service in PagerDuty, by the Events API v2: once for a `reference`.

    The reference is the incident's `dedup_key`. As long as it is not resolved, triggering it again adds to its log and
    calls nobody; `pagerduty.acknowledge_incident` and `resolve_incident` take the same reference. What looks like a
    secret is masked. Errors: a service that halon.yaml does not name is `misconfigured`, an event or a key that
    PagerDuty does not take is `invalid_input`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (EVENT,)
    example: ClassVar[JsonObject] = {
        "service": "shop",
        "reference": "i-20260102-cart",
        "summary": "The rollback of cart failed and could not be put back",
        "severity": "critical",
        "source": "cart",
    }

    service: ServiceName
    """The service's name in `pagerduty.services` of halon.yaml."""
    reference: Reference
    """What it is about, such as the incident's id: the same reference is the same incident."""
    summary: Title
    """What is wrong, in a sentence; cut to 1,024 characters."""
    severity: Literal["critical", "error", "warning", "info"] = "critical"
    """How bad it is; with dynamic notifications PagerDuty makes it the urgency."""
    source: Annotated[Words, StringConstraints(strip_whitespace=True, min_length=1)] = "halon"
    """What is affected, such as a host or a cluster; cut to 255 characters."""
    component: Annotated[str, StringConstraints(max_length=255)] = ""
    """The part of it that is, such as `cart`."""
    details: Annotated[
        dict[Annotated[str, StringConstraints(min_length=1, max_length=100)], Words], Field(max_length=50)
    ] = {}
    """The rest, by names; each is cut to 8,000 characters."""
    link: Annotated[str, StringConstraints(pattern=r"^(https?://[^\s]+)?$", max_length=2048)] = ""
    """An address that leads further, such as the console's or a runbook's."""

    def target(self) -> str:
        """Name the incident."""
        return f"pagerduty/{self.service}/{self.reference}"

    async def run(self, env: Env) -> Sent:
        """Trigger it."""
        payload: dict[str, Any] = {
            "summary": line_of(self.summary, _MAX_SUMMARY),
            "source": line_of(self.source, _MAX_SOURCE),
            "severity": self.severity,
            "custom_details": {name: words_of(text, _MAX_DETAIL) for name, text in self.details.items()},
        }
        if self.component:
            payload["component"] = self.component
        more: dict[str, Any] = {"payload": payload, "client": "Halon"}
        if self.link:
            more["links"] = [{"href": self.link, "text": "More"}]
        await env.get(PagerDuty).send(self.service, "trigger", self.reference, more)
        return Sent(incident="", dedup_key=self.reference)
