"""What groups of alerts leave behind for their next incident: how their conditions stand, and who acted last."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from halon.contracts.past import ConditionState, EarlierIncident, GroupPast, Sighting
from halon.core.flapping import heard
from halon.store.engine import Database
from halon.store.tables import conditions, incidents

MAX_UNRESOLVED = 100
"""Conditions that are named as not resolved; one of them is enough to hold a group back."""
_BATCH = 500
"""Names in one query: SQLite takes so many variables in every version."""


class Groups:
    """The groups of alerts that had incidents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def past(self, group: str, incident: str) -> GroupPast:
        """Give what `incident` must know of the group's incidents before it.

        Raises:
            TransientError: the store does not answer.
        """
        c = incidents.c
        mine = select(incidents).where(c.group == group).limit(1)
        closed = mine.where(c.state == "closed", c.id != incident).order_by(c.closed_at.desc(), c.id)
        settled = mine.where(c.settled_at.is_not(None)).order_by(c.settled_at.desc(), c.id)
        acted = mine.where(c.acted_at.is_not(None)).order_by(c.acted_at.desc(), c.id)
        async with self._database.read() as connection:
            last = (await connection.execute(closed)).first()
            end = (await connection.execute(settled)).first()
            actor = (await connection.execute(acted)).first()
            since = (actor.closed_at or actor.acted_at) if actor else None
            return GroupPast(
                previous=_earlier(last, last.closed_at, last.outcome) if last else None,
                settled=_earlier(end, end.settled_at, end.settled_as) if end and end.state == "closed" else None,
                acted=_earlier(actor, actor.acted_at, actor.outcome) if actor else None,
                unresolved=await _firing(connection, group, since) if since else (),
            )

    async def conditions(self, group: str, wanted: Sequence[str]) -> tuple[ConditionState, ...]:
        """Give how these conditions of a group last stood, as far as that is known.

        Raises:
            TransientError: the store does not answer.
        """
        async with self._database.read() as connection:
            found = await _states(connection, group, wanted)
        return tuple(found[one] for one in dict.fromkeys(wanted) if one in found)

    async def remember(self, group: str, states: Sequence[ConditionState], resolved: Sequence[Sighting] = ()) -> None:
        """Keep how conditions of a group stand now, and that others have resolved.

        Raises:
            TransientError: the store does not answer.
        """
        if not states and not resolved:
            return
        async with self._database.write() as connection:
            await _put(connection, group, states)
            await _resolve(connection, group, resolved)

    async def resolved(self, seen: Mapping[str, Sequence[Sighting]]) -> None:
        """Note, by group, conditions that resolved when no incident of theirs was open any more.

        A group of which nothing fires any longer has cleared, and so have its incidents. What is not known is not kept.

        Raises:
            TransientError: the store does not answer.
        """
        c = incidents.c
        async with self._database.write() as connection:
            for group, sightings in seen.items():
                at = max(one.at for one in sightings)
                known = await _resolve(connection, group, sightings)
                if known and not await _firing(connection, group, at):
                    cleared = update(incidents).where(c.group == group, c.state == "closed", c.cleared_at.is_(None))
                    await connection.execute(cleared.values(cleared_at=at))


async def _resolve(connection: AsyncConnection, group: str, sightings: Sequence[Sighting]) -> bool:
    """Enter ends of conditions that are known. Gives whether any was."""
    found = await _states(connection, group, [one.condition for one in sightings])
    for one in sightings:
        if one.condition in found:
            found[one.condition] = heard(found[one.condition], one)
    await _put(connection, group, found.values())
    return bool(found)


async def _firing(connection: AsyncConnection, group: str, since: datetime) -> tuple[str, ...]:
    c = conditions.c
    query = select(c.condition).where(c.group == group, c.firing.is_(True), c.since <= since)
    return tuple((await connection.execute(query.order_by(c.condition).limit(MAX_UNRESOLVED))).scalars())


async def _states(connection: AsyncConnection, group: str, wanted: Sequence[str]) -> dict[str, ConditionState]:
    found: dict[str, ConditionState] = {}
    for start in range(0, len(wanted), _BATCH):
        query = select(conditions).where(
            conditions.c.group == group, conditions.c.condition.in_(wanted[start : start + _BATCH])
        )
        for row in await connection.execute(query):
            changes = tuple(datetime.fromisoformat(one) for one in json.loads(row.changes))
            found[row.condition] = ConditionState(
                condition=row.condition, firing=row.firing, starts_at=row.starts_at, since=row.since, changes=changes
            )
    return found


async def _put(connection: AsyncConnection, group: str, states: Iterable[ConditionState]) -> None:
    rows = [
        {
            "group": group,
            **state.model_dump(exclude={"changes"}),
            "changes": json.dumps([at.isoformat() for at in state.changes]),
        }
        for state in states
    ]
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        there = conditions.c.condition.in_([row["condition"] for row in batch])
        await connection.execute(delete(conditions).where(conditions.c.group == group, there))
        await connection.execute(insert(conditions), batch)


def _earlier(row: Row[tuple[object, ...]], at: datetime, outcome: str) -> EarlierIncident:
    return EarlierIncident(
        incident=row.id, outcome=outcome, at=at, opened_at=row.opened_at, reopened=row.reopened, runs=row.runs
    )
