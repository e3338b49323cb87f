"""One run of the harness: stories, faults and kills of one seed on a stage, and what does not hold afterwards."""

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import faults
import kills
import scenes
from engine import PARTS, until
from invariants import breaches
from kills import Executioner, Kill
from person import Person
from scenes import Scene
from seen import Expected, Seen, Told, parts_of, writes_of
from stage import Stage, locks_held
from story import Story

from halon.contracts.incident import IncidentRow
from halon.demo.cluster import Fault

ENDS_WITHIN = 120.0
"""Seconds in which every story must have ended: three deaths of a worker in a row take about thirty."""
QUIET_WITHIN = 20.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """All that the dice decide about a run."""

    seed: int
    scenes: Sequence[Scene]
    faults: Sequence[Fault]
    kills: Sequence[Kill]

    def as_json(self) -> dict[str, Any]:
        """For the directory of a failing run."""
        return {
            "seed": self.seed,
            "scenes": [asdict(one) for one in self.scenes],
            "faults": [one.model_dump(mode="json") for one in self.faults],
            "kills": [asdict(one) for one in self.kills],
        }


def draw(seed: int) -> Drawn:
    """Draw a run: the same seed, the same run."""
    dice = random.Random(seed)  # noqa: S311  # chance that can be repeated is the point
    played = scenes.drawn(dice, seed)
    namespaces = dict.fromkeys(one.namespace for one in played)
    met = [fault for namespace in namespaces for fault in faults.drawn(dice, namespace)]
    return Drawn(seed, played, met, kills.drawn(dice, played))


@dataclass(slots=True)
class Report:
    """What a run came to."""

    drawn: Drawn
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    writes: int = 0
    breaches: list[str] = field(default_factory=list)
    logs: Path | None = None
    """Where everything is that helps to understand a breach."""


async def play(stage: Stage, drawn: Drawn) -> Report:
    """Play one run and look at what it came to."""
    begun = asyncio.get_running_loop().time()
    report = Report(drawn)
    stories = [Story(scene, stage) for scene in drawn.scenes]
    sizes = {part: stage.log_size(part) for part in PARTS}
    stage.cluster.journal.clear()
    stage.cluster.faults.met.clear()
    targets: dict[str, Story] = {}
    for story in stories:
        targets.setdefault(story.scene.target, story)
    await asyncio.gather(*(story.set_up() for story in targets.values()))
    for fault in drawn.faults:
        stage.cluster.faults.inject(fault)
    late = await _carry_out(stage, drawn, stories, report)
    seen = await _look(stage, stories, late, sizes)
    report.breaches = breaches(seen)
    report.outcomes.update(one.outcome or one.state for one in seen.told)
    report.faults.update({kind.value: count for kind, count in stage.cluster.faults.met.items()})
    report.writes = len(seen.writes)
    report.seconds = asyncio.get_running_loop().time() - begun
    if report.breaches:
        report.logs = keep(stage, drawn, seen, report)
    else:
        await asyncio.gather(*(stage.remove(namespace) for namespace in {one.namespace for one in drawn.scenes}))
    return report


async def _carry_out(stage: Stage, drawn: Drawn, stories: Sequence[Story], report: Report) -> list[str]:
    """Play the stories with all that interferes. Gives the stories that did not end."""
    executioner = Executioner(stage.engine)
    by_number = {story.scene.number: story for story in stories}
    killing = [asyncio.create_task(executioner.carry_out(kill, by_number[kill.story].moments)) for kill in drawn.kills]
    person = asyncio.create_task(Person(stage, stories).attend())
    playing = asyncio.gather(*(story.play() for story in stories))

    async def ended() -> bool:
        if playing.done():
            await playing  # only an error ends it
        return not await _open(stage, stories)

    late: list[str] = []
    try:
        await until(ended, within=ENDS_WITHIN, pause=0.1)
    except TimeoutError:
        late = await _open(stage, stories)
    finally:
        for task in (*killing, person, playing):
            task.cancel()
        await asyncio.gather(*killing, person, playing, return_exceptions=True)
        await executioner.finish()
    report.kills = executioner.done
    stage.cluster.faults.clear()
    return late


async def _open(stage: Stage, stories: Sequence[Story]) -> list[str]:
    """The stories whose incident is not closed."""
    closed = {row.group for row in await _rows(stage, stories) if row.state == "closed"}
    return [story.scene.title for story in stories if story.group not in closed]


async def _rows(stage: Stage, stories: Sequence[Story]) -> list[IncidentRow]:
    groups = {story.group for story in stories}
    return [row for row in await stage.store.incidents.list(limit=1000) if row.group in groups]


async def _look(stage: Stage, stories: Sequence[Story], late: list[str], sizes: dict[str, int]) -> Seen:
    """Wait until nothing moves any more, and gather what can be seen."""
    if not late:
        for story in stories:
            for _ in range(story.scene.repeats):
                await story.repeat()

    running: list[str] = []

    async def quiet() -> bool:
        running[:] = await stage.running()
        return not stage.cluster.late and not running

    with contextlib.suppress(TimeoutError):
        await until(quiet, within=QUIET_WITHIN, pause=0.05)
    rows = await _rows(stage, stories)
    told = [Told(row.id, row.state, row.outcome, row.reason, await stage.store.audit.records(row.id)) for row in rows]
    expected = [
        Expected(
            story.scene.title,
            story.scene.target,
            story.scene.script.expects,
            tuple(row.id for row in rows if row.group == story.group),
            accepted=story.accepted,
        )
        for story in stories
    ]
    report = await stage.store.audit.verify()
    return Seen(
        stories=expected,
        told=told,
        writes=writes_of(stage.cluster.journal),
        before={story.scene.target: story.before for story in stories if story.before},
        after={
            story.scene.target: parts_of(
                stage.cluster.read("apps/v1", "Deployment", story.scene.name, story.scene.namespace) or {}
            )
            for story in stories
        },
        chain=[f"{one.incident} {one.position}: {one.message}" for one in report.problems],
        locks=await locks_held(stage),
        running=running,
        ended=stage.engine.ended(),
        logged=[line for part in PARTS for line in stage.read_log(part, sizes[part])],
        late=late,
    )


def keep(stage: Stage, drawn: Drawn, seen: Seen, report: Report) -> Path:
    """Write down what helps to understand a breach, beside the processes' logs."""
    directory = stage.root
    for name, content in (
        ("drawn.json", drawn.as_json()),
        ("breaches.json", report.breaches),
        ("writes.json", [entry.as_json() for entry in stage.cluster.journal]),
        ("audit.json", {one.incident: [record.model_dump(mode="json") for record in one.records] for one in seen.told}),
        ("targets.json", {"before": seen.before, "after": seen.after}),
    ):
        (directory / name).write_text(json.dumps(content, indent=1, default=str), encoding="utf-8")
    return directory
