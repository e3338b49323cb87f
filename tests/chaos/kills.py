"""Which process dies when: `kill -9` at moments of a story that are drawn from a seed, and a new start a little later."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine import PARTS, Engine, Part
from scenes import MOMENTS, Moment, Scene

MOST = 3
"""Kills in one run."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill. The moment is one of the story with this number; `after` and `down` are seconds."""

    part: Part
    story: int
    moment: Moment
    after: float
    down: float


def drawn(dice: random.Random, scenes: Sequence[Scene]) -> list[Kill]:
    """Draw a run's kills. Two runs in five have none: what other runs left behind must not disturb them."""
    return [
        Kill(
            part=dice.choice(PARTS),
            story=dice.choice(scenes).number,
            moment=dice.choice(MOMENTS),
            after=round(dice.choice((0.0, dice.uniform(0, 0.2), dice.uniform(0, 2.5))), 3),
            down=round(dice.uniform(0.0, 1.0), 2),
        )
        for _ in range(dice.choice((0, 0, 1, 1, 2, MOST)))
    ]


class Executioner:
    """Carries the kills of one run out."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turns = {part: asyncio.Lock() for part in PARTS}
        self._under_way: set[asyncio.Future[None]] = set()
        self.done: Counter[str] = Counter()

    async def carry_out(self, kill: Kill, moments: Mapping[Moment, asyncio.Event]) -> None:
        """Wait for the moment, kill, and start again. What has begun goes on when the wait for it is given up."""
        await moments[kill.moment].wait()
        await asyncio.sleep(kill.after)
        killing = asyncio.ensure_future(self._kill(kill))
        self._under_way.add(killing)
        await asyncio.shield(killing)

    async def finish(self) -> None:
        """Wait until every process that was killed has been started again."""
        await asyncio.gather(*self._under_way)

    async def _kill(self, kill: Kill) -> None:
        async with self._turns[kill.part]:
            await self._engine.kill(kill.part)
            self.done[kill.part] += 1
            await asyncio.sleep(kill.down)
            await self._engine.start(kill.part)
