"""The audit chain: nothing is written twice, and nothing changes without it showing."""

import asyncio
import hashlib
import json
import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from raw import Raw

from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.base import canonical
from halon.errors import InvalidInput
from halon.store.audit import MAX_APPEND, MAX_DATA
from halon.store.engine import open_database
from halon.store.store import Store
from halon.store.verification import Anchor

AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
WAIT = 60


def record(sequence: int, incident: str = "crashloop-0a1b2c3d4e-01234567", **changes: Any) -> AuditRecord:
    given: dict[str, Any] = {
        "incident": incident,
        "writer": "run-1",
        "sequence": sequence,
        "at": AT + timedelta(seconds=sequence),
        "kind": AuditKind.PLANNED,
        "message": f"Planned step {sequence}.",
    }
    return AuditRecord(**(given | changes))


async def test_records_come_back_in_order_each_naming_the_hash_of_the_one_before(store: Store) -> None:
    assert len(await store.audit.append([record(1), record(2)])) == 2
    assert len(await store.audit.append([record(3)])) == 1
    stored = await store.audit.records(record(1).incident)
    assert [one.position for one in stored] == [1, 2, 3]
    assert [one.sequence for one in stored] == [1, 2, 3]
    assert stored[0].previous == "0" * 64
    assert [one.previous for one in stored[1:]] == [one.hash for one in stored[:-1]]
    assert [one.position for one in await store.audit.records(record(1).incident, after=2)] == [3]


async def test_a_hash_is_over_the_canonical_json_of_the_record_with_its_place(store: Store) -> None:
    await store.audit.append([record(1, data={"b": 1, "a": [1.5, None]})])
    stored = (await store.audit.records(record(1).incident))[0]
    by_hand = canonical(stored.model_dump(mode="json", exclude={"hash"}))
    assert hashlib.sha256(by_hand).hexdigest() == stored.hash
    assert (await store.audit.bodies(record(1).incident))[0].encode() == by_hand


async def test_writing_a_record_again_changes_nothing(store: Store) -> None:
    await store.audit.append([record(1), record(2)])
    assert len(await store.audit.append([record(2), record(1), record(1), record(3)])) == 1
    assert [one.sequence for one in await store.audit.records(record(1).incident)] == [1, 2, 3]
    assert (await store.audit.verify()).ok


async def test_the_same_moment_in_another_time_zone_is_the_same_record(store: Store) -> None:
    await store.audit.append([record(1)])
    elsewhere = record(1, at=(AT + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=5))))
    assert len(await store.audit.append([elsewhere])) == 0


async def test_the_same_id_with_other_content_is_an_error_and_writes_nothing(store: Store) -> None:
    await store.audit.append([record(1)])
    with pytest.raises(InvalidInput, match="written already, with other content"):
        await store.audit.append([record(2), record(1, message="Something else.")])
    with pytest.raises(InvalidInput, match="written already, with other content"):
        await store.audit.append([record(4), record(4, message="Something else.")])
    assert len(await store.audit.records(record(1).incident)) == 1


async def test_the_first_one_wins_where_the_writer_says_so(store: Store) -> None:
    await store.audit.append([record(1)])
    assert len(await store.audit.append([record(1, message="Came again."), record(2)], first_wins=True)) == 1
    assert (await store.audit.records(record(1).incident))[0].message == "Planned step 1."


async def test_too_many_records_at_once_are_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match="at most 1000"):
        await store.audit.append([record(n) for n in range(MAX_APPEND + 1)])


async def test_secrets_are_masked_before_they_are_written(store: Store, raw: Raw) -> None:
    planted = "correct-horse-battery"
    await store.audit.append(
        [record(1, message=f"Called https://ana:{planted}@example.com", data={"password": planted, "n": 1})]
    )
    assert planted not in str(await raw("SELECT * FROM records"))


async def test_a_record_that_is_too_large_is_cut_and_says_so(store: Store) -> None:
    huge = record(1, message="x" * 1_000_000, data={"log": "y" * 1_000_000, "kept": "small"})
    await store.audit.append([huge])
    assert len(await store.audit.append([huge])) == 0
    stored = (await store.audit.records(huge.incident))[0]
    assert "cut" in stored.message
    assert len(stored.message) < 3000
    assert len(json.dumps(stored.data)) <= MAX_DATA
    assert stored.data["kept"] == "small"
    assert "cut" in str(stored.data["log"])


async def test_what_json_cannot_say_does_not_stop_an_append(store: Store) -> None:
    odd = record(1, data={"big": 2**70, "text": "half \ud800 a pair", "nul": "a\x00b"})
    await store.audit.append([odd])
    assert (await store.audit.verify()).ok


async def test_a_whole_chain_is_proved_and_counted(store: Store) -> None:
    await store.audit.append([record(1), record(1, "other-0a1b2c3d4e-01234567"), record(2)])
    await store.audit.append([record(3)])
    report = await store.audit.verify()
    assert report.ok
    assert (report.incidents, report.records) == (2, 4)
    assert report.anchor == await store.audit.anchor()
    one = await store.audit.verify(record(1).incident)
    assert one.ok
    assert (one.incidents, one.records) == (1, 3)
    assert (await store.audit.verify("nobody-0a1b2c3d4e-01234567")).records == 0


