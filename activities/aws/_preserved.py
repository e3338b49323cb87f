"""What is written down about evidence that is kept: before the first copy, and after the last one."""

from datetime import datetime

from activities.aws._locked import Kept, Version
from halon.contracts.base import JsonObject
from halon.kit.action import State

MANIFEST, RECEIPT = "manifest.json", "receipt.json"
MAX_WRITTEN = 2 * 1024 * 1024
"""Bytes of either."""


class Piece(State):
    """Something that is kept."""

    object: Version | None = None
    """An object of another bucket."""
    fact: str = ""
    """The digest of a piece in the evidence store."""
    size: int

    @property
    def name(self) -> str:
        """Where it goes, in the folder."""
        return f"objects/{self.object.name}" if self.object else f"facts/{self.fact}"


class Manifest(State):
    """What is to be kept."""

    what: JsonObject
    key: str
    until: datetime
    pieces: tuple[Piece, ...]


class Lost(State):
    """What could not be kept any more."""

    name: str
    reason: str


class Receipt(State):
    """What is kept."""

    kept: tuple[Kept, ...]
    lost: tuple[Lost, ...]


class Preserved(State):
    """A folder, and what would go there."""

    locks: bool
    """Whether its bucket locks objects."""
    there: dict[str, tuple[str, ...]]
    """Versions of what is in the folder, by name, the newest first."""
    manifest: Manifest | None
    receipt: Receipt | None
    pieces: tuple[Piece, ...]
    """What there is to keep now; with a manifest, what that says."""
