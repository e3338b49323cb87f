"""What the language needs to know of an action. The registry is above this layer, so it is handed in as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from halon.contracts.base import JsonObject
from halon.contracts.plan import Effect


@dataclass(frozen=True, slots=True)
class ActionSchema:
    """One action, as playbooks use it."""

    name: str
    effect: Effect
    params: JsonObject
    """JSON Schema of `with`."""
    output: JsonObject | None = None
    """JSON Schema of `steps.<id>.output`; None when there is none or its shape is not known."""
    hints: Mapping[str, Literal["duration", "timestamp"]] = field(
        default_factory=dict[str, Literal["duration", "timestamp"]]
    )
    """Paths in the output that are durations or times, as in `ReadResult`."""
    undoable: bool = True
    """False when no change by this action can ever be taken back."""

    @property
    def changes(self) -> bool:
        """Whether it goes plan, approve, apply, confirm."""
        return self.effect in {Effect.CHANGE, Effect.DESTROY}


ActionSchemas: TypeAlias = Mapping[str, ActionSchema]
"""Every action that is installed, by name."""
