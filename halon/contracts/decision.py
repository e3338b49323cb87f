"""What a person decided, on which plan."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from halon.contracts.base import Contract
from halon.contracts.people import Method

MAX_SEAL = 49_152
"""Characters of a seal; one with all fields at their longest fits."""


class Verdict(StrEnum):
    """Approve or deny; there is no third, and no decision is neither."""

    APPROVE = "approve"
    DENY = "deny"


class DecisionInput(Contract):
    """What the signals `approve` and `deny` and the update `decide` carry, as a person or a tool writes it in JSON."""

    by: Annotated[str, StringConstraints(min_length=1, max_length=320, strip_whitespace=True)]
    """Who decides, such as an e-mail address."""
    comment: Annotated[str, StringConstraints(max_length=4096)] = ""
    plan: Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]*$")] = ""
    """Digest, or its first eight or more digits, of the plan that was read. Empty: the plan that is shown now."""
    step: Annotated[str, StringConstraints(max_length=512)] = ""
    """Which gate, when several wait at once. Empty: the only one that waits."""
    break_glass: bool = False
    """Approve alone what others are asked for. Needs the right, and a comment that says why."""
    seal: Annotated[str, StringConstraints(max_length=MAX_SEAL)] = ""
    """Proof of who decides: a JSON Web Token over this decision, signed by the gateway or with a key of theirs."""


class Seal(Contract):
    """What a seal says: one decision, by one person, on one plan of one run, once."""

    run: str
    """Workflow id of the run that it is for."""
    verdict: Verdict
    by: Annotated[str, StringConstraints(min_length=1, max_length=320)]
    """Id of the person."""
    method: Method
    groups: tuple[str, ...] = ()
    """Groups that the person is proven to be in."""
    step: str
    plan: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """The whole digest: a seal is never for whatever is shown."""
    comment: str = ""
    break_glass: bool = False
    id: Annotated[str, StringConstraints(min_length=16, max_length=64)]
    """Counts once in a run, so that a seal that is replayed does nothing."""
    expires_at: datetime


class SealRequest(Contract):
    """Ask whether a seal is genuine."""

    seal: Annotated[str, StringConstraints(max_length=MAX_SEAL)]
    at: datetime


class SealReport(Contract):
    """What a seal says, or why it says nothing."""

    said: Seal | None = None
    problem: str = ""


class Decision(Contract):
    """A decision as it was taken up: complete, with time and way."""

    verdict: Verdict
    by: str
    at: datetime
    comment: str = ""
    plan: str = ""
    step: str = ""
    via: str = ""
    """How it came: `signal`, `update`, …"""
    authenticated: str = ""
    """How the person was authenticated: a word of `Method`, `claimed` when the name was only stated."""
    groups: tuple[str, ...] = ()
    """Groups that the person is proven to be in."""
    break_glass: bool = False


class Cause(StrEnum):
    """Why a decision does not count, as a word that is counted."""

    UNREADABLE = "unreadable"
    NOTHING_WAITS = "nothing_waits"
    CROWDED = "crowded"
    LATE = "late"
    OTHER_PLAN = "other_plan"
    UNNAMED = "unnamed"
    UNSEALED = "unsealed"
    FORGED = "forged"
    REPLAYED = "replayed"
    NOT_ASKED = "not_asked"
    OWN_RUN = "own_run"
    TWICE = "twice"
    NO_RIGHT = "no_right"
    NO_REASON = "no_reason"


class Objection(Contract):
    """Why a decision does not count."""

    cause: Cause
    reason: str


class Vote(Contract):
    """A decision that counts: who said it, and whose word it is."""

    decision: Decision
    voter: str
    """The person who said it."""
    stands_for: str
    """Whose word it is: the voter's own, or that of somebody whose deputy they are."""
    asked_as: tuple[str, ...] = ()
    """The references that make it count."""

    @property
    def told(self) -> str:
        """The vote in a few words: `ana`, `ana for ben`, `ana, breaking glass`."""
        who = self.voter if self.voter == self.stands_for else f"{self.voter} for {self.stands_for}"
        return f"{who}, breaking glass" if self.decision.break_glass else who
