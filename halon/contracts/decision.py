"""What a person decided, on which plan."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from halon.contracts.base import Contract


class Verdict(StrEnum):
    """Approve or deny; there is no third, and no decision is neither."""

    APPROVE = "approve"
    DENY = "deny"


class DecisionInput(Contract):
    """What the signals `approve` and `deny` and the update `decide` carry, as a person or a tool writes it in JSON."""

    by: Annotated[str, StringConstraints(min_length=1, max_length=320, strip_whitespace=True)]
    """Who decides, such as an e-mail address."""
    comment: Annotated[str, StringConstraints(max_length=4096)] = ""
    plan: Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]*$")] = ""
    """Digest, or its first eight or more digits, of the plan that was read. Empty: the plan that is shown now."""
    step: Annotated[str, StringConstraints(max_length=512)] = ""
    """Which gate, when several wait at once. Empty: the only one that waits."""


class Decision(Contract):
    """A decision as it was taken up: complete, with time and way."""

    verdict: Verdict
    by: str
    at: datetime
    comment: str = ""
    plan: str = ""
    step: str = ""
    via: str = ""
    """How it came: `signal`, `update`, …"""
    authenticated: str = ""
    """How the person was authenticated; `claimed` when the name was only stated."""
