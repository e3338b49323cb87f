"""How a remediation ends."""

from enum import StrEnum

from halon.contracts.base import Contract, JsonObject


class Outcome(StrEnum):
    """How a remediation ended. playbooks.md gives each its meaning; docs/outcomes.md tells it to users."""

    REMEDIATED = "remediated"
    UNVERIFIED = "unverified"
    UNNECESSARY = "unnecessary"
    RESOLVED = "resolved"
    DIAGNOSED = "diagnosed"
    REFUSED = "refused"
    DENIED = "denied"
    EXPIRED = "expired"
    UNDONE = "undone"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DRY_RUN = "dry_run"

    @property
    def success(self) -> bool:
        """Whether it counts towards a playbook's success rate."""
        return self in {Outcome.REMEDIATED, Outcome.UNNECESSARY, Outcome.RESOLVED}


class StepReport(Contract):
    """What became of one step. `path` is `rollback`, `drain[2].evict` or `checks.web.probe`."""

    path: str
    kind: str
    outcome: str
    """`done`, `skipped`, `failed`, `applied`, `unnecessary`, `verified`, `unverified`, `undone`, `undo_failed`, …"""
    reason: str = ""


class LeftInPlace(Contract):
    """A change that is still in the world although the run failed: what a person must look at."""

    step: str
    target: str
    summary: str
    before: JsonObject
    after: JsonObject
    reason: str


class RunResult(Contract):
    """What a remediation came to."""

    outcome: Outcome
    reason: str
    target: str = ""
    """What the playbook calls its target; empty when it has none, or the run ended before it was found."""
    steps: tuple[StepReport, ...] = ()
    applied: tuple[str, ...] = ()
    """Paths of the steps whose change took effect, in order."""
    undone: tuple[str, ...] = ()
    """Paths of the steps whose change was taken back and confirmed, in the order of undoing."""
    left: tuple[LeftInPlace, ...] = ()
