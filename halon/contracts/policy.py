"""What an installation holds every run to: change freezes, and rules over planned steps. Meaning: docs/guards.md."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from halon.contracts.base import Contract, Duration
from halon.contracts.steps import Expr

MAX_RULES = 50


class Frozen(Contract):
    """A change freeze that is in force."""

    name: str
    reason: str = ""
    until: datetime | None = None
    """When it ends; None when that is not known."""

    @property
    def sentence(self) -> str:
        """What is frozen until when, and why."""
        until = f" until {self.until:%Y-%m-%d %H:%M:%S %Z}" if self.until else ""
        return f"change freeze {self.name}{until}" + (f": {self.reason}" if self.reason else "")


class Requirement(Contract):
    """What a rule asks for."""

    quorum: Annotated[int, Field(ge=1, le=20)] = 1
    from_: Annotated[tuple[str, ...], Field(alias="from", max_length=20)] = ()


class PolicyRule(Contract):
    """A rule over planned steps: when `if` is true, the step is denied, or needs more people, or must be a lease."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    if_: Annotated[Expr, Field(alias="if")]
    deny: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    """Why such a step is never made."""
    require: Requirement | None = None
    require_lease: Duration | None = None
    """Such a change must be given back: `expires` of at most this."""

    @model_validator(mode="after")
    def _one(self) -> "PolicyRule":
        if sum(what is not None for what in (self.deny, self.require, self.require_lease)) != 1:
            raise ValueError("a rule says exactly one of `deny`, `require` and `require_lease`")
        return self


Policy = Annotated[tuple[PolicyRule, ...], Field(max_length=MAX_RULES)]
