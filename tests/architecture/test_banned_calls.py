"""The third fence between deciding and doing: ruff's banned API bites where decisions are made, and only there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECIDING = ("workflows", "halon/core", "halon/contracts")
VIOLATIONS = '''"""A decision that looks at the world."""

import asyncio
import os
import random
import time
from datetime import UTC, datetime
from uuid import uuid4

from temporalio.client import Client


async def decide(client: Client) -> tuple[object, ...]:
    """Decide by the clock, by chance and by the environment."""
    await asyncio.wait([])
    return client, datetime.now(UTC), time.time(), random.random(), uuid4(), os.environ, os.getenv("HOME")
'''
BANNED = {
    "asyncio.wait",
    "datetime.datetime.now",
    "os.environ",
    "os.getenv",
    "random",
    "temporalio.client",
    "time.time",
    "uuid.uuid4",
}


def banned(folder: str) -> set[str]:
    """What ruff, with the project's own settings, finds banned in a file of this folder."""
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=json", "--select=TID251"]
    ran = subprocess.run(  # noqa: S603  # our own linter on our own text
        [*ruff, "--stdin-filename", f"{folder}/decision.py", "-"],
        input=VIOLATIONS,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {str(finding["message"]).split("`")[1] for finding in json.loads(ran.stdout)}


@pytest.mark.parametrize("folder", DECIDING)
def test_every_banned_call_is_found_where_decisions_are_made(folder: str) -> None:
    assert banned(folder) == BANNED


@pytest.mark.parametrize("folder", ["activities/http", "halon/gateway", "tests/core"])
def test_what_does_things_may_call_them(folder: str) -> None:
    assert banned(folder) == set()
