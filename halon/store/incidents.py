"""Incidents as they are listed, and which incident handled which episode of an alert."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, delete, insert, literal, or_, select, update

from halon.contracts.base import Contract, Json
from halon.contracts.incident import IncidentRow
from halon.core.ids import group_of
from halon.errors import InvalidInput, NotFound
from halon.redaction import cut_text, redact, redact_text
from halon.store.engine import Database
from halon.store.tables import UtcDateTime, began, episodes, incidents

MAX_LIST = 1000
MAX_EPISODES = 1000
_SHOWN = 5
_BATCH = 500
_TEXTS = {"reason": 2000, "title": 400, "target": 1000, "service": 400, "severity": 60}
"""What people read, with the characters that are kept."""
_LABEL = 400
"""Characters of a label's value."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an incident stands in the list: those that last began come first."""

    began: datetime
    id: str


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents to list; what is None is not asked for."""

    state: Literal["open", "closed"] | None = None
    playbook: str | None = None
    outcome: str | None = None
    service: str | None = None
    severity: str | None = None
    since: datetime | None = None
    """Opened then or later."""
    before: "Place | None" = None
    """Behind this place in the list."""


class Claim(Contract):
    """Which of the episodes that an incident asked for are its own to handle."""

    mine: tuple[str, ...]
    taken: dict[str, str]
    """Episodes that were handled before, with the incident that did."""

    @property
    def handled_by(self) -> str | None:
        """The incident that handled all of this before; None when there is anything left to handle."""
        return None if self.mine or not self.taken else self.taken[min(self.taken)]


class Incidents:
    """The list of incidents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def upsert(self, row: IncidentRow) -> None:
        """Write what is known of an incident. A late 'open' of a run never reopens what the same run closed.

        What was reopened since is known better than what is written late.

        Raises:
            TransientError: the store does not answer.
        """
        c = incidents.c
        values = row.model_dump() | {name: redact_text(getattr(row, name), n) for name, n in _TEXTS.items()}
        values["labels"] = redact(dict[str, Json](row.labels), _LABEL)
        async with self._database.write() as connection:
            query = select(c.state, c.run_id, c.reopened).where(c.id == row.id)
            there = (await connection.execute(query)).first()
            if there is None:
                await connection.execute(insert(incidents).values(values))
            elif there.reopened <= row.reopened and (
                row.state == "closed" or there != ("closed", row.run_id, row.reopened)
            ):
                await connection.execute(update(incidents).where(c.id == row.id).values(values))

    async def list(self, wanted: IncidentFilter | None = None, limit: int = 50) -> Sequence[IncidentRow]:
        """Give incidents, those that last began first, at most `limit` and never more than a thousand.

        Raises:
            TransientError: the store does not answer.
        """
        query = (
            select(incidents)
            .where(*_conditions(wanted or IncidentFilter()))
            .order_by(began.desc(), incidents.c.id.desc())
            .limit(max(1, min(limit, MAX_LIST)))
        )
        async with self._database.read() as connection:
            return [IncidentRow.model_validate(dict(row)) for row in (await connection.execute(query)).mappings()]

    async def rows(self, ids: Sequence[str]) -> Sequence[IncidentRow]:
        """Give those of these incidents that are there, in no order.

        Raises:
            TransientError: the store does not answer.
        """
        found: list[IncidentRow] = []
        async with self._database.read() as connection:
            for start in range(0, len(ids), _BATCH):
                query = select(incidents).where(incidents.c.id.in_(ids[start : start + _BATCH]))
                rows = (await connection.execute(query)).mappings()
                found += [IncidentRow.model_validate(dict(row)) for row in rows]
        return found

    async def get(self, prefix: str) -> IncidentRow:
        """Give the incident with this id, or the only one whose id begins so.

        Raises:
            NotFound: there is none.
            InvalidInput: there are several, which `problems` lists.
            TransientError: the store does not answer.
        """
        c = incidents.c
        query = select(incidents).where(c.id.startswith(prefix, autoescape=True)).order_by(c.id).limit(_SHOWN + 1)
        async with self._database.read() as connection:
            exact = (await connection.execute(select(incidents).where(c.id == prefix))).mappings().first()
            rows = [exact] if exact else (await connection.execute(query)).mappings().all()
        if not prefix or not rows:
            raise NotFound(f"no incident's id begins with '{cut_text(prefix, 80)}': `halon incidents` lists them")
        if len(rows) > 1:
            found = [str(row["id"]) for row in rows[:_SHOWN]]
            raise InvalidInput(
                f"several incidents begin with '{prefix}': {', '.join(found)}; give more of the id", found
            )
        return IncidentRow.model_validate(dict(rows[0]))

    async def open(self, incident: str, run: str, claimed: Sequence[str]) -> Claim:
        """Claim episodes for an incident, so that each is handled once however late a duplicate of its alert comes.

        `run` stands for one execution of the incident's workflow: asking again in the same run gives the same answer,
        while a new run that a late duplicate starts finds the episodes taken, even under the same incident id. Asked
        for another incident, a run takes its episodes there: it has found that it reopens that one.

        Raises:
            InvalidInput: more than a thousand episodes.
            TransientError: the store does not answer.
        """
        if len(claimed) > MAX_EPISODES:
            raise InvalidInput(f"an incident claims at most {MAX_EPISODES} episodes at a time, not {len(claimed)}")
        group, wanted, e = group_of(incident), list(dict.fromkeys(claimed)), episodes.c
        query = select(e.episode, e.incident, e.run).where(e.group == group, e.episode.in_(wanted))
        async with self._database.write() as connection:
            there = {row.episode: (row.incident, row.run) for row in await connection.execute(query)}
            fresh = [episode for episode in wanted if episode not in there]
            if fresh:
                rows = [{"group": group, "episode": one, "incident": incident, "run": run} for one in fresh]
                await connection.execute(insert(episodes), rows)
            moved = [one for one, (owner, by) in there.items() if by == run and owner != incident]
            if moved:
                mine = update(episodes).where(e.group == group, e.episode.in_(moved), e.run == run)
                await connection.execute(mine.values(incident=incident))
        own = [episode for episode in wanted if there.get(episode, (incident, run))[1] == run]
        return Claim(mine=tuple(own), taken={one: there[one][0] for one in wanted if one not in own})

    async def release(self, group: str, run: str, given: Sequence[str]) -> None:
        """Give back episodes that a run of an incident claimed and did nothing about.

        Raises:
            TransientError: the store does not answer.
        """
        e = episodes.c
        async with self._database.write() as connection:
            for start in range(0, len(given), _BATCH):
                batch = e.episode.in_(given[start : start + _BATCH])
                await connection.execute(delete(episodes).where(e.group == group, e.run == run, batch))


def _conditions(wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    c = incidents.c
    pairs: list[tuple[Any, object]] = [
        (c.state, wanted.state),
        (c.playbook, wanted.playbook),
        (c.outcome, wanted.outcome),
        (c.service, wanted.service),
        (c.severity, wanted.severity),
    ]
    conditions: list[ColumnElement[bool]] = [column == value for column, value in pairs if value is not None]
    if wanted.since is not None:
        conditions.append(c.opened_at >= wanted.since)
    if wanted.before is not None:
        at = literal(wanted.before.began, UtcDateTime)
        conditions.append(or_(began < at, and_(began == at, c.id < wanted.before.id)))
    return conditions
