"""Fixtures of the gateway's tests."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1] / "activities" / "aws"))  # the emulator

from gateway_doubles import Gateway, running

from halon.settings.loading import parse_settings
from halon.telemetry import Telemetry, setup


@pytest.fixture(scope="session")
def telemetry() -> Telemetry:
    """Set up once: OpenTelemetry keeps its first providers for the whole process."""
    return setup("gateway", parse_settings("telemetry: {log_level: error}", Path("halon.yaml")))


@pytest.fixture
async def gateway(tmp_path: Path, telemetry: Telemetry) -> AsyncIterator[Gateway]:
    async with running(tmp_path, telemetry) as one:
        yield one
