"""How a thing that AWS makes once for a text of the caller's own is found again: by what it is for, how, and whose.

The text says three things: the mark of the reference (the same reference is the same thing), a digest of the call (the
same reference for something else is a mistake), and a digest of the key (which run has made it).
"""

import hashlib

from halon.contracts.base import JsonObject, digest
from halon.kit.action import State
from halon.kit.once import mark_of

_CALL, _KEY = 16, 24
"""Hexadecimal digits."""


class Text(State):
    """What such a text says; empty when there is none."""

    call: str = ""
    key: str = ""

    def of(self, key: str) -> bool:
        """Whether this key has made it."""
        return bool(self.key) and self.key == _of_key(key)


def call_digest(call: JsonObject) -> str:
    """Give the digest of a call."""
    return digest(call)[:_CALL]


def text_of(reference: str, call: JsonObject, key: str) -> str:
    """Write the text: 64 characters of letters, digits and dashes."""
    return f"{mark_of(reference)}-{call_digest(call)}-{_of_key(key)}"


def read(text: str, reference: str) -> Text | None:
    """Read a text; None when it is for something else, or none of Halon's."""
    head, _, key = text.rpartition("-")
    mark, _, call = head.rpartition("-")
    fits = mark == mark_of(reference) and len(call) == _CALL and len(key) == _KEY
    return Text(call=call, key=key) if fits else None


def _of_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:_KEY]
