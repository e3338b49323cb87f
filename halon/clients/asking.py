"""Questions in messages: the plan as the run shows it now, and a link by which one person alone can answer."""

from datetime import datetime
from typing import NamedTuple

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from halon.clients.links import Link, LinkMaker
from halon.contracts.coordination import Question
from halon.contracts.incident import IncidentRow
from halon.contracts.run import STATUS_QUERY, OpenGate, RunStatus
from halon.core.ids import group_of
from halon.errors import InvalidInput


class Asked(NamedTuple):
    """A question as it stands now."""

    row: IncidentRow
    gate: OpenGate
    run: str

    @property
    def until(self) -> datetime:
        """When it ends."""
        return self.gate.asked_at + self.gate.within


class Asking:
    """Looks questions up where they are asked: a message then shows what a decision would be about."""

    def __init__(self, client: Client, links: LinkMaker | None) -> None:
        self._client = client
        self._links = links

    async def look(self, question: Question) -> Asked | None:
        """Give the question; None when nothing waits there any more, or nobody can say."""
        try:
            run = self._client.get_workflow_handle(question.run)
            status: RunStatus = await run.query(STATUS_QUERY, result_type=RunStatus)
            gate = next((one for one in status.gates if (one.step, one.digest) == (question.step, question.plan)), None)
            if gate is None:
                return None
            incident = self._client.get_workflow_handle(group_of(status.incident))
            row: IncidentRow = await incident.query(STATUS_QUERY, result_type=IncidentRow)
        except (RPCError, WorkflowQueryFailedError):
            return None
        return Asked(row, gate, question.run)

    def link(self, asked: Asked, person: str) -> str:
        """Give the address at which this person answers, and nobody else; empty when there are no links."""
        if self._links is None or not person:
            return ""
        gate = asked.gate
        try:
            return self._links.url(
                Link(person=person, run=asked.run, step=gate.step, plan=gate.digest, until=asked.until)
            )
        except (InvalidInput, ValueError):  # a name or a step that fits into no link
            return ""
