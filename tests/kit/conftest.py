"""The double is a module beside the tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from valve import Valves


@pytest.fixture
def valves() -> Valves:
    return Valves()
