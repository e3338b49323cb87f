"""What the changes of a flag share, wherever flagd reads it: how a definition is read, compared and changed."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import StringConstraints

from halon.contracts.base import JsonObject, digest, is_object
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Nothing, Proposal, Refusal

MARK = "halon.dev/change"
"""Where the key stands in a flag's own metadata, by which flagd evaluates nothing."""
UNSAID = ""
Wanted: TypeAlias = Literal["ENABLED", "DISABLED"]
FlagKey: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Variant: TypeAlias = Annotated[str, StringConstraints(max_length=200)]


def owned(definition: JsonObject) -> JsonObject:
    """Its state and default variant, and the rest of it, without Halon's mark."""
    rest = {name: one for name, one in definition.items() if name not in {"state", "defaultVariant", "metadata"}}
    metadata = definition.get("metadata")
    if is_object(metadata) and (kept := {name: one for name, one in metadata.items() if name != MARK}):
        rest["metadata"] = kept
    variant = str(definition.get("defaultVariant") or UNSAID)
    return {"state": str(definition.get("state")), "variant": variant, "rest": digest(rest)[:16]}


def check_wanted(state: Wanted | None, variant: str) -> None:
    """Whether something shall change.

    Raises:
        ValueError: nothing is said.
    """
    if state is None and variant == UNSAID:
        raise ValueError("say what shall change: `state`, `variant` or both")


def proposed(
    definition: JsonObject, flag: str, wanted: tuple[Wanted | None, str], where: str, notes: Sequence[str] = ()
) -> Proposal | Nothing | Refusal:
    """Compare with the state and the variant that are wanted."""
    state, variant = wanted
    variants = definition.get("variants")
    if variant and not (is_object(variants) and variant in variants):
        offered = ", ".join(sorted(variants)) if is_object(variants) else "none"
        return Refusal(f"the flag {flag} has no variant {variant}: it has {offered}")
    before = owned(definition)
    after = {**before, "state": state or before["state"], "variant": variant or before["variant"]}
    if before == after:
        return Nothing(f"the flag {flag} is so already")
    changed = [name for name in ("state", "variant") if before[name] != after[name]]
    return Proposal(
        summary=f"Set the flag {flag} in {where}",
        before=before,
        after=after,
        rows=[Row(field=f"{flag}: {name}", before=before[name], after=after[name]) for name in changed],
        notes=notes,
    )


def fields_of(after: JsonObject) -> JsonObject:
    """Give the fields of a definition that make it as planned."""
    variant = {} if after["variant"] == UNSAID else {"defaultVariant": after["variant"]}
    return {"state": after["state"], **variant}


def settled(definition: JsonObject, flag: str, after: JsonObject) -> Settlement:
    """Whether it is as planned."""
    there = owned(definition)
    if there == after:
        return Settlement(state="settled", observed={"state": there["state"], "variant": there["variant"]})
    return Settlement(state="broken", reason=f"somebody changed the flag {flag} again")
