"""What the changes of running systems on AWS act on: each a small account of its own."""

import dataclasses
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias

import operations_computing as computing
from emulator import Emulator, Layer
from stage import stage
from world import Opening, World

from halon.contracts.base import JsonObject

Admin: TypeAlias = Callable[[Emulator], object]
"""Somebody who may everything does something."""
Layers: TypeAlias = Mapping[tuple[str, str], Layer]


@asynccontextmanager
async def _opened(action: str, params: JsonObject, made: Admin, drift: Admin, layers: Layers) -> AsyncIterator[World]:
    async with stage(action, layers=layers) as there:
        made(there.aws)

        def lose() -> None:
            there.aws.losing = 2  # the mark's answer and the change's own

        yield dataclasses.replace(there.world(action, params, lambda: drift(there.aws)), lose_reply=lose)


WORLDS: dict[str, Opening] = {
    f"aws.{name}": functools.partial(_opened, f"aws.{name}", *given)
    for family in (computing.WORLDS,)
    for name, given in family.items()
}
