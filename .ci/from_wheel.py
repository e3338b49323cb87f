"""A pytest plugin for the run against the built wheel: it refuses to run tests on anything but installed packages."""

import importlib
import sysconfig
from pathlib import Path

import pytest

SHIPPED = ("halon", "workflows", "activities", "worker")


def pytest_sessionstart() -> None:
    """Look where each package comes from, in this process and in each of xdist's."""
    installed = Path(sysconfig.get_path("purelib"))
    for name in SHIPPED:
        file = importlib.import_module(name).__file__
        if file is None or not Path(file).is_relative_to(installed):
            pytest.exit(f"{name} comes from {file}, not from the wheel in {installed}", returncode=3)


def pytest_report_header() -> str:
    """Say so."""
    return f"testing the wheel in {sysconfig.get_path('purelib')}"
