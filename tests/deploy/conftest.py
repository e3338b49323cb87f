"""What is shipped, tried on the worlds that actions have."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
for place in (TESTS / "activities", TESTS / "activities" / "kubernetes"):
    sys.path.insert(0, str(place))
