"""The draft of a post-mortem tells what the records say, asks for the rest, and is Markdown of nobody else's making."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn, TypeAlias

import pytest

from halon.contracts.audit import AuditKind, StoredRecord
from halon.contracts.base import JsonObject
from halon.contracts.incident import IncidentRow
from halon.errors import TransientError
from halon.operations.postmortem import MAX_EARLIER, MAX_LINES, Draft, draft
from halon.operations.showing import Shown
from halon.store.engine import open_database
from halon.store.store import Store

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLAN: JsonObject = {
    "plan": "0" * 64,
    "kind": "change",
    "target": "k8s/default/shop/deployment/cart",
    "rows": [{"field": "image", "before": "cart:2", "after": "cart:1"}],
    "undo": "none: nothing is kept",
}


def row(incident: str = "cart-1", **more: object) -> IncidentRow:
    facts: dict[str, object] = {
        "id": incident,
        "group": "cart",
        "playbook": "rollback",
        "playbook_digest": "d" * 64,
        "workflow_id": "cart",
        "run_id": "r",
        "state": "closed",
        "outcome": "remediated",
        "service": "cart",
        "opened_at": NOW,
        "closed_at": NOW + timedelta(minutes=9),
    }
    return IncidentRow.model_validate(facts | more)


Told: TypeAlias = tuple[AuditKind, str, JsonObject]
NO_FACTS: JsonObject = {}


def records(*told: Told) -> list[StoredRecord]:
    """One record a minute, of the step `fix`."""
    return [
        StoredRecord(
            incident="cart-1",
            writer="w",
            sequence=number,
            at=NOW + timedelta(minutes=number),
            kind=kind,
            step="fix",
            message=message,
            data=data,
            position=number,
            previous="0" * 64,
            hash="0" * 64,
        )
        for number, (kind, message, data) in enumerate(told, 1)
    ]


def many(kind: AuditKind, number: int) -> list[Told]:
    return [(kind, "looked", NO_FACTS)] * number


def text(*told: Told, **more: object) -> str:
    return Draft(Shown(row(**more), None, records(*told))).markdown(NOW + timedelta(hours=1))


def test_times_are_counted_from_when_the_source_says_that_it_began() -> None:
    told = text(
        (AuditKind.ALERT_RECEIVED, "Alert A", {"starts_at": "2026-01-02T02:59:05+00:00", "labels": {"a": "b"}}),
        (AuditKind.PLANNED, "Put cart:1 back", PLAN),
        (AuditKind.APPROVAL_ASKED, "Waiting", NO_FACTS),
        (AuditKind.APPROVED, "Approved by ana", NO_FACTS),
        (AuditKind.APPLIED, "Put cart:1 back", NO_FACTS),
        (AuditKind.VERIFIED, "errors are gone", NO_FACTS),
    )
    assert "| began, as its source says | 2026-01-02 02:59:05 | 0s |" in told
    assert "| first change made | 2026-01-02 03:09:05 | 10m |" in told
    assert "| effect verified | 2026-01-02 03:10:05 | 11m |" in told
    assert "| fix | 1m | Approved by ana |" in told
    assert "acknowledged" not in told
    assert "  - image: cart:2 → cart:1" in told
    assert "- [ ] What made it possible?" in told


def test_a_diagnosis_says_that_nothing_was_to_be_changed_and_a_question_without_answer_that_there_is_none() -> None:
    told = text(
        (AuditKind.VERIFIED, "fine", NO_FACTS),
        (AuditKind.APPROVAL_ASKED, "Waiting", NO_FACTS),
        state="open",
        closed_at=None,
    )
    assert "Nothing was to be changed." in told
    assert "effect verified" not in told
    assert "| fix |  | nothing so far |" in told
    assert "**The incident is still open" in told
    assert "No alert is recorded." in told


def test_each_run_of_an_incident_that_was_reopened_tells_its_own_changes() -> None:
    told = text(
        (AuditKind.RUN_STARTED, "Run", NO_FACTS),
        (AuditKind.PLANNED, "Put cart:1 back", PLAN),
        (AuditKind.APPLIED, "Put cart:1 back", NO_FACTS),
        (AuditKind.RUN_STARTED, "Run", NO_FACTS),
        (AuditKind.PLANNED, "Put cart:1 back", PLAN),
        (AuditKind.STEP_FAILED, "may not", NO_FACTS),
        (AuditKind.UNDONE, "Nothing of it is there: Put cart:1 back", {"how": "nothing"}),
    )
    first, second = told.partition("## What was done")[2].partition("## Who decided")[0].split("- **")[1:]
    assert "made: Put cart:1 back" in first
    assert "failed" not in first
    assert "made" not in second
    assert "failed: may not" in second
    assert "not there: Nothing of it is there" in second
    assert "taken back" not in second


def test_what_is_still_in_place_is_told() -> None:
    left: JsonObject = {"summary": "deny policy", "target": "aws/user/eve", "reason": "no right to take it back"}
    told = text(
        (AuditKind.RUN_FINISHED, "Ended", {"left": [left]}), (AuditKind.INCIDENT_CLOSED, "Closed", {"left": []})
    )
    assert "- **Still in place:** deny policy on aws/user/eve: no right to take it back" in told


def test_what_others_wrote_makes_no_markdown() -> None:
    evil = "a | b\n\n# Owned <script>x</script> [here](https://example.com) `c`"
    told = text((AuditKind.DECISION_TAKEN, evil, {"comment": evil}), title=evil)
    assert "\n# Owned" not in told
    assert "<script>" not in told
    assert "[here]" not in told
    (line,) = [one for one in told.splitlines() if "decision.taken" in one]
    assert line.replace("\\|", "").count("|") == 6


def test_a_long_story_keeps_its_beginning_and_its_end_and_says_what_is_missing() -> None:
    told = text(
        (AuditKind.INCIDENT_OPENED, "the beginning", NO_FACTS),
        *many(AuditKind.READ, 1000),
        *many(AuditKind.ATTEMPTED, MAX_LINES),
        (AuditKind.INCIDENT_CLOSED, "the end", NO_FACTS),
    )
    assert "the beginning" in told
    assert "the end" in told
    assert "1002 of 1402 records are left out here." in told


def test_evidence_is_named_with_what_was_found_in_it() -> None:
    found: JsonObject = {"digest": "e" * 64, "findings": ["it ended with 1"]}
    told = text((AuditKind.READ, "Looked", {"action": "kubernetes.collect_evidence", "output": {"value": found}}))
    assert f"`{'e' * 64}`\n  - it ended with 1" in told
    assert "None was kept." in text((AuditKind.READ, "Looked", {"output": {"value": 3}}))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(await open_database(f"sqlite+aiosqlite:///{tmp_path / 'halon.db'}"))
    yield store
    await store.close()


async def nobody() -> NoReturn:
    raise TransientError("Temporal does not answer")


async def test_earlier_incidents_are_those_of_the_same_playbook_and_service_that_one_may_see(store: Store) -> None:
    await store.incidents.upsert(row())
    for number in range(MAX_EARLIER + 2):
        before = NOW - timedelta(days=number + 1)
        await store.incidents.upsert(row(f"early-{number}", opened_at=before, labels={"team": "a"}))
    await store.incidents.upsert(row("late-0", opened_at=NOW + timedelta(days=1)))
    await store.incidents.upsert(row("other-0", opened_at=NOW - timedelta(hours=1), service="search"))
    await store.incidents.upsert(row("old-0", opened_at=NOW - timedelta(days=91)))
    told = await draft(store, nobody, "cart-1")
    assert [one.id for one in told.earlier] == [f"early-{number}" for number in range(MAX_EARLIER)]
    hidden = await draft(store, nobody, "cart-1", lambda one: one.labels.get("team") != "a")
    assert "Not within the 90 days before" in hidden.markdown(NOW)
