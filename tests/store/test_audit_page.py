"""docs/audit.md tells of every kind of record, and its program checks a chain without Halon."""

import json
import re
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

from halon.contracts.audit import AuditKind, AuditRecord, StoredRecord
from halon.settings.loading import parse_settings
from halon.store.store import Store

PAGE = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
INCIDENT = "crashloop-0a1b2c3d4e-01234567"


def test_every_kind_is_told() -> None:
    table = PAGE.partition("## Kinds")[2].partition("## The chain")[0]
    first_cells = re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE)
    assert sorted(re.findall(r"`([a-z._]+)`", " ".join(first_cells))) == sorted(kind.value for kind in AuditKind)


def test_every_field_is_told() -> None:
    table = PAGE.partition("## A record")[2].partition("## Kinds")[0]
    first_cells = " ".join(re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE))
    assert sorted(re.findall(r"`([a-z]+)`", first_cells)) == sorted(StoredRecord.model_fields)


def test_the_settings_that_the_page_shows_can_be_loaded() -> None:
    shown = re.findall(r"^\n((?:    .+\n)+)", PAGE, re.MULTILINE)
    settings = [textwrap.dedent(one) for one in shown if re.match(r"    (audit|retention):", one)]
    assert len(settings) == 3
    for one in settings:
        parse_settings(one, Path("halon.yaml"))


async def test_the_program_of_the_page_finds_a_chain_whole_and_a_change_in_it(store: Store) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    await store.audit.append(
        [
            AuditRecord(
                incident=INCIDENT, writer="run", sequence=n, at=at, kind=AuditKind.READ, message="é", data={"n": n / 4}
            )
            for n in range(3)
        ]
    )
    shown = json.dumps([one.model_dump(mode="json") for one in await store.audit.records(INCIDENT)])
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

    def check(text: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", program]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603  # the page's own

    assert check(shown).stdout.startswith("whole ")
    assert "AssertionError: 2" in check(shown.replace('"n": 0.25', '"n": 0.75')).stderr