FIRST, SECOND = "a-0a1b2c3d4e-01234567", "b-0a1b2c3d4e-01234567"
TAMPERED: dict[str, tuple[str, str]] = {
    "a changed message": (
        "UPDATE records SET body = replace(body, 'Planned step 2.', 'Planned step 9.') WHERE incident LIKE 'a-%'",
        "was changed",
    ),
    "a changed message with its own hash made right": ("rehash", "does not follow the one before"),
    "a removed record": ("DELETE FROM records WHERE incident LIKE 'a-%' AND position = 2", "are gone"),
    "a removed first record": ("DELETE FROM records WHERE incident LIKE 'a-%' AND position = 1", "are gone"),
    "a cut-off tail": ("DELETE FROM records WHERE incident LIKE 'a-%' AND position = 3", "records after 2 are gone"),
    "a removed incident": ("DELETE FROM records WHERE incident LIKE 'a-%'", "all 3 records"),
    "swapped records": (
        """
        UPDATE records SET position = 20 WHERE incident LIKE 'a-%' AND position = 2;
        UPDATE records SET position = 2 WHERE incident LIKE 'a-%' AND position = 3;
        UPDATE records SET position = 3 WHERE incident LIKE 'a-%' AND position = 20;
        """,
        "does not follow the one before",
    ),
    "a record moved to another incident": (
        "UPDATE records SET incident = 'a-0a1b2c3d4e-01234567', position = 4 WHERE incident LIKE 'b-%'",
        "all 1 records",
    ),
    "a changed index": ("UPDATE records SET id = 'x/y/1' WHERE incident LIKE 'b-%'", "index was changed"),
    "an added record": ("forge", "in no head of the store"),
    "a removed head": ("DELETE FROM heads WHERE n = 2", "heads 2 to 2 of the store are gone"),
    "a changed head": ("UPDATE heads SET position = 1 WHERE n = 1", "head 1 of the store was changed"),
    "a cut-off tail with its head": (
        "DELETE FROM records WHERE incident LIKE 'a-%' AND position = 3; DELETE FROM heads WHERE n = 3",
        "the anchor names head 3",
    ),
}


def content_of(body: str) -> str:
    given = json.loads(body)
    del given["position"], given["previous"]
    return hashlib.sha256(canonical(given)).hexdigest()


async def tamper(raw: Raw, statement: str) -> None:
    if statement == "rehash":
        ((body,),) = await raw("SELECT body FROM records WHERE incident = :first AND position = 2", {"first": FIRST})
        body = body.replace("Planned step 2", "Planned step 9")
        new = {"body": body, "hash": hashlib.sha256(body.encode()).hexdigest(), "content": content_of(body)}
        change = "UPDATE records SET body = :body, hash = :hash, content = :content"
        await raw(f"{change} WHERE incident = :first AND position = 2", new | {"first": FIRST})
    elif statement == "forge":
        query = "SELECT body, hash FROM records WHERE incident = :first AND position = 3"
        ((body, last),) = await raw(query, {"first": FIRST})
        text = canonical(json.loads(body) | {"sequence": 4, "position": 4, "previous": last}).decode()
        row = {"content": content_of(text), "body": text, "hash": hashlib.sha256(text.encode()).hexdigest()}
        insert = "INSERT INTO records VALUES (:first, 4, :id, :content, :body, :hash)"
        await raw(insert, row | {"first": FIRST, "id": f"{FIRST}/run-1/4"})
    else:
        await raw(statement)


@pytest.mark.parametrize("what", TAMPERED)
async def test_tampering_shows(store: Store, raw: Raw, what: str) -> None:
    await store.audit.append([record(1, FIRST), record(2, FIRST)])
    await store.audit.append([record(1, SECOND)])
    await store.audit.append([record(3, FIRST)])
    anchor = await store.audit.anchor()
    assert (await store.audit.verify(anchors=[Anchor.parse(anchor)])).ok
    statement, finding = TAMPERED[what]
    await tamper(raw, statement)
    report = await store.audit.verify(anchors=[Anchor.parse(anchor)])
    assert not report.ok
    assert finding in "; ".join(problem.message for problem in report.problems)


async def test_one_change_is_told_once(store: Store, raw: Raw) -> None:
    await store.audit.append([record(n, FIRST) for n in range(1, 50)])
    await tamper(raw, TAMPERED["a changed message"][0])
    problems = (await store.audit.verify()).problems
    assert [(problem.incident, problem.position) for problem in problems] == [(FIRST, 2)]


async def test_a_store_that_grew_still_matches_an_older_anchor(store: Store) -> None:
    await store.audit.append([record(1)])
    anchor = await store.audit.anchor()
    await store.audit.append([record(2)])
    assert (await store.audit.verify(anchors=[Anchor.parse(anchor)])).ok
    with pytest.raises(InvalidInput, match="N:HASH"):
        Anchor.parse("what?")


def _write_many(url: str, writer: str, count: int, ready: Callable[[], object]) -> None:
    async def run() -> None:
        ready()
        store = Store(await open_database(url))
        for n in range(count):
            await store.audit.append(
                [record(n, writer=writer), record(n, f"{writer}-0a1b2c3d4e-01234567", writer=writer)]
            )
        await store.close()

    asyncio.run(run())


async def test_processes_that_open_a_new_store_and_write_at_once_keep_one_unbroken_chain(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    writers = [context.Process(target=_write_many, args=(url, f"w{n}", 20, barrier.wait)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        await asyncio.to_thread(writer.join, WAIT)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    store = Store(await open_database(url))
    report = await store.audit.verify()
    await store.close()
    assert report.ok
    assert (report.incidents, report.records) == (4, 120)
