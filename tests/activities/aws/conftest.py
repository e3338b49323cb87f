"""The emulator and the stage, for every test of this family."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
