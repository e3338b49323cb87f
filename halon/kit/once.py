"""How something is made once in a system that takes no key: a playbook names what it is for, and a mark shows that."""

import hashlib
from typing import Annotated, TypeAlias

from pydantic import StringConstraints

from halon.redaction import redact_text

Reference: TypeAlias = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[ -~]+$")
]
"""What something is made for, such as an incident's id: the same reference is the same thing."""
Words: TypeAlias = Annotated[str, StringConstraints(max_length=65_536)]
"""What people are told; longer than what is sent, because a message must not fail for its length: it is cut."""
Title: TypeAlias = Annotated[Words, StringConstraints(strip_whitespace=True, min_length=1)]


def mark_of(reference: str) -> str:
    """Give the mark of a reference, of letters, digits and dashes only: safe in a query, a label and a title."""
    return f"halon-{hashlib.sha256(reference.encode()).hexdigest()[:16]}"


def line_of(text: str, limit: int) -> str:
    """Give what people are told in one line of at most `limit` characters, without what looks like a secret."""
    return words_of(" ".join(text.split()), limit)


def words_of(text: str, limit: int) -> str:
    """Give what people are told in at most `limit` characters, without what looks like a secret."""
    masked = redact_text(text.strip(), limit)
    return masked if len(masked) <= limit else f"{masked[: limit - 1]}…"
