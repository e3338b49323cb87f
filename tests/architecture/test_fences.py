"""The fences between deciding and doing stop somebody who climbs over them. That nobody does, `make check` says."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SOURCE = """\
from random import randint
from uuid import uuid4
import asyncio, datetime, os, time, temporalio.client
x = (randint, uuid4, asyncio.wait, datetime.datetime.now, os.environ, os.getenv, time.time, temporalio.client)
"""
NAMES = (
    "asyncio.wait",
    "datetime.datetime.now",
    "os.environ",
    "os.getenv",
    "random",
    "temporalio.client",
    "time.time",
    "uuid.uuid4",
)


def banned_in(path: str) -> set[str]:
    """What ruff, with this repository's configuration, finds banned in a file of that name."""
    command = [BIN / "ruff", "check", "--no-cache", "--quiet", "--select=TID251", "--output-format=concise"]
    told = subprocess.run(  # noqa: S603  # our own linter
        [*command, "--stdin-filename", path, "-"],
        cwd=ROOT,
        input=SOURCE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stderr == ""
    return {line.split("`")[1] for line in told.stdout.splitlines() if "TID251" in line}


@pytest.mark.parametrize("path", ["workflows/new.py", "halon/core/new.py", "halon/contracts/new.py"])
def test_clock_chance_environment_and_client_are_banned_where_decisions_are_made(path: str) -> None:
    found = banned_in(path)
    assert [name for name in NAMES if not any(one.startswith(name) for one in found)] == []


@pytest.mark.parametrize("path", ["activities/http/new.py", "halon/clients/new.py", "worker.py", "tests/core/new.py"])
def test_they_are_allowed_elsewhere(path: str) -> None:
    assert banned_in(path) == set()


def test_an_import_over_a_fence_breaks_the_contract_that_stands_there(tmp_path: Path) -> None:
    for name in ("halon", "workflows", "activities"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("worker.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    crossings = {
        "halon/kit/new.py": "import halon.store.store",
        "halon/core/new.py": "import httpx",
        "workflows/new.py": "import activities.http.check",
        "halon/gateway/new.py": "import worker",
        "activities/http/new.py": "import activities.prometheus.query",
    }
    for file, line in crossings.items():
        (tmp_path / file).write_text(line + "\n", encoding="utf-8")

    told = subprocess.run(  # noqa: S603  # our own linter
        [BIN / "lint-imports", "--no-logo", "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts: 0 kept, 5 broken." in told.stdout
    for name in ("halon.kit.new", "halon.core.new", "workflows.new", "halon.gateway.new", "activities.http.new"):
        assert name in told.stdout
