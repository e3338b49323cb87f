"""Resolve an incident in PagerDuty."""

from typing import ClassVar

from activities.pagerduty._event import PERMISSIONS, Sent, ServiceName
from halon.clients.pagerduty import PagerDuty
from halon.contracts.base import JsonObject
from halon.kit.action import Notice, Permission
from halon.kit.env import Env
from halon.kit.once import Reference


class ResolveIncident(Notice[Sent]):
    """Resolve the incident of a `reference` in PagerDuty.

    One that is resolved already or not there stays as it is, and PagerDuty says nothing of it. Another tool's incident
    is reached through its own `dedup_key`, by the service's same integration. Errors: a service that halon.yaml does
    not name is `misconfigured`, a key that PagerDuty does not take is `invalid_input`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = PERMISSIONS
    example: ClassVar[JsonObject] = {"service": "shop", "reference": "i-20260102-cart"}

    service: ServiceName
    """The service's name in `pagerduty.services` of halon.yaml."""
    reference: Reference
    """The reference that it was triggered with, which is its `dedup_key`."""

    def target(self) -> str:
        """Name the incident."""
        return f"pagerduty/{self.service}/{self.reference}"

    async def run(self, env: Env) -> Sent:
        """Resolve it."""
        await env.get(PagerDuty).send(self.service, "resolve", self.reference, {})
        return Sent(dedup_key=self.reference)
