"""Change a feature flag in a document that flagd fetches over HTTP."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import StringConstraints, model_validator

from activities.flagd._definition import (
    MARK,
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
from halon.clients.flagd import FlagDocuments
from halon.contracts.base import JsonObject, is_object
from halon.contracts.plan import Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env


class ServedFlag(State):
    """A flag, and the document that holds it."""

    content: JsonObject
    etag: str
    definition: JsonObject
    key: str


class SetHttpFlag(Change[ServedFlag]):
    """Change a feature flag in a document that flagd fetches over HTTP: enable or disable it, or change its variant.

    The document is one of `flagd.documents` in halon.yaml. It is read and put back whole with `If-Match`: its server
    must give a strong ETag and heed it, so that nobody's change is written over. The key of the change stands in the
    flag's `metadata`. A disabled flag gives everybody the default in the code. Variants and targeting that somebody
    changes meanwhile are drift. Errors: a document that halon.yaml does not name is `misconfigured`, a refused
    credential `permission_denied`, a document or a flag that is not there `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("http", ("GET", "PUT"), "`flagd.documents`", "to read and write the document"),
    )
    example: ClassVar[JsonObject] = {"document": "shop", "flag": "new-cart", "variant": "off"}

    document: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$", max_length=63)]
    """The document's name in `flagd.documents` of halon.yaml."""
    flag: FlagKey
    """The flag's key."""
    state: Wanted | None = None
    """Whether it is evaluated; without it, that stays."""
    variant: Variant = UNSAID
    """Its default variant, one of its variants; without it, that stays."""

    @model_validator(mode="after")
    def _something(self) -> "SetHttpFlag":
        check_wanted(self.state, self.variant)
        return self

    def target(self) -> str:
        """Name the flag."""
        return f"flagd/{self.document}/{self.flag}"

    async def observe(self, env: Env) -> ServedFlag:
        """Look at the document."""
        there = await env.get(FlagDocuments).read(self.document)
        definition = there.flag(self.flag, self.document)
        metadata = definition.get("metadata")
        key = str(metadata.get(MARK, "")) if is_object(metadata) else ""
        return ServedFlag(content=there.content, etag=there.etag, definition=definition, key=key)

    def plan(self, state: ServedFlag, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        return proposed(state.definition, self.flag, (self.state, self.variant), f"the document {self.document}")

    def owned(self, state: ServedFlag) -> JsonObject:
        """Its state and default variant, and the rest of it."""
        return owned(state.definition)

    def mark(self, state: ServedFlag) -> str:
        """The key in the flag's metadata."""
        return state.key

    async def apply(self, env: Env, after: JsonObject, state: ServedFlag, key: str) -> None:
        """Write the document with the flag as planned, and with the key."""
        metadata, flags = state.definition.get("metadata"), state.content["flags"]
        marked: JsonObject = {**(metadata if is_object(metadata) else {}), MARK: key}
        changed: JsonObject = {**state.definition, **fields_of(after), "metadata": marked}
        others: JsonObject = {**(flags if is_object(flags) else {}), self.flag: changed}
        content: JsonObject = {**state.content, "flags": others}
        await env.get(FlagDocuments).write(self.document, content, state.etag)

    def settled(self, state: ServedFlag, after: JsonObject) -> Settlement:
        """Whether it is so. flagd fetches it every few seconds."""
        return settled(state.definition, self.flag, after)

    def undo(self, before: JsonObject, after: JsonObject) -> "SetHttpFlag":
        """Put both back."""
        back = {"flag": self.flag, "state": before["state"], "variant": before["variant"]}
        return SetHttpFlag.model_validate({"document": self.document, **back})
