"""The harness's modules lie beside this file; what it shares with the end-to-end tests lies there."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "e2e")]
