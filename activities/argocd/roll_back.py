"""Deploy an earlier revision of an application by Argo CD."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.argocd._application import LOOK, ApplicationName, ApplicationNamespace, address
from halon.clients.argocd import Application, ArgoCd
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

_BUSY = frozenset({"Running", "Terminating"})
_FAILED = frozenset({"Failed", "Error"})


class Entry(State):
    """A deployment in the application's history."""

    id: int
    revision: str


class Synced(State):
    """What is deployed, and what was."""

    syncs: bool
    """Whether it syncs by itself."""
    revision: str
    """What is deployed, or being deployed."""
    history: tuple[Entry, ...]
    """The newest last."""
    phase: str
    """Of the last operation."""
    failed: str
    """What the last operation asked for, when it failed."""
    message: str
    health: str


class RollBack(Change[Synced]):
    """Deploy an earlier revision of an application from its history, as `argocd app rollback` does.

    Argo CD refuses while the application syncs by itself, and Git would win at the next sync: pause it first with
    `argocd.pause_sync`, and change Git before you resume. Undo deploys the present revision again, the same way.

    Only applications in `argocd.allow` of halon.yaml are touched. Errors: what is not allowed, and a token without the
    right, are `permission_denied`, which Argo CD also answers for an application that is not there.
    """

    marks: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        LOOK,
        Permission("http", ("POST",), "/api/v1/applications/{application}/rollback", "Argo CD's `applications, sync`"),
    )
    example: ClassVar[JsonObject] = {"application": "cart"}

    application: ApplicationName
    """The application."""
    namespace: ApplicationNamespace = ""
    """Its namespace, when that is not Argo CD's own."""
    to_revision: Annotated[str, StringConstraints(max_length=2000)] = ""
    """The revision to go to, as the history has it; without it, the last other one."""
    prune: bool = False
    """Whether what that revision does not have is deleted."""

    def target(self) -> str:
        """Name the application."""
        return address(self.application, self.namespace)

    async def observe(self, env: Env) -> Synced:
        """Look at the application and its history."""
        return _synced(await env.get(ArgoCd).application(self.application, self.namespace))

    def plan(self, state: Synced, now: datetime) -> Proposal | Nothing | Refusal:
        """Find the entry to go to."""
        if state.syncs:
            return Refusal(f"{self.application} syncs by itself: pause it first, with argocd.pause_sync")
        entry = self._entry(state)
        if entry is None:
            wanted = self.to_revision[:12] or "another revision"
            return Refusal(f"the history of {self.application} does not have {wanted}")
        if entry.revision == state.revision:
            return Nothing(f"{entry.revision[:12]} is deployed already")
        return Proposal(
            summary=f"Roll the application {self.application} back to {entry.revision[:12]}",
            before={"revision": state.revision},
            after={"revision": entry.revision},
            rows=[Row(field="revision", before=state.revision[:12], after=entry.revision[:12])],
            notes=("it stays OutOfSync until Git has it too; a sync before then deploys what Git has",),
        )

    def owned(self, state: Synced) -> JsonObject:
        """The revision."""
        return {"revision": state.revision}

    def mark(self, state: Synced) -> str:
        """Argo CD keeps none with a roll-back."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: Synced, key: str) -> None:
        """Roll back to the entry."""
        revision = after["revision"]
        history = next((one.id for one in reversed(state.history) if one.revision == revision), 0)
        await env.get(ArgoCd).roll_back(self.application, self.namespace, history=history, prune=self.prune)

    def settled(self, state: Synced, after: JsonObject) -> Settlement:
        """Whether the roll-back has ended well, and the application is healthy."""
        wanted = str(after["revision"])
        if state.revision != wanted:
            if state.failed == wanted:
                return Settlement(state="broken", reason=f"rolling back failed: {state.message}")
            return Settlement(state="waiting", reason=f"{state.revision[:12]} is what is deployed")
        if state.phase in _BUSY:
            return Settlement(state="waiting", reason=f"the roll-back is {state.phase}")
        if state.health != "Healthy":
            return Settlement(state="waiting", reason=f"the application is {state.health or 'of unknown health'}")
        return Settlement(state="settled", observed={"revision": wanted})

    def undo(self, before: JsonObject, after: JsonObject) -> "RollBack":
        """Deploy what is deployed now, the same way."""
        return RollBack(
            application=self.application,
            namespace=self.namespace,
            to_revision=str(before["revision"]),
            prune=self.prune,
        )

    def _entry(self, state: Synced) -> Entry | None:
        newest_first = reversed(state.history)
        if self.to_revision:
            return next((one for one in newest_first if one.revision == self.to_revision), None)
        return next((one for one in newest_first if one.revision != state.revision), None)


def _synced(application: Application) -> Synced:
    status = application.status
    history = tuple(Entry(id=one.id, revision=one.name) for one in status.history)
    state = status.operation_state
    asked = state.operation.sync.name if state and state.operation.sync else ""
    pending = application.operation.sync.name if application.operation and application.operation.sync else ""
    deployed = history[-1].revision if history else ""
    phase = "Running" if pending else state.phase if state else ""
    return Synced(
        syncs=application.automated is not None,
        revision=pending or (asked if phase in _BUSY and asked else deployed),
        history=history,
        phase=phase,
        failed=asked if phase in _FAILED else "",
        message=(state.message if state else "")[:300],
        health=status.health.status,
    )
