"""What the driver's activities take. One input object each; what they give is in `contracts.plan`.

Every action has its activities under its own name, so that Temporal's UI tells the story:
`kubernetes.get_owner` for a read; `kubernetes.scale_deployment.plan`, `.apply` and `.confirm` for a change.
"""

from datetime import datetime

from halon.contracts.base import Contract, Duration
from halon.contracts.ledger import Permit
from halon.contracts.plan import ActionCall, Plan


class ReadRequest(Contract):
    """Run a read action."""

    call: ActionCall
    incident: str
    step: str


class PlanRequest(Contract):
    """Observe and plan. Answers a `Plan`."""

    call: ActionCall
    incident: str
    step: str
    now: datetime
    """The time of planning, the same for every retry."""
    undoing: Plan | None = None
    """Set when this plan takes back that one. Then what is there must be what that plan left, or what it began from
    (then there is nothing to take back); anything else is somebody else's change and is refused, never overwritten."""


class ApplyRequest(Contract):
    """Observe again, refuse on drift, write, stamp the key. Answers `Applied`."""

    plan: Plan
    key: str
    """From incident, step and iteration: never from time or chance."""
    incident: str
    step: str
    now: datetime
    permit: Permit | None = None
    """What the worker asks the guards with, right before it writes. Without one nobody is asked."""


class ConfirmRequest(Contract):
    """Observe until the effect is there. Answers a `Settlement` that is settled or broken.

    An effect that is not there yet fails the attempt with a delay, so that the server does the waiting; the caller
    bounds it with the activity's schedule-to-close time-out.
    """

    plan: Plan
    incident: str
    step: str
    poll: Duration
    """First delay between looks; it doubles up to ten times this."""
