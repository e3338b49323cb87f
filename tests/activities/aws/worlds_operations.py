"""What the changes of running systems on AWS act on: each a small account of its own."""

import dataclasses
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import operations_computing
import operations_data
import operations_names
import operations_running
import operations_work
from aws_stage import stage
from operations import Given
from world import Opening, World


@asynccontextmanager
async def _opened(action: str, given: Given) -> AsyncIterator[World]:
    async with stage(action, layers=given.layers) as there:
        params = {**given.params, **(given.made(there.aws) or {})}

        def lose() -> None:
            there.aws.losing = given.loses

        yield dataclasses.replace(there.world(action, params, lambda: given.drift(there.aws)), lose_reply=lose)


WORLDS: dict[str, Opening] = {
    f"aws.{name}": functools.partial(_opened, f"aws.{name}", given)
    for some in (
        operations_computing.WORLDS,
        operations_data.WORLDS,
        operations_names.WORLDS,
        operations_running.WORLDS,
        operations_work.WORLDS,
    )
    for name, given in some.items()
}
