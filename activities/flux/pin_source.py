"""Roll back with Flux: hold a GitRepository at a commit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import StringConstraints

from activities.flux._object import (
    KINDS,
    ClusterName,
    FluxState,
    Name,
    Namespace,
    address,
    look,
    ready,
    rehearse,
    write,
)
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.stamps import stamp
from halon.contracts.base import JsonObject, digest, is_object
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env

_MARK = "halon.dev/change-commit"
_RESOURCE = KINDS["GitRepository"]


class PinSource(Change[FluxState]):
    """Hold a GitRepository at a commit, so that Flux applies that one: its way to roll back what Git still has.

    Everything that reads this source goes to the commit; `flux.get_revisions` says which one was well. Pushes are not
    applied until it is let go, which undo does, or `commit: ""`. Errors: an object that is not there is `not_found`,
    missing rights are `permission_denied`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get", "patch"), f"{_RESOURCE.group}/{_RESOURCE.plural}", "to hold it at a commit"),
    )
    example: ClassVar[JsonObject] = {
        "namespace": "flux-system",
        "name": "shop",
        "commit": "8e2c7f0d5b1a4c3e9f60718293a4b5c6d7e8f901",
    }

    namespace: Namespace
    """The GitRepository's namespace."""
    name: Name
    """The GitRepository's name."""
    commit: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$", max_length=64)]
    """The full hash of the commit; empty to let it follow its branch or tag again."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the GitRepository."""
        return address(self.cluster, "GitRepository", self.namespace, self.name)

    async def observe(self, env: Env) -> FluxState:
        """Look at it."""
        return await look(env, self.cluster, "GitRepository", self.namespace, self.name)

    def plan(self, state: FluxState, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        if state.suspended:
            return Refusal(f"GitRepository {self.namespace}/{self.name} is suspended: resume it first")
        before = self.owned(state)
        if before["commit"] == self.commit:
            return Nothing(f"GitRepository {self.namespace}/{self.name} is {_told(self.commit)} already")
        return Proposal(
            summary=f"Let GitRepository {self.namespace}/{self.name} be {_told(self.commit)}",
            before=before,
            after={**before, "commit": self.commit},
            rows=[
                Row(field="commit", before=_told(str(before["commit"])), after=_told(self.commit)),
                Row(field="revision", before=_revision(state), after=self.commit[:12] or "what its branch or tag has"),
            ],
            notes=("everything that reads this source goes with it", *managers(state.there.metadata)),
        )

    async def rehearse(self, env: Env, after: JsonObject, state: FluxState) -> Sequence[str]:
        """Let the API server check the patch."""
        return await rehearse(env, self.cluster, "GitRepository", state, self._operations(state, ""))

    def owned(self, state: FluxState) -> JsonObject:
        """The commit, and what else says where it points."""
        ref = _ref(state)
        rest = {name: value for name, value in ref.items() if name != "commit"}
        source = {"ref": rest, "url": state.there.spec.get("url")}
        return {"commit": str(ref.get("commit") or ""), "source": digest(source)[:16]}

    def mark(self, state: FluxState) -> str:
        """The key in the object's annotation."""
        return state.there.metadata.annotations.get(_MARK, "")

    async def apply(self, env: Env, after: JsonObject, state: FluxState, key: str) -> None:
        """Write the commit, with the key."""
        await write(env, self.cluster, "GitRepository", state, self._operations(state, key))

    def settled(self, state: FluxState, after: JsonObject) -> Settlement:
        """Whether Flux has fetched it."""
        if self.owned(state)["commit"] != after["commit"]:
            return Settlement(state="broken", reason="somebody changed the commit again")
        is_ready, message = ready(state)
        revision = _revision(state)
        if is_ready and (not self.commit or revision.endswith(self.commit)):
            return Settlement(state="settled", observed={"revision": revision})
        return Settlement(state="waiting", reason=f"the source is at {revision or 'nothing'}: {message}")

    def undo(self, before: JsonObject, after: JsonObject) -> "PinSource":
        """Let it point where it did."""
        return PinSource(namespace=self.namespace, name=self.name, cluster=self.cluster, commit=str(before["commit"]))

    def _operations(self, state: FluxState, key: str) -> list[JsonObject]:
        made: list[JsonObject] = []
        if not is_object(state.there.spec.get("ref")):
            made.append({"op": "add", "path": "/spec/ref", "value": {}})
        if self.commit:
            made.append({"op": "add", "path": "/spec/ref/commit", "value": self.commit})
        else:
            made.append({"op": "remove", "path": "/spec/ref/commit"})
        return [*made, *stamp(state.there.metadata, _MARK, key)]


def _ref(state: FluxState) -> dict[str, Any]:
    ref = state.there.spec.get("ref")
    return ref if is_object(ref) else {}


def _revision(state: FluxState) -> str:
    artifact = state.there.status.get("artifact")
    return str(artifact.get("revision") or "")[:300] if is_object(artifact) else ""


def _told(commit: str) -> str:
    return f"held at {commit[:12]}" if commit else "free to follow its branch or tag"
