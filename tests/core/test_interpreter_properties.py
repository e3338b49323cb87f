"""Whatever a playbook says, the world answers, and people do: what a run claims of the world is true."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from random_runs import TrueWorld, courses, specs

from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome
from halon.core.virtual import VirtualRun, run_virtually

STANDS = {Outcome.REMEDIATED, Outcome.UNVERIFIED, Outcome.FAILED}
chances = st.lists(st.integers(0, 10_000), min_size=5, max_size=40)
TALL = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
thorough = settings(max_examples=150, deadline=None, suppress_health_check=TALL)


def kinds(ran: VirtualRun) -> list[AuditKind]:
    return [told.event.kind for told in ran.told]


@thorough
@given(data=st.data(), numbers=chances)
def test_what_a_run_says_of_the_world_is_true(data: st.DataObject, numbers: list[int]) -> None:
    spec = data.draw(specs())
    world = TrueWorld(numbers)
    ran = run_virtually(spec, world, data.draw(courses()))

    assert (ran.stuck, ran.left_over) == ("", ())
    assert ran.result is not None
    assert (kinds(ran)[0], kinds(ran)[-1]) == (AuditKind.RUN_STARTED, AuditKind.RUN_FINISHED)
    assert len(world.keys) == len(set(world.keys)), "a change was made twice"
    if not world.restored:
        assert ran.result.outcome in STANDS
    gave_up = ran.result.outcome is Outcome.FAILED and "a lease could not be given back" not in ran.result.reason
    if gave_up:
        still = {name for name in world.there if world.there[name] != world.without_us[name]}
        assert still <= {one.target for one in ran.result.left}
    leased = {told.event.step for told in ran.told if told.event.kind is AuditKind.LEASED}
    assert leased <= {*ran.result.undone, *(one.step for one in ran.result.left)}, "a lease outlived its run"
    state = world.ledger.state
    assert not state.holders
    assert bool(state.locks) == (bool(ran.result.left) and spec.playbook.guard.lock is not None and _admitted(ran))
    if AuditKind.ATTEMPTED not in kinds(ran):  # otherwise it may have changed something, for all that it knows
        assert (state.rates, state.budgets) == ({}, {}), "what a run reserved that changed nothing comes back"
    if ran.result.outcome is Outcome.REMEDIATED:
        told = kinds(ran)
        last_change = max(
            index for index, kind in enumerate(told) if kind is AuditKind.APPLIED and not _undo(ran, index)
        )
        assert AuditKind.VERIFIED in told[last_change:]


def _admitted(ran: VirtualRun) -> bool:
    return AuditKind.RUN_ADMITTED in kinds(ran)


@thorough
@given(data=st.data(), numbers=chances)
def test_the_same_run_takes_the_same_course(data: st.DataObject, numbers: list[int]) -> None:
    spec = data.draw(specs())
    course = data.draw(courses())
    one, other = (run_virtually(spec, TrueWorld(numbers), course) for _ in range(2))
    assert one == other


@settings(max_examples=50, deadline=None, suppress_health_check=TALL)
@given(data=st.data(), numbers=chances)
def test_a_dry_run_touches_nothing_and_asks_nobody(data: st.DataObject, numbers: list[int]) -> None:
    spec = data.draw(specs(dry_run=True))
    world = TrueWorld(numbers)
    ran = run_virtually(spec, world)
    assert ran.result is not None
    assert (world.there, world.keys, ran.result.applied) == ({}, [], ())
    assert not {AuditKind.APPROVAL_ASKED, AuditKind.ATTEMPTED, AuditKind.APPLIED} & set(kinds(ran))


def _undo(ran: VirtualRun, index: int) -> bool:
    return ran.told[index].event.message.endswith(" to 0")
