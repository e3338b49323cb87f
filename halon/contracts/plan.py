"""What a change would do, made before anything is touched, and what came of it."""

from enum import StrEnum
from typing import Literal

from halon.contracts.base import Contract, Duration, Json, JsonObject, digest


class Effect(StrEnum):
    """How far an action reaches."""

    READ = "read"
    NOTIFY = "notify"
    """Tells people. Production does not change, so it is neither planned nor undone; a dry run leaves it out."""
    CHANGE = "change"
    DESTROY = "destroy"


class ActionCall(Contract):
    """An action by its registered name, with its parameters as JSON."""

    action: str
    params: JsonObject = {}


class Row(Contract):
    """One line of the plan's table."""

    field: str
    before: Json
    after: Json


class Undo(Contract):
    """How a change is taken back: the action that restores the recorded state, or why there is none."""

    call: ActionCall | None = None
    reason: str = ""


PlanKind = Literal["change", "nothing", "refused"]


class Plan(Contract):
    """A change as before and after. Pinned: applying it later does exactly this or nothing.

    `before` and `after` are the part of the target's state that the action owns. Apply compares what it sees then with
    them: `before` means go, `after` with the action's own mark means done already, anything else is drift.
    """

    kind: PlanKind
    action: str
    params: JsonObject
    effect: Effect
    target: str
    """Where it acts, such as `k8s/eu-1/shop/deployment/cart`."""
    summary: str
    """One sentence in the imperative: 'Roll back Deployment shop/cart to revision 41 (image cart:1.8)'."""
    reason: str = ""
    """For `nothing` and `refused`: why."""
    before: JsonObject = {}
    after: JsonObject = {}
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    """What the one who decides should know, such as 'managed by Argo CD application cart, which may revert this'."""
    undo: Undo = Undo()
    apply_within: Duration | None = None
    """Bound on applying with all its attempts, for a change that writes again and again for longer than usual."""
    overtaken: bool = False
    """A refused undo: somebody else changed the target since. A person may decide to put it back all the same."""

    @property
    def digest(self) -> str:
        """What an approval is bound to: action, parameters, target, before and after. 64 hex digits."""
        return digest(
            {
                "action": self.action,
                "params": self.params,
                "target": self.target,
                "before": self.before,
                "after": self.after,
            }
        )


class Applied(Contract):
    """What apply did. With `drift`, nothing was written and `drift` is the plan for what is there now.

    With `held` nothing was written either: people have paused changes, and it is tried again once they go on.
    """

    status: Literal["applied", "already", "drift", "refused", "held"]
    ours: bool = True
    """False when what was wanted is there, but somebody else made it so: then it is not this run's to undo."""
    reason: str = ""
    drift: Plan | None = None


class Settlement(Contract):
    """Whether a change's effect is there. `broken` means that waiting longer cannot help."""

    state: Literal["settled", "waiting", "broken"]
    reason: str = ""
    observed: JsonObject = {}


class ReadResult(Contract):
    """Output of a read action.

    `hints` says which paths of the output are durations or timestamps, so that expressions can compare them:
    `{"age": "duration", "pods[].started_at": "timestamp"}`. On the wire they are `12m` and RFC 3339 text.
    """

    output: Json
    hints: dict[str, Literal["duration", "timestamp"]] = {}
