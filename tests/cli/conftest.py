"""Fixtures of the command's tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from command import Shell, configure


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A command whose Temporal is not there."""
    return Shell(configure(tmp_path, 'temporal: {address: "127.0.0.1:9"}\n'), capsys)
