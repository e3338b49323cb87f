"""Clients against real servers on loopback."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "activities" / "aws"))  # the emulator
