"""An incident: what its workflow is started with, and the batches in which alerts reach it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from halon.contracts.alert import Alert
from halon.contracts.base import Contract, JsonObject
from halon.contracts.communication import Communication
from halon.contracts.outcome import Outcome
from halon.contracts.plan import Effect
from halon.contracts.playbook import Playbook
from halon.contracts.routes import Routes

MAX_BATCH = 100
"""Alerts a signal. A signal is one event of history however many alerts it carries, and its payload stays small."""
MAX_COUNTS = 1000
"""Episodes whose repeats one signal counts: some 30 kB."""

Counts = Annotated[dict[str, PositiveInt], Field(max_length=MAX_COUNTS)]
"""How often alerts came again, by episode."""


class IncidentInput(Contract):
    """Input of the Incident workflow. Its workflow id is `group`."""

    group: str
    """What is the same incident, from the playbook's `group_by`; see `halon.core.grouping`."""
    playbook: Playbook
    library: dict[str, Playbook] = {}
    """The playbooks that it calls, by name, also those that they call."""
    effects: dict[str, Effect] = {}
    """How far each action in these playbooks reaches, by name."""
    routes: Routes = Routes()
    """Which clusters and accounts have a worker of their own."""
    started_by: str = ""
    """Who started it by hand. Empty when an alert did."""
    dry_run: bool = False
    inputs: JsonObject = {}
    communication: Communication | None = None
    """Whom to tell; None when nobody is to be told anything."""
    pending: tuple[Alert, ...] = ()
    """Alerts that came when the incident before this one, of the same group, was closing."""
    turn: int = 0
    """How often the workflow was continued as new for such alerts."""


class AlertBatch(Contract):
    """What the signal `alerts` carries: news, and how often what was told before came again.

    A workflow takes a bounded number of signals, so a gateway sends each alert once and counts what is identical.
    """

    alerts: Annotated[tuple[Alert, ...], Field(max_length=MAX_BATCH)] = ()
    """Firing and resolved mixed, in the order in which they came."""
    repeats: Counts = {}
    """Of alerts that still fire."""
    ends: Counts = {}
    """Of alerts that had resolved."""

    @model_validator(mode="after")
    def _says_something(self) -> "AlertBatch":
        if not (self.alerts or self.repeats or self.ends):
            raise ValueError("a batch without alerts and without counts says nothing")
        return self


class IncidentResult(Contract):
    """What an incident came to. Without an outcome, another incident had handled all of its alerts before."""

    incident: str
    outcome: Outcome | None
    reason: str


class IncidentRow(Contract):
    """An incident as the store lists it, for longer than Temporal keeps histories."""

    id: str
    group: str
    playbook: str
    playbook_digest: str
    workflow_id: str
    run_id: str
    """Temporal's first execution run id of the Incident workflow, the same after continue-as-new."""
    state: Literal["open", "closed"]
    outcome: str = ""
    reason: str = ""
    service: str = ""
    severity: str = ""
    title: str = ""
    target: str = ""
    labels: dict[str, str] = {}
    """Those that all of its alerts agree on: whose it is, and so who may see it and decide."""
    opened_at: datetime
    closed_at: datetime | None = None
    alert_count: Annotated[int, Field(ge=0)] = 0
    reopened: Annotated[int, Field(ge=0)] = 0
    """How often it was reopened, because its alert fired again soon after it had ended well."""
    reopened_at: datetime | None = None
    """When it was last."""
    runs: Annotated[int, Field(ge=0)] = 0
    """Runs that were started. The last one's workflow id follows from it; see `halon.core.ids`."""
    acted_at: datetime | None = None
    """When the last run was started that was neither refused nor found that its alerts had cleared."""
    settled_as: str = ""
    """Outcome that it last came to by a run, or because its alerts cleared."""
    settled_at: datetime | None = None
    cleared_at: datetime | None = None
    """When all of its alerts had resolved, also when that was after it closed. None: not all of them, or none known."""
    flapping: bool = False
    """Whether its alerts came and went so often that changes needed a person's approval."""
