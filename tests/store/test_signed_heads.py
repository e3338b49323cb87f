"""Signed heads: who signed the end of the chain, until when, and what does not count."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from raw import Raw

from halon.clients.seals import new_private_key, read_private_key
from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.bookkeeping import SaveRequest
from halon.contracts.incident import IncidentRow
from halon.settings import Settings
from halon.store.bookkeeping import Bookkeeping
from halon.store.keeper import Keeper
from halon.store.signing import AuditKey, TrustedKeys
from halon.store.store import Store

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
INCIDENT = "dim-0a1b2c3d4e-01234567"


def record(sequence: int) -> AuditRecord:
    return AuditRecord(
        incident=INCIDENT, writer="run-1", sequence=sequence, at=AT, kind=AuditKind.PLANNED, message="Planned."
    )


@pytest.fixture(scope="module")
def key() -> AuditKey:
    return new_key()


def new_key() -> AuditKey:
    return AuditKey(read_private_key(new_private_key(), "a test"))


def trusted(*keys: AuditKey) -> TrustedKeys:
    return TrustedKeys([key.public for key in keys])


async def test_a_head_is_signed_once_and_the_next_one_anew(store: Store, key: AuditKey) -> None:
    assert await store.signatures.sign(key, "lab", AT) is None  # nothing was written yet
    await store.audit.append([record(1)])
    signed = await store.signatures.sign(key, "lab", AT)
    assert signed is not None
    assert signed.n == 1
    assert await store.signatures.sign(key, "lab", AT) is None
    await store.audit.append([record(2)])
    assert await store.signatures.unsigned() == 1
    await store.signatures.sign(key, "lab", AT)
    report = await store.audit.verify(keys=trusted(key))
    assert (report.ok, report.signatures, report.signed, report.unchecked) == (True, 2, 2, 0)


async def test_signers_that_meet_sign_once(store: Store, key: AuditKey) -> None:
    await store.audit.append([record(1)])
    signed = await asyncio.gather(*(store.signatures.sign(key, "lab", AT) for _ in range(4)))
    assert sum(one is not None for one in signed) == 1


async def test_signatures_of_an_earlier_key_count_as_long_as_it_is_named(store: Store, key: AuditKey) -> None:
    later = new_key()
    await store.audit.append([record(1)])
    await store.signatures.sign(key, "lab", AT)
    await store.audit.append([record(2)])
    await store.signatures.sign(later, "lab", AT)
    assert (await store.audit.verify(keys=trusted(key, later))).signatures == 2
    report = await store.audit.verify(keys=trusted(later))
    assert [problem.message for problem in report.problems] == [
        f"the signature over head 1 does not count: it is signed with key {key.id}, and the trusted ones are {later.id}"
    ]


async def test_without_keys_signatures_are_counted_as_not_checked(store: Store, key: AuditKey) -> None:
    await store.audit.append([record(1)])
    await store.signatures.sign(key, "lab", AT)
    report = await store.audit.verify()
    assert (report.ok, report.signatures, report.unchecked) == (True, 0, 1)


async def test_a_chain_without_any_signature_is_not_proven_to_whoever_names_keys(
    store: Store, raw: Raw, key: AuditKey
) -> None:
    assert (await store.audit.verify(keys=trusted(key))).ok  # nothing was written yet
    await store.audit.append([record(1)])
    await store.signatures.sign(key, "lab", AT)
    await raw("DELETE FROM signatures")
    (problem,) = (await store.audit.verify(keys=trusted(key))).problems
    assert problem.message == "no head of the store is signed with a trusted key"


FORGED = {
    "a statement about another head": (
        """UPDATE signatures SET statement = replace(statement, '"n":2', '"n":1')""",
        "head 1 was signed as another one",
    ),
    "a changed time": ("UPDATE signatures SET statement = replace(statement, '03:04:05', '03:04:06')", "does not fit"),
    "a changed signature": ("UPDATE signatures SET signature = 'AAAA'", "does not fit"),
    "no statement at all": ("UPDATE signatures SET statement = 'x'", "was changed"),
    "a chain that was cut off behind its heads": (
        "DELETE FROM records WHERE position = 2; DELETE FROM heads WHERE n = 2",
        "head 2 was signed, and the store ends at head 1",
    ),
    "a chain that was written anew": (
        "DELETE FROM heads; UPDATE records SET body = replace(body, 'Planned', 'Guessed')",
        "head 2 was signed, and the store ends at head 0",
    ),
}


@pytest.mark.parametrize("what", FORGED)
async def test_what_was_done_to_a_signature_or_behind_it_shows(
    store: Store, raw: Raw, key: AuditKey, what: str
) -> None:
    await store.audit.append([record(1)])
    await store.audit.append([record(2)])
    await store.signatures.sign(key, "lab", AT)
    statement, finding = FORGED[what]
    await raw(statement.replace(":", "\\:"))
    report = await store.audit.verify(keys=trusted(key))
    assert finding in "; ".join(problem.message for problem in report.problems)


async def test_a_worker_signs_when_an_incident_closes_and_not_while_it_is_written_to(
    store: Store, key: AuditKey
) -> None:
    settings = Settings.model_validate({"audit": {"sign_every": "1h"}})
    running = asyncio.create_task(Keeper(store, settings, key, None).run())
    row = IncidentRow(
        id=INCIDENT,
        group="dim-0a1b2c3d4e",
        playbook="dim",
        playbook_digest="d",
        workflow_id="dim-0a1b2c3d4e",
        run_id="run",
        state="open",
        opened_at=AT,
    )
    books = Bookkeeping(store)
    await books.save(SaveRequest(row=row, run="run", records=(record(1),)))
    assert not store.closing.is_set()
    closed = row.model_copy(update={"state": "closed", "closed_at": AT + timedelta(minutes=1)})
    await books.save(SaveRequest(row=closed, run="run", records=(record(2),)))
    async with asyncio.timeout(20):
        while await store.signatures.unsigned() or not await store.signatures.latest():  # noqa: ASYNC110  # the keeper's own time
            await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await store.audit.verify(keys=trusted(key))).signed == 2
