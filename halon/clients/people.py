"""What the people of halon.yaml come to in a worker: who may decide a question, and whether a seal is genuine."""

from collections.abc import Callable, Sequence
from typing import Any

from temporalio import activity

from halon.clients.seals import Seals
from halon.contracts.decision import SealReport, SealRequest
from halon.contracts.people import ELECTORATE, READ_SEAL, Electorate, ElectorateRequest
from halon.core.directory import Directory
from halon.core.electorate import electorate
from halon.errors import InvalidInput
from halon.settings import Settings

ENVIRONMENT = "environment"
"""The label that an installation gives to all that happens in it, for the `where` of roles."""


class People:
    """Answers runs that ask about people."""

    def __init__(self, settings: Settings, seals: Seals) -> None:
        self._settings = settings
        self._seals = seals

    def activities(self) -> Sequence[Callable[..., Any]]:
        """The activities, for a worker."""
        return (self.electorate, self.read_seal)

    @activity.defn(name=ELECTORATE)
    async def electorate(self, request: ElectorateRequest) -> Electorate:
        """Find who may decide."""
        settings = self._settings
        groups = {name: group.members for name, group in settings.groups.items()}
        directory = Directory(settings.people, groups, settings.roles)
        labels = {**request.labels, ENVIRONMENT: settings.environment}
        found = electorate(directory, request, labels, trust=settings.approvals.trust, unreachable={})
        return found.model_copy(update={"console": _console(settings, request.incident)})

    @activity.defn(name=READ_SEAL)
    async def read_seal(self, request: SealRequest) -> SealReport:
        """Check a seal."""
        try:
            return SealReport(said=self._seals.read(request.seal, request.at))
        except InvalidInput as error:
            return SealReport(problem=str(error))


def _console(settings: Settings, incident: str) -> str:
    base = settings.gateway.public_url
    return f"{base.rstrip('/')}/incidents/{incident}" if base else ""
