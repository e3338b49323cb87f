"""What the changes of AWS act on: those that contain, and those that keep things running."""

from operations_evidence import WORLDS as EVIDENCE
from world import Opening
from worlds_operations import WORLDS as OPERATIONS
from worlds_security import WORLDS as SECURITY

WORLDS: dict[str, Opening] = {**SECURITY, **OPERATIONS, **EVIDENCE}
