"""What the people of halon.yaml come to in a worker: who may decide a question, and whether a seal is genuine."""

from collections.abc import Callable, Sequence
from typing import Any

from temporalio import activity

from halon.clients.oncall import OnCall
from halon.clients.seals import Seals
from halon.contracts.decision import SealReport, SealRequest
from halon.contracts.people import ELECTORATE, GROUP, READ_SEAL, Electorate, ElectorateRequest
from halon.core.electorate import electorate
from halon.errors import InvalidInput
from halon.settings import Settings

ENVIRONMENT = "environment"
"""The label that an installation gives to all that happens in it, for the `where` of roles."""


class People:
    """Answers runs that ask about people."""

    def __init__(self, settings: Settings, seals: Seals, on_call: OnCall) -> None:
        self._settings = settings
        self._seals = seals
        self._on_call = on_call

    def activities(self) -> Sequence[Callable[..., Any]]:
        """The activities, for a worker."""
        return (self.electorate, self.read_seal)

    @activity.defn(name=ELECTORATE)
    async def electorate(self, request: ElectorateRequest) -> Electorate:
        """Find who may decide now."""
        settings = self._settings
        directory, missing = await self._on_call.directory(request.at, _groups(settings, request))
        labels = {**request.labels, ENVIRONMENT: settings.environment}
        found = electorate(directory, request, labels, trust=settings.approvals.trust, unreachable=missing)
        return found.model_copy(update={"console": console_of(settings, request.incident)})

    @activity.defn(name=READ_SEAL)
    async def read_seal(self, request: SealRequest) -> SealReport:
        """Check a seal."""
        try:
            return SealReport(said=self._seals.read(request.seal, request.at))
        except InvalidInput as error:
            return SealReport(problem=str(error))


def _groups(settings: Settings, request: ElectorateRequest) -> frozenset[str]:
    """The groups whose members must be known: those that are asked, and those that have rights."""
    given = [reference for role in settings.roles.values() for reference in role.to]
    return frozenset(one.removeprefix(GROUP) for one in (*request.from_, *given) if one.startswith(GROUP))


def console_of(settings: Settings, incident: str) -> str:
    """Give where people look at an incident; empty when that is not known."""
    base = settings.gateway.public_url
    return f"{base.rstrip('/')}/console/incidents/{incident}" if base else ""
