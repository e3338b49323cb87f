"""What an action is. An author writes what to look at, what to change and when it is done; the driver does the rest.

A read action subclasses `Read`, one that tells people `Notice`, a changing one `Change`. Its fields are its parameters,
so validation, JSON Schema and documentation come from one place: a field's docstring is its description. Its name is
the path of its file: `activities/kubernetes/scale_deployment.py` holds `kubernetes.scale_deployment`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from halon.contracts.base import Json, JsonObject
from halon.contracts.plan import Effect, Row, Settlement
from halon.kit.env import Env


class State(BaseModel):
    """What an action sees of its target: small, typed, frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Output(State):
    """What a read action answers."""


StateT = TypeVar("StateT", bound=State)
OutputT = TypeVar("OutputT", bound=Output)


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing that the action's credentials must be allowed to do."""

    system: Literal["kubernetes", "aws", "http"]
    verbs: tuple[str, ...]
    """Kubernetes verbs, or IAM actions such as `iam:UpdateAccessKey`."""
    resource: str
    """Kubernetes `group/resource` such as `apps/deployments` (core is `/pods`), or an ARN pattern in which `{field}`
    stands for the action's parameter of that name, `{account}` and `{region}` among them: what a playbook leaves open
    becomes `*`. For HTTP a path, or what the token must be allowed."""
    why: str = ""
    scope: Literal["namespace", "cluster"] = "namespace"
    """Kubernetes: `cluster` for what no namespace holds, such as nodes, and for lists over all namespaces."""
    name: str = ""
    """Kubernetes: which object, as `{field}`, where a parameter names it; a role is then narrowed to it when a playbook
    gives it as a constant."""
    when: tuple[tuple[str, str], ...] = ()
    """Parameters and their values, `*` for any but none: it is needed only by calls that have all of them so."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change, as `plan` proposes it.

    `before` and `after` hold the part of the target that the action owns, complete enough to apply and to undo from.
    """

    summary: str
    before: JsonObject
    after: JsonObject
    rows: Sequence[Row]
    notes: Sequence[str] = field(default_factory=tuple)
    pinned: JsonObject = field(default_factory=dict[str, Json])
    """Parameters that the plan adds to the call, so that applying it tells what was seen from a later thing of the same
    name: a pod's uid."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """The target is already as wanted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The action will not do this, and says why: an autoscaler owns the count, the revision is gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoUndo:
    """Why a change cannot be taken back."""

    reason: str


class Action(BaseModel):
    """What reads, notices and changes have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    effect: ClassVar[Effect]
    permissions: ClassVar[tuple[Permission, ...]] = ()
    example: ClassVar[JsonObject]
    """Parameters of a typical call; the reference shows them and a test parses them."""

    def target(self) -> str:
        """Where it acts, for people and for policy: `k8s/eu-1/shop/deployment/cart`."""
        raise NotImplementedError


class Read(Action, Generic[OutputT]):
    """An action that only looks."""

    effect: ClassVar[Effect] = Effect.READ

    async def run(self, env: Env) -> OutputT:
        """Look and answer.

        Raises:
            TransientError: looking again may succeed.
            PermanentError: it cannot.
        """
        raise NotImplementedError


class Notice(Read[OutputT], Generic[OutputT]):
    """An action that tells people. It runs as a read does, except that a dry run leaves it out.

    It is told at least once: a worker that dies between sending and answering makes the server send it again.
    """

    effect: ClassVar[Effect] = Effect.NOTIFY


class Change(Action, Generic[StateT]):
    """An action that changes the world, in a few methods. The driver gives dry run, confirmation, drift and undo."""

    effect: ClassVar[Effect] = Effect.CHANGE
    undoable: ClassVar[bool] = True
    """False when `undo` gives NoUndo for every change; the linter then asks for what makes up for it."""
    marks: ClassVar[bool] = True
    """False when nothing is left that could carry the key of a finished change, as after a deletion: what is as planned
    then counts as the run's own work."""

    async def observe(self, env: Env) -> StateT:
        """Look at what matters for this change. Read only."""
        raise NotImplementedError

    def plan(self, state: StateT, now: datetime) -> Proposal | Nothing | Refusal:
        """What to do about `state`. Pure: `now` is when the plan is made and the same for every retry.

        Keep `now` out of `before` and `after`: an approval is bound to them, and must not lapse because time passes.
        """
        raise NotImplementedError

    async def rehearse(self, env: Env, after: JsonObject, state: StateT) -> Sequence[str]:
        """Let the API check the write without doing it, where it can. Gives notes for the plan.

        Raises:
            PermissionDenied: the credentials may not do this.
            Conflict: the target changed since; the driver looks again.
            PermanentError: the API would refuse this, for the reason given; the plan is then a refusal.
        """
        _ = env, after, state
        return ()

    def owned(self, state: StateT) -> JsonObject:
        """The part of `state` that plans hold in `before` and `after`; comparing it with them shows drift. Pure."""
        raise NotImplementedError

    def mark(self, state: StateT) -> str:
        """The key of the last write to the owned part that Halon stamped into the target, or empty. Pure."""
        raise NotImplementedError

    def ours(self, state: StateT, key: str) -> bool:
        """Whether this key has changed the target. Pure; to override where a target keeps the marks of many writes."""
        return self.mark(state) == key

    def unfinished(self, state: StateT) -> str:
        """Say what is still to be written although the owned part is as planned; empty for a change of one write. Pure.

        For a change of many writes, such as a drain: its first write makes the owned part as planned and leaves the
        mark, and `apply` is called with the same key until nothing is unfinished. While it has to wait before it can
        write more it raises TransientError with a delay, so that the server waits and no worker does.
        """
        _ = state
        return ""

    def apply_within(self) -> timedelta | None:
        """How long applying may take with all its attempts; None for the engine's own bound. Pure."""
        return None

    async def apply(self, env: Env, after: JsonObject, state: StateT, key: str) -> None:
        """Write `after`, guarded against a change since `state` was observed, and stamp `key` in the same write.

        Raises:
            Conflict: the target changed since; the driver looks again.
        """
        raise NotImplementedError

    def settled(self, state: StateT, after: JsonObject) -> Settlement:
        """Whether `after` is in effect: settled, waiting (with what for), or broken (waiting cannot help). Pure."""
        raise NotImplementedError

    def undo(self, before: JsonObject, after: JsonObject) -> "Change[Any] | NoUndo":
        """The action that puts `before` back, or why there is none. Pure."""
        raise NotImplementedError
