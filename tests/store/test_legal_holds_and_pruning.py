"""Retention: what is past its term goes as a whole, is told in the chain, and what is on hold stays."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from raw import Raw

from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.base import Json
from halon.contracts.incident import IncidentRow
from halon.errors import Conflict, InvalidInput, NotFound
from halon.settings import Settings
from halon.settings.retention import RetentionSettings
from halon.store.engine import open_database
from halon.store.evidence import EvidenceDirectory
from halon.store.keeper import Keeper
from halon.store.retention import Hold
from halon.store.store import Store
from halon.store.verification import Anchor

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OLD, OTHER, YOUNG = "dim-0a1b2c3d4e-01234567", "lit-0a1b2c3d4e-89abcdef", "dim-0a1b2c3d4e-5b0c99e1"
DAY = "unmatched-2026-01-02"
TERMS = RetentionSettings.model_validate({"incidents": "90d", "records": "30d"})


@pytest.fixture
def evidence(tmp_path: Path) -> EvidenceDirectory:
    return EvidenceDirectory(tmp_path / "evidence")


@pytest.fixture
async def store(url: str, evidence: EvidenceDirectory) -> Store:
    store = Store(await open_database(url), evidence)
    await closed(store, OLD, NOW - timedelta(days=200))
    await closed(store, OTHER, NOW - timedelta(days=100))
    await closed(store, YOUNG, NOW - timedelta(days=10))
    await tell(store, DAY, NOW - timedelta(days=150))
    return store


@pytest.fixture(autouse=True)
async def _closed_at_the_end(store: Store):  # noqa: ANN202  # a generator of nothing
    yield
    await store.close()


async def tell(store: Store, incident: str, at: datetime, **data: Json) -> None:
    there = await store.audit.records(incident)
    record = AuditRecord(
        incident=incident,
        writer="run",
        sequence=len(there) + 1,
        at=at,
        kind=AuditKind.PLANNED,
        message="Planned.",
        data=data,
    )
    await store.audit.append([record])


async def closed(store: Store, incident: str, at: datetime, state: str = "closed") -> None:
    await tell(store, incident, at)
    await tell(store, incident, at)
    group = incident.rpartition("-")[0]
    row = IncidentRow(
        id=incident,
        group=group,
        playbook="dim",
        playbook_digest="d",
        workflow_id=group,
        run_id="run",
        state="closed" if state == "closed" else "open",
        opened_at=at - timedelta(minutes=5),
        closed_at=at if state == "closed" else None,
    )
    await store.incidents.open(incident, "run", [incident[-8:]])
    await store.incidents.upsert(row)


def hold(incident: str, reason: str = "claim 4711") -> Hold:
    return Hold(incident=incident, reason=reason, by="ana@example.com", at=NOW)


async def test_nothing_goes_without_a_term(store: Store) -> None:
    report = await store.retention.prune(RetentionSettings(), "ana", NOW, dry_run=False)
    assert (report.incidents, report.evidence) == ((), ())


async def test_what_is_past_its_term_goes_as_a_whole_and_the_chain_proves_itself(store: Store, raw: Raw) -> None:
    anchor = Anchor.parse(await store.audit.anchor())
    planned = await store.retention.prune(TERMS, "ana", NOW, dry_run=True)
    assert len((await store.audit.verify()).pruned) == 0
    report = await store.retention.prune(TERMS, "ana", NOW, dry_run=False)
    assert [one.incident for one in report.incidents] == [OLD, OTHER, DAY]
    assert report.incidents == planned.incidents
    assert await raw("SELECT DISTINCT incident FROM records ORDER BY 1") == [(YOUNG,), ("retention-2026-06-01",)]
    assert [row.id for row in await store.incidents.list()] == [YOUNG]
    assert await raw("SELECT incident FROM episodes") == [(YOUNG,)]
    found = await store.audit.verify(anchors=[anchor])
    assert found.ok
    assert {(one.incident, one.records) for one in found.pruned} == {(OLD, 2), (OTHER, 2), (DAY, 1)}
    assert all(one.at.startswith("2026-06-01") and "kept for" in one.reason for one in found.pruned)
    (told, *_) = await store.audit.records("retention-2026-06-01")
    assert (told.actor, told.kind, told.data["incident"]) == ("ana", AuditKind.INCIDENT_PRUNED, OLD)
    assert (await store.audit.verify(OLD)).pruned[0].incident == OLD
    again = await store.retention.prune(TERMS, "ana", NOW, dry_run=False)
    assert again.incidents == ()


async def test_the_chain_shows_when_the_record_of_a_pruning_is_not_true(store: Store, raw: Raw) -> None:
    await store.retention.prune(TERMS, "ana", NOW, dry_run=False)
    await raw("DELETE FROM records WHERE incident LIKE 'retention-%' AND position = 3")
    problems = [problem.message for problem in (await store.audit.verify()).problems]
    assert "all 1 records of the incident are gone" in problems
    assert any("records after 2 are gone" in one for one in problems)


async def test_records_that_are_taken_away_without_being_told_of_show(store: Store, raw: Raw) -> None:
    await store.retention.prune(TERMS, "ana", NOW, dry_run=False)
    await raw(f"DELETE FROM records WHERE incident = '{YOUNG}'")  # noqa: S608  # the test's own
    assert [problem.incident for problem in (await store.audit.verify()).problems] == [YOUNG]


async def test_an_incident_that_begins_again_after_it_was_pruned_is_whole_and_a_replaced_one_is_not(
    store: Store, raw: Raw
) -> None:
    await store.retention.prune(TERMS, "ana", NOW, dry_run=False)
    await tell(store, OLD, NOW)
    assert (await store.audit.verify()).ok
    await raw(f"DELETE FROM records WHERE incident = '{YOUNG}'")  # noqa: S608  # the test's own
    await tell(store, YOUNG, NOW)
    problems = (await store.audit.verify()).problems
    assert [(one.incident, one.message) for one in problems] == [(YOUNG, "its first 2 records were replaced")]


async def test_what_is_on_hold_stays_until_it_is_released(store: Store) -> None:
    await store.retention.hold(hold(OLD))
    await store.retention.hold(hold(DAY))
    report = await store.retention.prune(TERMS, "ana", NOW, dry_run=False)
    assert ([one.incident for one in report.incidents], report.held) == ([OTHER], 1)
    assert [one.incident for one in await store.retention.holds()] == [OLD, DAY]
    placed = (await store.audit.records(OLD))[-1]
    assert (placed.kind, placed.actor, placed.data["reason"]) == (
        AuditKind.LEGAL_HOLD_PLACED,
        "ana@example.com",
        "claim 4711",
    )
    await store.retention.release(hold(OLD, "settled"))
    ended = (await store.audit.records(OLD))[-1]
    assert (ended.kind, ended.data["held"]) == (AuditKind.LEGAL_HOLD_RELEASED, "claim 4711")
    report = await store.retention.prune(TERMS, "ana", NOW, dry_run=False)
    assert [one.incident for one in report.incidents] == [OLD]
    assert (await store.audit.verify()).ok


async def test_holds_that_make_no_sense_are_refused_and_leave_no_record(store: Store) -> None:
    await store.retention.hold(hold(OLD))
    anchor = await store.audit.anchor()
    with pytest.raises(Conflict, match=r"on hold already, by ana@example\.com: claim 4711"):
        await store.retention.hold(hold(OLD))
    with pytest.raises(Conflict, match="is not on hold"):
        await store.retention.release(hold(OTHER))
    with pytest.raises(NotFound, match="nothing is known"):
        await store.retention.hold(hold("dim-0a1b2c3d4e-00000000"))
    with pytest.raises(InvalidInput, match="--reason"):
        await store.retention.hold(hold(OTHER, "  "))
    assert await store.audit.anchor() == anchor


async def test_an_incident_that_is_open_or_was_tampered_with_is_never_pruned(store: Store, raw: Raw) -> None:
    await closed(store, "open-0a1b2c3d4e-01234567", NOW - timedelta(days=300), state="open")
    await raw(f"UPDATE records SET body = replace(body, 'Planned', 'Guessed') WHERE incident = '{OLD}'")  # noqa: S608  # the test's own
    await raw(f"DELETE FROM records WHERE incident = '{OTHER}' AND position = 2")  # noqa: S608  # the test's own
    report = await store.retention.prune(TERMS, "ana", NOW, dry_run=False)
    assert ([one.incident for one in report.incidents], report.broken) == ([DAY], (OLD, OTHER))
    assert {row.id for row in await store.incidents.list()} >= {OLD, OTHER, "open-0a1b2c3d4e-01234567"}


async def test_one_go_is_bounded_and_says_that_there_is_more(store: Store) -> None:
    terms = TERMS.model_copy(update={"batch": 2})
    first = await store.retention.prune(terms, "ana", NOW, dry_run=False)
    assert ([one.incident for one in first.incidents], first.more) == ([OLD, OTHER], True)
    second = await store.retention.prune(terms, "ana", NOW, dry_run=False)
    assert ([one.incident for one in second.incidents], second.more) == ([DAY], False)


async def test_evidence_goes_by_its_own_term_unless_a_hold_or_an_open_incident_names_it(
    store: Store, evidence: EvidenceDirectory, tmp_path: Path
) -> None:
    pieces = [(await evidence.put(f"piece {n}".encode(), "text/plain", "x")).digest for n in range(4)]
    old = (NOW - timedelta(days=400)).timestamp()
    for digest in pieces[:3]:
        os.utime(tmp_path / "evidence" / digest[:2] / digest, (old, old))
    os.utime(tmp_path / "evidence" / pieces[3][:2] / pieces[3], (NOW.timestamp(), NOW.timestamp()))
    await tell(store, OLD, NOW - timedelta(days=200), output={"digest": pieces[0]})
    await store.retention.hold(hold(OLD))
    await closed(store, "open-0a1b2c3d4e-01234567", NOW, state="open")
    await tell(store, "open-0a1b2c3d4e-01234567", NOW, output={"digest": pieces[1]})
    terms = RetentionSettings.model_validate({"evidence": "365d"})
    assert (await store.retention.prune(terms, "ana", NOW, dry_run=True)).evidence == (pieces[2],)
    assert (await store.retention.prune(terms, "ana", NOW, dry_run=False)).evidence == (pieces[2],)
    with pytest.raises(NotFound):
        await evidence.get(pieces[2])
    for digest in (pieces[0], pieces[1], pieces[3]):
        await evidence.get(digest)
    (told,) = await store.audit.records("retention-2026-06-01")
    assert (told.kind, told.data["digests"]) == (AuditKind.EVIDENCE_PRUNED, [pieces[2]])


@pytest.mark.parametrize("automatic", [False, True])
async def test_a_worker_prunes_only_where_the_settings_say_so(store: Store, *, automatic: bool) -> None:
    retention = {"incidents": "90d", "automatic": automatic}
    settings = Settings.model_validate({"retention": retention})
    await Keeper(store, settings, None, None).tend(NOW)
    assert (len((await store.audit.verify()).pruned) == 2) is automatic


@pytest.mark.parametrize("term", ["0d", "12h", "101y", "soon", 7])
def test_a_term_is_whole_days_or_years(term: object) -> None:
    with pytest.raises(ValueError, match="incidents"):
        RetentionSettings.model_validate({"incidents": term})
    assert RetentionSettings.model_validate({"incidents": "7y"}).incidents == timedelta(days=2555)
