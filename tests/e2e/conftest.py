"""End to end: real servers, real senders, a real browser."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "workflows"))
sys.path.insert(0, str(Path(__file__).parent.parent / "activities"))
sys.path.insert(0, str(Path(__file__).parent.parent / "activities" / "aws"))
