"""A remediation: what it is started with, and what it answers while it runs."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from halon.contracts.alert import Alert
from halon.contracts.audit import AuditRecord
from halon.contracts.base import Contract, Duration, JsonObject
from halon.contracts.bookkeeping import MAX_RECORDS
from halon.contracts.decision import DecisionInput, Verdict
from halon.contracts.outcome import RunResult
from halon.contracts.people import Electorate
from halon.contracts.plan import Effect, Plan
from halon.contracts.playbook import Playbook
from halon.contracts.routes import Routes

MAX_RUN_ALERTS = 50
"""A run is handed at most this many of its incident's alerts; the incident counts the others."""


class RunSpec(Contract):
    """Input of the Remediation workflow, and of the interpreter."""

    incident: str
    ordinal: Annotated[int, Field(ge=1)] = 1
    """Which run of its incident this is. One that is reopened has several."""
    playbook: Playbook
    library: dict[str, Playbook] = {}
    """The playbooks that this one calls, by name, also those that they call."""
    effects: dict[str, Effect] = {}
    """How far each action in these playbooks reaches, by name; an action that is not here does not run."""
    routes: Routes = Routes()
    """Which clusters and accounts have a worker of their own."""
    alerts: Annotated[tuple[Alert, ...], Field(max_length=MAX_RUN_ALERTS)] = ()
    """Empty for a run that a person started by hand."""
    inputs: JsonObject = {}
    dry_run: bool = False
    """Plan everything, change nothing."""
    started_by: str = ""
    recurrence: str = ""
    """Set when the alert fired again soon after this playbook had remediated it: a sentence that says so."""
    caution: str = ""
    """Why a person must approve each change of this run, when the incident knows a reason."""
    coordination: str = ""
    """Workflow id of the one that tells people of the incident; empty when none does."""
    opening: Annotated[tuple[AuditRecord, ...], Field(max_length=MAX_RECORDS)] = ()
    """The incident's records so far, which the run writes before its own, so that the chain tells them in order. The
    incident writes them as well, in case no run comes of it; a record is the same however often it is written."""


class Decide(DecisionInput):
    """What the update `decide` carries."""

    verdict: Verdict


class OpenGate(Contract):
    """A question that waits for people."""

    step: str
    digest: str
    asked_at: datetime
    within: Duration
    quorum: int
    from_: Annotated[tuple[str, ...], Field(alias="from")] = ()
    approved_by: tuple[str, ...] = ()
    electorate: Electorate = Electorate()
    """Who may decide it."""
    plans: tuple[Plan, ...] = ()
    unplanned: tuple[str, ...] = ()
    message: str = ""


class RunStatus(Contract):
    """Answer of the query `status` of a Remediation workflow."""

    incident: str
    playbook: str
    state: Literal["running", "waiting", "undoing", "closed"]
    target: str = ""
    gates: tuple[OpenGate, ...] = ()
    result: RunResult | None = None
    story: tuple[str, ...] = ()
    """The last lines of what happened, each with its time, oldest first."""


INCIDENT_WORKFLOW = "Incident"
REMEDIATION_WORKFLOW = "Remediation"
ALERTS_SIGNAL = "alerts"
APPROVE_SIGNAL = "approve"
DENY_SIGNAL = "deny"
DECIDE_UPDATE = "decide"
STATUS_QUERY = "status"
CLEARED_SIGNAL = "cleared"


class SearchAttribute:
    """Names of the search attributes that `halon setup` registers, so that Temporal's own list can filter."""

    SERVICE = "HalonService"
    SEVERITY = "HalonSeverity"
    PLAYBOOK = "HalonPlaybook"
    INCIDENT = "HalonIncident"
    STATE = "HalonState"
    OUTCOME = "HalonOutcome"
    WAITING = "HalonWaiting"
    """True while a person must decide."""
