"""How the worlds of operations are told: what is there, what is asked for, and what somebody else does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from emulator import Emulator, Layer

from halon.contracts.base import JsonObject


@dataclass(frozen=True)
class Given:
    """One change and what it acts on."""

    params: JsonObject
    made: Callable[[Emulator], JsonObject | None]
    """Makes what is there; gives the parameters that only then are known."""
    drift: Callable[[Emulator], object]
    """Somebody else changes it."""
    layers: Mapping[tuple[str, str], Layer] = field(default_factory=dict)
    loses: int = 2
    """Answers that are lost: the one to the mark, and the one to the change itself."""
