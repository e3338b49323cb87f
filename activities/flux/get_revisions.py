"""Read which revisions Flux applied."""

from typing import Any, ClassVar, Literal

from activities.flux._object import PERMISSIONS, ClusterName, Name, Namespace, address, look, ready
from halon.contracts.base import JsonObject, is_list, is_object
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

_MAX_ENTRIES = 20


class AppliedRevision(Output):
    """A revision that was applied, or tried."""

    revision: str
    """As Flux writes it: `main@sha1:HASH`, or a chart's version."""
    commit: str
    """The hash in it; empty where there is none."""
    status: str
    """How the last attempt ended, such as `ReconciliationSucceeded`."""
    last: str
    """When it was applied last."""


class RevisionsResult(Output):
    """What was applied."""

    no_data: bool
    """True when Flux has not applied anything yet."""
    ready: bool
    """Whether what the object asks for is applied."""
    message: str
    """What Flux says about that."""
    applied: str
    """The revision that was applied last, well."""
    attempted: str
    """The revision that was tried last."""
    good: str
    """The commit that was applied well before the attempted one, for `flux.pin_source`; empty when none is known."""
    history: tuple[AppliedRevision, ...]
    """The newest first; Flux keeps five, and versions before 2.7 none."""


class GetRevisions(Read[RevisionsResult]):
    """Read which revisions Flux applied for a Kustomization or a HelmRelease, and whether the newest one is well.

    Errors: an object that is not there is `not_found`, missing rights are `permission_denied`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = tuple(
        Permission("kubernetes", ("get",), one.resource, "to see what was applied")
        for one in PERMISSIONS
        if not one.resource.startswith("source.")
    )
    example: ClassVar[JsonObject] = {"kind": "Kustomization", "namespace": "flux-system", "name": "shop"}

    kind: Literal["Kustomization", "HelmRelease"]
    """What it is."""
    namespace: Namespace
    """Its namespace."""
    name: Name
    """Its name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the object."""
        return address(self.cluster, self.kind, self.namespace, self.name)

    async def run(self, env: Env) -> RevisionsResult:
        """Read."""
        state = await look(env, self.cluster, self.kind, self.namespace, self.name)
        status = state.there.status
        is_ready, message = ready(state)
        history = tuple(_entry(one) for one in _objects(status.get("history"))[:_MAX_ENTRIES])
        attempted = str(status.get("lastAttemptedRevision") or "")
        applied = str(status.get("lastAppliedRevision") or "") or (attempted if is_ready else "")
        return RevisionsResult(
            no_data=not (applied or attempted or history),
            ready=is_ready,
            message=message,
            applied=applied,
            attempted=attempted,
            good=_good(history, applied, attempted),
            history=history,
        )


def _good(history: tuple[AppliedRevision, ...], applied: str, attempted: str) -> str:
    """The commit that was well before the one that was tried last."""
    well = [one.commit for one in history if one.status == "ReconciliationSucceeded"]
    return next((one for one in [_commit(applied), *well] if one and one != _commit(attempted)), "")


def _entry(said: dict[str, Any]) -> AppliedRevision:
    metadata = said.get("metadata")
    revision = str(metadata.get("revision") or "") if is_object(metadata) else ""
    revision = revision or str(said.get("chartVersion") or "")
    return AppliedRevision(
        revision=revision[:300],
        commit=_commit(revision),
        status=str(said.get("lastReconciledStatus") or said.get("status") or "")[:100],
        last=str(said.get("lastReconciled") or said.get("lastDeployed") or "")[:100],
    )


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if is_object(one)] if is_list(value) else []


def _commit(revision: str) -> str:
    _, marker, commit = revision.rpartition("sha1:")
    return commit if marker else ""
