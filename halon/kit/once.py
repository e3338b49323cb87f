"""How something is made once in a system that takes no key: a playbook names what it is for, and a mark shows that."""

import hashlib
from typing import Annotated, TypeAlias

from pydantic import StringConstraints

Reference: TypeAlias = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[ -~]+$")
]
"""What something is made for, such as an incident's id: the same reference is the same thing."""


def mark_of(reference: str) -> str:
    """Give the mark of a reference, of letters, digits and dashes only: safe in a query, a label and a title."""
    return f"halon-{hashlib.sha256(reference.encode()).hexdigest()[:16]}"
