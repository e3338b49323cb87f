"""Halon's own mark for calls that take none: a tag on the target that is written before the change itself.

Most of AWS's operations have no idempotency token. The tag says which change was about to be made and of what it was
made, so after a crash the two are told apart: the target is still as it was (the change was not made), or it is not
(it was made, and by whoever wrote the tag). There is one tag for each part of a target, so that two steps that change
different parts do not hide each other's marks.
"""

from collections.abc import Mapping
from typing import Any

from halon.contracts.base import JsonObject, digest, is_list, is_object
from halon.kit.action import State

PREFIX = "halon:"
WITHDRAWN = "withdrawn"
"""The value of a tag whose change AWS refused; it is no mark of any change."""
_DIGITS = 16


class Intent(State):
    """What the tag says."""

    key: str = ""
    """The idempotency key; empty when there is no tag of Halon's."""
    before: str = ""
    """What the change started from, as the beginning of its digest."""
    more: str = ""
    """What else the action noted, such as the id of the change at AWS."""

    def mark(self, owned: JsonObject) -> str:
        """Give the key when what it announced has happened: what is there is no longer what it started from."""
        return self.key if self.key and self.before != _short(owned) else ""

    def stands(self, key: str, owned: JsonObject) -> bool:
        """Whether this very change is announced already, so that a retry does not write the tag anew."""
        return (self.key, self.before) == (key, _short(owned))


def tag_name(part: str) -> str:
    """Name the tag of one part of a target."""
    return f"{PREFIX}{part}"


def tag_value(key: str, owned: JsonObject, more: str = "") -> str:
    """Give the tag's value: at most 256 characters of those that every service takes."""
    return " ".join(filter(None, (key, _short(owned), more)))


def intent(tags: Mapping[str, str], part: str) -> Intent:
    """Read the tag; one that somebody else filled is none."""
    key, _, rest = tags.get(tag_name(part), "").partition(" ")
    before, _, more = rest.partition(" ")
    return Intent(key=key, before=before, more=more) if len(before) == _DIGITS else Intent()


def tags_of(pairs: Any, name: str = "Key", value: str = "Value") -> dict[str, str]:
    """Read tags as most services list them; only Halon's are kept, for others' may say anything."""
    found: list[Any] = pairs if is_list(pairs) else []
    return halons({str(one.get(name, "")): str(one.get(value, "")) for one in found if is_object(one)})


def halons(tags: Mapping[str, str]) -> dict[str, str]:
    """Keep Halon's own tags."""
    return {name: value for name, value in tags.items() if name.startswith(PREFIX)}


def _short(owned: JsonObject) -> str:
    return digest(owned)[:_DIGITS]
