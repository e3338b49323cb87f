"""What a group of alerts leaves behind for its next incident."""

from datetime import UTC, datetime, timedelta
from typing import Any

from halon.contracts.incident import IncidentRow
from halon.contracts.past import ConditionState, EarlierIncident, GroupPast, Sighting
from halon.store.store import Store

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GROUP = "crashloop-0a1b2c3d4e"


def at(minutes: int) -> datetime:
    return AT + timedelta(minutes=minutes)


def row(number: int, **changes: Any) -> IncidentRow:
    given: dict[str, Any] = {
        "id": f"{GROUP}-{number:08x}",
        "group": GROUP,
        "playbook": "crashloop",
        "playbook_digest": "d" * 64,
        "workflow_id": GROUP,
        "run_id": f"run-{number}",
        "state": "closed",
        "outcome": "remediated",
        "opened_at": at(10 * number),
        "closed_at": at(10 * number + 5),
    }
    return IncidentRow(**(given | changes))


def earlier(number: int, outcome: str, minutes: int, **more: Any) -> EarlierIncident:
    return EarlierIncident(
        incident=row(number).id, outcome=outcome, at=at(minutes), opened_at=row(number).opened_at, **more
    )


def condition(name: str, *, firing: bool = True, since: int = 0, changes: int = 0) -> ConditionState:
    times = tuple(at(n) for n in range(changes))
    return ConditionState(condition=name, firing=firing, starts_at=at(since), since=at(since), changes=times)


def sighting(name: str, minutes: int, began: int = 0) -> Sighting:
    return Sighting(condition=name, firing=False, starts_at=at(began), at=at(minutes))


async def test_a_group_that_had_no_incident_has_no_past(store: Store) -> None:
    assert await store.groups.past(GROUP, row(1).id) == GroupPast()


async def test_the_past_tells_the_last_end_the_last_that_counts_and_the_last_that_acted(store: Store) -> None:
    await store.incidents.upsert(row(1, settled_as="remediated", settled_at=at(15), acted_at=at(11), runs=1))
    await store.incidents.upsert(row(2, outcome="refused"))
    await store.incidents.upsert(row(3, group="other-0a1b2c3d4e", settled_as="failed", settled_at=at(35)))
    past = await store.groups.past(GROUP, row(4).id)
    assert past.previous == earlier(2, "refused", 25)
    assert past.settled == earlier(1, "remediated", 15, runs=1)
    assert past.acted == earlier(1, "remediated", 11, runs=1)


async def test_an_end_does_not_count_while_the_incident_is_open_again(store: Store) -> None:
    await store.incidents.upsert(row(1, settled_as="remediated", settled_at=at(15), state="open", closed_at=None))
    past = await store.groups.past(GROUP, row(2).id)
    assert (past.settled, past.previous) == (None, None)


async def test_conditions_come_back_as_they_were_and_only_those_asked_for(store: Store) -> None:
    states = [condition("a", changes=16), condition("b", firing=False)]
    await store.groups.remember(GROUP, states)
    assert await store.groups.conditions(GROUP, ["b", "a", "c", "a"]) == (states[1], states[0])
    await store.groups.remember(GROUP, [condition("a", firing=False, since=3)])
    assert await store.groups.conditions(GROUP, ["a"]) == (condition("a", firing=False, since=3),)
    assert await store.groups.conditions("other-0a1b2c3d4e", ["a"]) == ()


async def test_what_was_acted_on_is_unresolved_until_its_end_is_seen(store: Store) -> None:
    await store.incidents.upsert(row(1, acted_at=at(11)))
    await store.groups.remember(GROUP, [condition("a", since=10), condition("later", since=16)])
    assert (await store.groups.past(GROUP, row(2).id)).unresolved == ("a",)
    await store.groups.remember(GROUP, [], [sighting("a", 17, began=9)])
    assert (await store.groups.past(GROUP, row(2).id)).unresolved == ("a",), "an earlier episode ended"
    await store.groups.remember(GROUP, [], [sighting("a", 18, began=10)])
    assert (await store.groups.past(GROUP, row(2).id)).unresolved == ()


async def test_closed_incidents_have_cleared_when_the_last_condition_resolves(store: Store) -> None:
    await store.incidents.upsert(row(1))
    await store.incidents.upsert(row(2, state="open", closed_at=None))
    await store.groups.remember(GROUP, [condition("a"), condition("b")])
    await store.groups.resolved({GROUP: [sighting("a", 20)], "unknown-0a1b2c3d4e": [sighting("a", 20)]})
    assert (await store.incidents.get(row(1).id)).cleared_at is None
    await store.groups.resolved({GROUP: [sighting("b", 21), sighting("stranger", 21)]})
    assert (await store.incidents.get(row(1).id)).cleared_at == at(21)
    assert (await store.incidents.get(row(2).id)).cleared_at is None
    await store.groups.resolved({GROUP: [sighting("b", 30)]})
    assert (await store.incidents.get(row(1).id)).cleared_at == at(21)
    assert await store.groups.conditions(GROUP, ["stranger"]) == ()


async def test_many_conditions_are_kept_in_one_go(store: Store) -> None:
    many = [condition(f"{number:016x}") for number in range(1000)]
    await store.groups.remember(GROUP, many, [sighting("a", 1)])
    assert len(await store.groups.conditions(GROUP, [one.condition for one in many])) == 1000
