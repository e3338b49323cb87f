"""What somebody was not allowed to do is in the audit, and cannot fill it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from halon.contracts.audit import AuditKind
from halon.contracts.people import Method, Person, Principal, Right, Role
from halon.core.directory import Directory
from halon.errors import PermissionDenied
from halon.operations.denials import MAX_PER_MINUTE, PER_MINUTE, Attempt, Guard
from halon.operations.rights import Rights
from halon.store.engine import open_database
from halon.store.store import Store

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHAIN = "access-2026-01"
EVE = Principal(person="eve", method=Method.OIDC, groups=("guests",))


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(await open_database(f"sqlite+aiosqlite:///{tmp_path / 'halon.db'}"))
    yield store
    await store.close()


def guard(store: Store, clock: Clock) -> Guard:
    roles = {"reader": Role(may=(Right.READ,), to=("ana",))}
    directory = Directory({"ana": Person()}, {"guests": ()}, roles)
    return Guard(Rights(lambda: directory, "production", clock), store, clock)


async def denied(one: Guard, attempt: Attempt) -> str:
    with pytest.raises(PermissionDenied) as caught:
        await one.demand(attempt)
    return str(caught.value)


async def test_who_may_goes_on_and_nothing_is_written(store: Store) -> None:
    ana = Principal(person="ana", method=Method.TOKEN)
    await guard(store, Clock()).demand(Attempt(ana, Right.READ, "look"))
    assert await store.audit.records(CHAIN) == []


async def test_a_denial_says_who_wanted_what_and_how_they_proved_who_they_are(store: Store) -> None:
    reason = await denied(guard(store, Clock()), Attempt(EVE, Right.PAUSE, "pause everything"))
    (record,) = await store.audit.records(CHAIN)
    assert (record.kind, record.actor, record.at) == (AuditKind.ACCESS_DENIED, "eve", NOW)
    assert record.message == f"Not allowed to pause everything: {reason}"
    assert record.data == {"right": "pause", "authenticated": "oidc", "groups": ["guests"]}


async def test_a_denial_at_an_incident_is_in_its_own_chain(store: Store) -> None:
    await denied(guard(store, Clock()), Attempt(EVE, Right.DECIDE, "approve", "crash-0a1b2c3d4e-5b0c99e1"))
    assert len(await store.audit.records("crash-0a1b2c3d4e-5b0c99e1")) == 1
    assert await store.audit.records(CHAIN) == []


async def test_one_person_can_write_only_so_many_a_minute_and_is_denied_all_the_same(store: Store) -> None:
    clock = Clock()
    one = guard(store, clock)
    for number in range(3 * PER_MINUTE):
        await denied(one, Attempt(EVE, Right.RUN, f"start playbook {number}"))
    assert len(await store.audit.records(CHAIN)) == PER_MINUTE
    clock.now += timedelta(minutes=1)
    await denied(one, Attempt(EVE, Right.RUN, "start it"))
    assert len(await store.audit.records(CHAIN)) == PER_MINUTE + 1


async def test_all_people_together_can_write_only_so_many_a_minute(store: Store) -> None:
    one = guard(store, Clock())
    for number in range(MAX_PER_MINUTE + 20):
        somebody = Principal(person=f"eve-{number}", method=Method.OIDC)
        await denied(one, Attempt(somebody, Right.RUN, "start it"))
    assert len(await store.audit.records(CHAIN)) == MAX_PER_MINUTE


async def test_the_same_again_within_a_minute_is_one_record_whoever_writes_it(store: Store) -> None:
    for _ in range(3):
        await denied(guard(store, Clock()), Attempt(EVE, Right.PAUSE, "pause everything"))
    assert len(await store.audit.records(CHAIN)) == 1


async def test_a_store_that_is_gone_lets_nobody_through(store: Store) -> None:
    await store.close()
    await denied(guard(store, Clock()), Attempt(EVE, Right.PAUSE, "pause everything"))
