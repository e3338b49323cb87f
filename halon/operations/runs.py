"""Starting a playbook by hand, as an incident of its own."""

import contextlib
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from halon.contracts.alert import Alert
from halon.contracts.base import JsonObject
from halon.contracts.incident import AlertBatch, IncidentInput, IncidentResult
from halon.contracts.plan import Effect
from halon.contracts.playbook import Playbook
from halon.contracts.run import ALERTS_SIGNAL, INCIDENT_WORKFLOW
from halon.core.ids import incident_id
from halon.core.library import NOTHING_ARRANGED, Arrangements, incident_input
from halon.documents import nearest
from halon.errors import InvalidInput
from halon.operations.answering import answering
from halon.redaction import cut_text

_TAIL = 10
"""Hex digits that tell one run of a playbook from another."""


@dataclass(frozen=True, slots=True)
class Repertoire:
    """What can be started: the playbooks that are served, and how far each action reaches."""

    playbooks: Mapping[str, Playbook]
    effects: Mapping[str, Effect]
    has_problems: bool = False
    """Whether further playbooks are there that are wrong, and so not served."""
    arrangements: Arrangements = NOTHING_ARRANGED

    def playbook(self, name: str) -> Playbook:
        """Give the playbook that is called so.

        Raises:
            InvalidInput: there is none.
        """
        found = self.playbooks.get(name)
        if found is None:
            hint = "; `halon lint` shows what is wrong with others" if self.has_problems else ""
            raise InvalidInput(f"there is no playbook {name}{nearest(name, self.playbooks)}{hint}")
        return found


@dataclass(frozen=True, slots=True)
class Start:
    """How a run begins."""

    by: str
    """Who starts it."""
    inputs: JsonObject
    alerts: Sequence[Alert] = ()
    dry_run: bool = False
    key: str = ""
    """Names this start: the same key is the same run. Empty: a run of its own."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be started."""

    incident: str
    given: IncidentInput
    alerts: Sequence[Alert]


def order(repertoire: Repertoire, playbook: Playbook, start: Start) -> Order:
    """Make an order, under ids of its own. Its inputs are checked already."""
    name = playbook.metadata.name
    tail = hashlib.sha256(f"{start.by}/{start.key}".encode()).hexdigest()[:_TAIL] if start.key else ""
    group = f"{name}-{tail or secrets.token_hex(_TAIL // 2)}"
    known, effects = repertoire.playbooks, repertoire.effects
    given = incident_input(group, playbook, known, effects, repertoire.arrangements).model_copy(
        update={"started_by": start.by, "dry_run": start.dry_run, "inputs": start.inputs}
    )
    incident = incident_id(group, start.alerts[0]) if start.alerts else f"{group}-manual"
    return Order(incident, given, start.alerts)


async def carry_out(client: Client, task_queue: str, wanted: Order) -> "WorkflowHandle[object, IncidentResult]":
    """Start it; returns once Temporal has it. Carrying out the same order again changes nothing.

    Raises:
        TransientError: Temporal does not answer.
        PermissionDenied: Temporal does not let these credentials do it.
    """
    playbook = wanted.given.playbook
    async with answering(f"the start of {wanted.incident}"):
        with contextlib.suppress(WorkflowAlreadyStartedError):
            await client.start_workflow(
                INCIDENT_WORKFLOW,
                wanted.given,
                id=wanted.given.group,
                task_queue=task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,  # all that a start with a signal takes
                start_signal=ALERTS_SIGNAL if wanted.alerts else None,
                start_signal_args=[AlertBatch(alerts=tuple(wanted.alerts))] if wanted.alerts else [],
                memo={"playbook": playbook.metadata.name, "playbook_digest": playbook.digest},
                static_summary=cut_text(playbook.metadata.title, 190),
                static_details=f"Started by hand by {wanted.given.started_by}",
            )
    return client.get_workflow_handle(wanted.given.group, result_type=IncidentResult)
