"""What the actions on Flux's objects share: which one, how it is looked at, and how it is suspended and resumed."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import StringConstraints

from halon.clients.kubernetes.api import KubernetesApi
from halon.clients.kubernetes.connection import Resource
from halon.clients.kubernetes.objects import Metadata, View
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.stamps import stamp
from halon.contracts.base import JsonObject, digest, is_list, is_object
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

Kind: TypeAlias = Literal["Kustomization", "HelmRelease", "GitRepository"]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
Namespace: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
ClusterName: TypeAlias = Annotated[str, StringConstraints(max_length=253)]
KINDS: dict[Kind, Resource] = {
    "Kustomization": Resource("kustomize.toolkit.fluxcd.io", "v1", "kustomizations"),
    "HelmRelease": Resource("helm.toolkit.fluxcd.io", "v2", "helmreleases"),
    "GitRepository": Resource("source.toolkit.fluxcd.io", "v1", "gitrepositories"),
}
PERMISSIONS = tuple(
    Permission("kubernetes", ("get", "patch"), f"{one.group}/{one.plural}", f"to see a {kind} and suspend or resume it")
    for kind, one in KINDS.items()
)
MARK = "halon.dev/change-suspend"


class FluxObject(View):
    """An object of Flux's, as far as actions read it."""

    metadata: Metadata
    spec: dict[str, Any]
    status: dict[str, Any] = {}


class FluxState(State):
    """An object of Flux's."""

    there: FluxObject

    @property
    def suspended(self) -> bool:
        """Whether Flux leaves it alone."""
        return self.there.spec.get("suspend") is True

    def owned(self) -> JsonObject:
        """Whether it is suspended, and what else it says: what is approved is what was seen."""
        rest = {name: value for name, value in self.there.spec.items() if name != "suspend"}
        return {"suspended": self.suspended, "spec": digest(rest)[:16]}


async def look(env: Env, cluster: str, kind: Kind, namespace: str, name: str) -> FluxState:
    """Look at an object."""
    api = env.get(KubernetesApi).cluster(cluster)
    return FluxState(there=await api.get(FluxObject, KINDS[kind], namespace, name))


def proposed(state: FluxState, kind: Kind, *, suspended: bool) -> Proposal | Nothing | Refusal:
    """Compare with what is wanted."""
    meta = state.there.metadata
    title = f"{kind} {meta.namespace}/{meta.name}"
    if state.suspended == suspended:
        return Nothing(f"{title} is {_word(suspended=suspended)} already")
    before = state.owned()
    note = (
        "nothing is put right by Flux while it is suspended"
        if suspended
        else "Flux applies at once what its source has"
    )
    return Proposal(
        summary=f"{'Suspend' if suspended else 'Resume'} {title}",
        before=before,
        after={**before, "suspended": suspended},
        rows=[Row(field="suspended", before=state.suspended, after=suspended)],
        notes=(note, *managers(meta)),
    )


def operations(state: FluxState, key: str, *, suspended: bool) -> list[JsonObject]:
    """The JSON patch."""
    return [
        {"op": "add", "path": "/spec/suspend", "value": suspended},
        *stamp(state.there.metadata, MARK, key),
    ]


async def write(env: Env, cluster: str, kind: Kind, state: FluxState, made: Sequence[JsonObject]) -> None:
    """Patch the object as it was seen.

    Raises:
        Conflict: it changed since.
    """
    await env.get(KubernetesApi).cluster(cluster).patch(KINDS[kind], state.there.metadata, made)


async def rehearse(env: Env, cluster: str, kind: Kind, state: FluxState, made: Sequence[JsonObject]) -> Sequence[str]:
    """Let the API server check the patch."""
    await env.get(KubernetesApi).cluster(cluster).patch(KINDS[kind], state.there.metadata, made, dry_run=True)
    return ()


def settled(state: FluxState, after: JsonObject) -> Settlement:
    """Whether it is as it should be."""
    if state.suspended == after["suspended"]:
        return Settlement(state="settled", observed=state.owned())
    return Settlement(state="broken", reason=f"it is {_word(suspended=state.suspended)} again")


def ready(state: FluxState) -> tuple[bool, str]:
    """Whether Flux has done what the object says, and what it says about that."""
    status = state.there.status
    if status.get("observedGeneration", 0) < state.there.metadata.generation:
        return False, "Flux has not seen it yet"
    found: object = status.get("conditions")
    conditions = [one for one in found if is_object(one)] if is_list(found) else []
    one = next((one for one in conditions if one.get("type") == "Ready"), None)
    if one is None:
        return False, "Flux says nothing about it yet"
    return one.get("status") == "True", str(one.get("message") or one.get("reason") or "")[:300]


def address(cluster: str, kind: Kind, namespace: str, name: str) -> str:
    """Name an object for people and policy."""
    return f"k8s/{cluster or 'default'}/{namespace}/{kind.lower()}/{name}"


def _word(*, suspended: bool) -> str:
    return "suspended" if suspended else "not suspended"
