"""Change a feature flag that flagd reads from Kubernetes."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import StringConstraints, model_validator

from activities.flagd._definition import (
    UNSAID,
    FlagKey,
    Variant,
    Wanted,
    check_wanted,
    fields_of,
    owned,
    proposed,
    settled,
)
from halon.clients.kubernetes.api import KubernetesApi
from halon.clients.kubernetes.connection import Resource
from halon.clients.kubernetes.objects import Metadata, View
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.stamps import pointed, stamp
from halon.contracts.base import JsonObject, is_object
from halon.contracts.plan import Settlement
from halon.errors import NotFound, PermanentError
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
Namespace: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
Source: TypeAlias = Literal["FeatureFlag", "ConfigMap"]
_RESOURCES: dict[Source, Resource] = {
    "FeatureFlag": Resource("core.openfeature.dev", "v1beta1", "featureflags"),
    "ConfigMap": Resource("", "v1", "configmaps"),
}


class FlagObject(View):
    """The object that holds flags: a FeatureFlag has `spec`, a ConfigMap `data`."""

    metadata: Metadata
    spec: dict[str, Any] = {}
    data: dict[str, str] = {}


class FlagState(State):
    """A flag, and the object that holds it."""

    there: FlagObject
    definition: JsonObject
    """As flagd reads it."""
    key: str


class SetFlag(Change[FlagState]):
    """Change a feature flag that flagd reads: enable or disable it, or give everybody without a rule another variant.

    It is looked for in a FeatureFlag of the OpenFeature operator, or in a ConfigMap that holds flagd's JSON. A disabled
    flag gives everybody the default in the code. Variants and targeting that somebody changes meanwhile are drift.
    Errors: an object or a flag that is not there is `not_found`, missing rights are `permission_denied`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get", "patch"), "core.openfeature.dev/featureflags", "for `source: FeatureFlag`"),
        Permission("kubernetes", ("get", "patch"), "/configmaps", "for `source: ConfigMap`"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "flags", "flag": "new-cart", "variant": "off"}

    source: Source = "FeatureFlag"
    """What holds the flag."""
    namespace: Namespace
    """The object's namespace."""
    name: Name
    """The object's name."""
    file: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", max_length=253)] = "flags.flagd.json"
    """Of a ConfigMap: the key under which it holds flagd's JSON."""
    flag: FlagKey
    """The flag's key."""
    state: Wanted | None = None
    """Whether it is evaluated; without it, that stays."""
    variant: Variant = UNSAID
    """Its default variant, one of its variants; without it, that stays."""
    cluster: Annotated[str, StringConstraints(max_length=253)] = ""
    """A cluster of halon.yaml; without it, the default one."""

    @model_validator(mode="after")
    def _something(self) -> "SetFlag":
        check_wanted(self.state, self.variant)
        return self

    def target(self) -> str:
        """Name the flag."""
        return f"k8s/{self.cluster or 'default'}/{self.namespace}/{self.source.lower()}/{self.name}/{self.flag}"

    async def observe(self, env: Env) -> FlagState:
        """Look at the object."""
        api = env.get(KubernetesApi).cluster(self.cluster)
        there = await api.get(FlagObject, _RESOURCES[self.source], self.namespace, self.name)
        flags = self._document(there).get("flags")
        definition = flags.get(self.flag) if is_object(flags) else None
        if not is_object(definition):
            raise NotFound(f"{self.source} {self.namespace}/{self.name} has no flag {self.flag}")
        return FlagState(there=there, definition=definition, key=there.metadata.annotations.get(self._mark(), ""))

    def plan(self, state: FlagState, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        where = f"{self.source} {self.namespace}/{self.name}"
        wanted = (self.state, self.variant)
        return proposed(state.definition, self.flag, wanted, where, managers(state.there.metadata))

    async def rehearse(self, env: Env, after: JsonObject, state: FlagState) -> Sequence[str]:
        """Let the API server check the patch."""
        await self._patch(env, state, self._operations(state, after), dry_run=True)
        return ()

    def owned(self, state: FlagState) -> JsonObject:
        """Its state and default variant, and the rest of it."""
        return owned(state.definition)

    def mark(self, state: FlagState) -> str:
        """The key in the object's annotation for this flag."""
        return state.key

    async def apply(self, env: Env, after: JsonObject, state: FlagState, key: str) -> None:
        """Write it, with the key."""
        stamped = stamp(state.there.metadata, self._mark(), key)
        await self._patch(env, state, [*self._operations(state, after), *stamped])

    def settled(self, state: FlagState, after: JsonObject) -> Settlement:
        """Whether it is so. flagd hears of it within seconds, through a mounted ConfigMap within a minute or two."""
        return settled(state.definition, self.flag, after)

    def undo(self, before: JsonObject, after: JsonObject) -> "SetFlag":
        """Put both back."""
        kept = {"source": self.source, "namespace": self.namespace, "name": self.name, "file": self.file}
        back = {"flag": self.flag, "state": before["state"], "variant": before["variant"], "cluster": self.cluster}
        return SetFlag.model_validate({**kept, **back})

    def _document(self, there: FlagObject) -> dict[str, Any]:
        if self.source == "FeatureFlag":
            found: Any = there.spec.get("flagSpec")
            return found if is_object(found) else {}
        text = there.data.get(self.file)
        if text is None:
            raise NotFound(f"ConfigMap {self.namespace}/{self.name} has no `{self.file}`")
        try:
            read: Any = json.loads(text)
        except (ValueError, RecursionError):
            raise PermanentError(f"`{self.file}` in ConfigMap {self.namespace}/{self.name} is no JSON") from None
        return read if is_object(read) else {}

    def _operations(self, state: FlagState, after: JsonObject) -> list[JsonObject]:
        wanted = fields_of(after)
        if self.source == "FeatureFlag":
            root = f"/spec/flagSpec/flags/{pointed(self.flag)}"
            return [{"op": "add", "path": f"{root}/{name}", "value": value} for name, value in wanted.items()]
        document = self._document(state.there)
        document["flags"][self.flag] |= wanted
        text = json.dumps(document, indent=2, ensure_ascii=False)
        return [{"op": "replace", "path": f"/data/{pointed(self.file)}", "value": text}]

    async def _patch(self, env: Env, state: FlagState, made: list[JsonObject], *, dry_run: bool = False) -> None:
        api = env.get(KubernetesApi).cluster(self.cluster)
        await api.patch(_RESOURCES[self.source], state.there.metadata, made, dry_run=dry_run)

    def _mark(self) -> str:
        return f"halon.dev/flag-{hashlib.sha256(self.flag.encode()).hexdigest()[:12]}"
