"""The same playbooks, world and decisions come to the same end on the virtual clock and on Temporal."""

import asyncio
from datetime import timedelta

import pytest
from cases import Case, Ran, cases
from temporal_bench import Bench

from halon.core.virtual import run_virtually

CASES = dict(cases())
SLOW_MACHINE = timedelta(seconds=8)
"""Real time that the work of a case may take; shorter than the shortest wait of one."""
STUCK = 30
"""Seconds after which a case hangs; one takes a tenth of a second, and three on a busy machine."""
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def on_virtual_clock(case: Case) -> Ran:
    ran = run_virtually(case.spec, case.world(), case.course)
    assert ran.result is not None, ran.stuck
    assert ran.left_over == ()
    return Ran(
        result=ran.result,
        story=tuple(
            (told.event.kind.value, told.event.step, told.event.actor, told.event.message) for told in ran.told
        ),
        took=ran.told[-1].at - ran.told[0].at,
    )


@each_case
def test_the_virtual_clock_runs(case: Case) -> None:
    wanted, got = on_virtual_clock(case).held_against(case.expect)
    assert got == wanted


@pytest.mark.asyncio(loop_scope="module")
@each_case
async def test_temporal_runs(case: Case, temporal: Bench) -> None:
    async with asyncio.timeout(STUCK):
        ran = await temporal.run(case)
    wanted, got = ran.held_against(case.expect, SLOW_MACHINE)
    assert got == wanted
    same = await asyncio.to_thread(on_virtual_clock, case)
    assert ran.story == same.story
    assert ran.result == same.result
