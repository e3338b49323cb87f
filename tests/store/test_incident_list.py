"""Incidents in the store: listing, finding by prefix, and claiming episodes once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from halon.contracts.incident import IncidentRow
from halon.errors import InvalidInput, NotFound
from halon.store.incidents import IncidentFilter
from halon.store.store import Store

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GROUP = "crashloop-0a1b2c3d4e"


def row(number: int, **changes: Any) -> IncidentRow:
    given: dict[str, Any] = {
        "id": f"{GROUP}-{number:08x}",
        "group": GROUP,
        "playbook": "crashloop",
        "playbook_digest": "d" * 64,
        "workflow_id": GROUP,
        "run_id": f"run-{number}",
        "state": "open",
        "service": "cart",
        "severity": "critical",
        "title": "KubePodCrashLooping in shop",
        "target": "k8s/eu-1/shop/cart",
        "opened_at": AT + timedelta(minutes=number),
        "alert_count": 1,
    }
    return IncidentRow(**(given | changes))


async def test_an_incident_comes_back_as_it_was_written(store: Store) -> None:
    await store.incidents.upsert(row(1, closed_at=AT + timedelta(hours=1)))
    assert await store.incidents.get(row(1).id) == row(1, closed_at=AT + timedelta(hours=1))


async def test_an_incident_keeps_its_labels_without_the_secrets_in_them(store: Store) -> None:
    await store.incidents.upsert(row(1, labels={"team": "shop", "api_key": "planted-secret", "note": "x" * 500}))
    kept = (await store.incidents.get(row(1).id)).labels
    assert kept["team"] == "shop"
    assert kept["api_key"] == "[redacted]"
    assert len(kept["note"]) < 500


async def test_a_later_row_replaces_the_earlier_one(store: Store) -> None:
    await store.incidents.upsert(row(1))
    await store.incidents.upsert(row(1, state="closed", outcome="remediated", alert_count=4))
    assert (await store.incidents.get(row(1).id)).alert_count == 4
    assert len(await store.incidents.list()) == 1


async def test_a_late_open_never_reopens_what_the_same_run_closed(store: Store) -> None:
    await store.incidents.upsert(row(1, state="closed", outcome="remediated"))
    await store.incidents.upsert(row(1))
    assert (await store.incidents.get(row(1).id)).state == "closed"
    await store.incidents.upsert(row(1, run_id="another run"))
    assert (await store.incidents.get(row(1).id)).state == "open"


async def test_incidents_are_listed_newest_first_and_filtered(store: Store) -> None:
    await store.incidents.upsert(row(1, state="closed", outcome="remediated"))
    await store.incidents.upsert(row(2, severity="warning"))
    await store.incidents.upsert(row(3, service="checkout"))

    async def listed(**wanted: Any) -> list[int]:
        return [int(one.id[-8:], 16) for one in await store.incidents.list(IncidentFilter(**wanted))]

    assert await listed() == [3, 2, 1]
    assert await listed(state="open") == [3, 2]
    assert await listed(outcome="remediated") == [1]
    assert await listed(severity="warning") == [2]
    assert await listed(service="checkout", playbook="crashloop") == [3]
    assert await listed(since=AT + timedelta(minutes=2)) == [3, 2]
    assert len(await store.incidents.list(limit=2)) == 2


async def test_an_incident_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    await store.incidents.upsert(row(1))
    await store.incidents.upsert(row(0xAB))
    assert await store.incidents.get(f"{GROUP}-000000a") == row(0xAB)
    with pytest.raises(InvalidInput, match="several incidents begin with") as several:
        await store.incidents.get(GROUP)
    assert several.value.problems == (row(1).id, row(0xAB).id)
    for missing in ("nobody", "", "%", "crash_oop"):
        with pytest.raises(NotFound, match="halon incidents"):
            await store.incidents.get(missing)


async def test_texts_are_masked_and_bounded(store: Store) -> None:
    await store.incidents.upsert(row(1, reason="token=abcdefgh12345678 " + "x" * 100_000))
    reason = (await store.incidents.get(row(1).id)).reason
    assert "abcdefgh12345678" not in reason
    assert len(reason) < 2100


async def test_an_episode_is_handled_by_one_incident_only(store: Store) -> None:
    first, later = f"{GROUP}-00000001", f"{GROUP}-00000002"
    claim = await store.incidents.open(first, "run-1", ["a", "b"])
    assert (claim.mine, claim.taken, claim.handled_by) == (("a", "b"), {}, None)
    assert await store.incidents.open(first, "run-1", ["a", "b"]) == claim
    mixed = await store.incidents.open(later, "run-2", ["b", "c"])
    assert (mixed.mine, mixed.taken, mixed.handled_by) == (("c",), {"b": first}, None)
    late = await store.incidents.open(later, "run-2", ["a"])
    assert (late.mine, late.handled_by) == ((), first)


async def test_a_late_duplicate_finds_its_episode_taken_even_under_the_same_incident_id(store: Store) -> None:
    incident = f"{GROUP}-00000001"
    await store.incidents.open(incident, "run-1", ["a"])
    assert (await store.incidents.open(incident, "run-2", ["a"])).handled_by == incident


async def test_groups_do_not_share_episodes(store: Store) -> None:
    await store.incidents.open(f"{GROUP}-00000001", "run-1", ["a"])
    assert (await store.incidents.open("restart-0a1b2c3d4e-00000001", "run-2", ["a"])).mine == ("a",)


async def test_of_many_that_claim_at_once_one_wins(store: Store) -> None:
    claims = await asyncio.gather(
        *(store.incidents.open(f"{GROUP}-{n:08x}", f"run-{n}", ["a", "b"]) for n in range(12))
    )
    assert sorted(len(claim.mine) for claim in claims) == [0] * 11 + [2]


async def test_a_run_takes_its_episodes_along_to_the_incident_that_it_reopens(store: Store) -> None:
    earlier, provisional = f"{GROUP}-00000001", f"{GROUP}-00000002"
    await store.incidents.open(earlier, "run-1", ["a"])
    await store.incidents.open(provisional, "run-2", ["b"])
    assert (await store.incidents.open(earlier, "run-2", ["a", "b"])).mine == ("b",)
    assert (await store.incidents.open(provisional, "run-3", ["a", "b"])).taken == {"a": earlier, "b": earlier}


async def test_only_the_episodes_that_are_given_back_may_be_claimed_again(store: Store) -> None:
    incident = f"{GROUP}-00000001"
    await store.incidents.open(incident, "run-1", ["a", "b"])
    await store.incidents.release(GROUP, "run-2", ["a"])
    await store.incidents.release(GROUP, "run-1", ["b"])
    assert (await store.incidents.open(f"{GROUP}-00000002", "run-3", ["a", "b"])).mine == ("b",)


async def test_what_was_reopened_is_open_again_and_listed_by_its_last_beginning(store: Store) -> None:
    await store.incidents.upsert(row(1, state="closed", outcome="remediated"))
    await store.incidents.upsert(row(2))
    again = row(1, reopened=1, reopened_at=AT + timedelta(minutes=5), runs=2, flapping=True)
    await store.incidents.upsert(again)
    assert [one.id for one in await store.incidents.list()] == [row(1).id, row(2).id]
    await store.incidents.upsert(row(1, state="closed", outcome="remediated"))
    assert await store.incidents.get(row(1).id) == again


async def test_too_many_episodes_are_refused(store: Store) -> None:
    with pytest.raises(InvalidInput, match="at most 1000"):
        await store.incidents.open(f"{GROUP}-00000001", "run-1", [str(n) for n in range(1001)])
