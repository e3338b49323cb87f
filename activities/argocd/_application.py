"""What the actions on an application share."""

from typing import Annotated, Any, TypeAlias

from pydantic import StringConstraints

from halon.clients.argocd import Application
from halon.contracts.base import JsonObject
from halon.kit.action import Permission, State

ApplicationName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)
]
ApplicationNamespace: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$", max_length=63)
]
LOOK = Permission("http", ("GET",), "/api/v1/applications", "Argo CD's `applications, get`")
UPDATE = Permission("http", ("PATCH",), "/api/v1/applications", "Argo CD's `applications, update`")
MARK = "halon.dev/change-sync-policy"


class Policy(State):
    """How an application syncs by itself."""

    prune: bool = False
    self_heal: bool = False
    allow_empty: bool = False

    def written(self) -> JsonObject:
        """As the application has it."""
        flags = {"prune": self.prune, "selfHeal": self.self_heal, "allowEmpty": self.allow_empty}
        return {name: True for name, on in flags.items() if on}


class SyncPolicy(State):
    """An application's policy."""

    policy: Policy | None
    """None while it does not sync by itself."""
    raw: JsonObject | None
    """What stands there."""
    has_policy: bool
    has_annotations: bool
    owners: tuple[str, ...]
    key: str

    def owned(self) -> JsonObject:
        """What plans hold."""
        return {"automated": self.policy.model_dump() if self.policy else None}


def seen(application: Application) -> SyncPolicy:
    """Read an application's policy."""
    raw: dict[str, Any] | None = application.automated
    policy = None
    if application.syncs and raw is not None:
        policy = Policy(
            prune=bool(raw.get("prune")), self_heal=bool(raw.get("selfHeal")), allow_empty=bool(raw.get("allowEmpty"))
        )
    annotations = application.metadata.annotations
    return SyncPolicy(
        policy=policy,
        raw=raw,
        has_policy=application.spec.sync_policy is not None,
        has_annotations=bool(annotations),
        owners=tuple(f"{one.kind} {one.name}" for one in application.metadata.owner_references),
        key=annotations.get(MARK, ""),
    )


def operations(state: SyncPolicy, automated: JsonObject | None, key: str) -> list[JsonObject]:
    """The JSON patch that writes a policy, or takes it away, as long as what was seen is still there."""
    made: list[JsonObject] = []
    if state.raw is not None:
        made.append({"op": "test", "path": "/spec/syncPolicy/automated", "value": state.raw})
    if automated is None:
        made.append({"op": "remove", "path": "/spec/syncPolicy/automated"})
    else:
        if not state.has_policy:
            made.append({"op": "add", "path": "/spec/syncPolicy", "value": {}})
        made.append({"op": "add", "path": "/spec/syncPolicy/automated", "value": automated})
    if not state.has_annotations:
        made.append({"op": "add", "path": "/metadata/annotations", "value": {}})
    escaped = MARK.replace("/", "~1")
    return [*made, {"op": "add", "path": f"/metadata/annotations/{escaped}", "value": key}]


def owners(state: SyncPolicy) -> tuple[str, ...]:
    """Who may put the policy back, one sentence each."""
    return tuple(f"made by {one}, which may put its sync policy back" for one in state.owners)


def told(policy: Policy | None) -> str:
    """A policy in words."""
    if policy is None:
        return "paused"
    on = [name for name, is_on in (("prune", policy.prune), ("self-heal", policy.self_heal)) if is_on]
    return f"automated ({', '.join(on)})" if on else "automated"


def address(name: str, namespace: str) -> str:
    """Name an application for people and policy."""
    return f"argocd/{namespace}/{name}" if namespace else f"argocd/{name}"
