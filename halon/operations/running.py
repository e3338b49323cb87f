"""The runs that are under way, as Temporal knows them."""

from collections.abc import Sequence
from datetime import datetime

from temporalio.client import Client, WorkflowExecution

from halon.contracts.base import Contract
from halon.contracts.run import REMEDIATION_WORKFLOW, SearchAttribute
from halon.operations.answering import answering
from halon.store.incidents import MAX_LIST


class RunUnderWay(Contract):
    """One run."""

    workflow: str
    """Its workflow id."""
    incident: str
    playbook: str
    service: str
    severity: str
    state: str
    waiting: bool
    """Whether a person must decide."""
    began_at: datetime


async def runs_under_way(client: Client, limit: int = MAX_LIST) -> Sequence[RunUnderWay]:
    """Give the runs that are under way, those that wait for people first, then the one that began last.

    Raises:
        TransientError: Temporal does not answer.
        PermissionDenied: Temporal does not let these credentials do it.
    """
    wanted = f"WorkflowType = '{REMEDIATION_WORKFLOW}' AND ExecutionStatus = 'Running'"
    async with answering("the list of runs"):
        found = [_run(one) async for one in client.list_workflows(wanted, limit=min(limit, MAX_LIST))]
    return sorted(found, key=lambda one: (one.waiting, one.began_at), reverse=True)


def _run(execution: WorkflowExecution) -> RunUnderWay:
    attributes = execution.search_attributes

    def first(name: str) -> object:
        return next(iter(attributes.get(name, ())), "")

    return RunUnderWay(
        workflow=execution.id,
        incident=str(first(SearchAttribute.INCIDENT)),
        playbook=str(first(SearchAttribute.PLAYBOOK)),
        service=str(first(SearchAttribute.SERVICE)),
        severity=str(first(SearchAttribute.SEVERITY)),
        state=str(first(SearchAttribute.STATE)),
        waiting=first(SearchAttribute.WAITING) is True,
        began_at=execution.start_time,
    )
