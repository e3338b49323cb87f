"""Which process dies when: `kill -9` at moments of a story that are drawn from a seed, and a new start soon after."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine import PARTS, Engine, Part
from scenes import MOMENTS, Moment, Scene

MOST = 3
"""Kills in one run."""
_POWER_CUTS, _FREEZES = 0.08, 0.15
_TAKEN_FOR_DEAD = 9.5
"""Seconds; an action that has not been heard of for 8 is given to another worker."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill. The moment is one of the story with this number; `after` and `down` are seconds."""

    part: Part
    story: int
    moment: Moment
    after: float
    down: float
    frozen: bool = False
    """It is not killed but stopped for so long that it is taken for dead, and then goes on where it was."""


def drawn(dice: random.Random, scenes: Sequence[Scene]) -> list[Kill]:
    """Draw a run's kills. A third of the runs have none; in some a power cut takes everything at once."""
    if dice.random() < _POWER_CUTS:
        whole = _one(dice, scenes)
        return [replace(whole, part=part, frozen=False) for part in PARTS]
    return [_one(dice, scenes) for _ in range(dice.choice((0, 0, 1, 1, 2, MOST)))]


def _one(dice: random.Random, scenes: Sequence[Scene]) -> Kill:
    part = dice.choice(PARTS)
    frozen = part == "worker" and dice.random() < _FREEZES
    return Kill(
        part=part,
        story=dice.choice(scenes).number,
        moment=dice.choice(MOMENTS),
        after=round(dice.choice((0.0, dice.uniform(0, 0.2), dice.uniform(0, 2.5))), 3),
        down=_TAKEN_FOR_DEAD if frozen else round(dice.uniform(0.0, 1.0), 2),
        frozen=frozen,
    )


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
            if kill.frozen:
                self._engine.send_signal(kill.part, signal.SIGSTOP)
            else:
                await self._engine.kill(kill.part)
            self.done[f"{kill.part} frozen" if kill.frozen else kill.part] += 1
            await asyncio.sleep(kill.down)
            if kill.frozen:
                self._engine.send_signal(kill.part, signal.SIGCONT)
            else:
                await self._engine.start(kill.part)
