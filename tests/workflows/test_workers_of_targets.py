"""What is done on a cluster is done by its worker; one that is not there refuses the run or fails the step, in time."""

from datetime import timedelta

import pytest
from far import FAR_DIM, FAR_LOOK, carried_out, worker_of
from lamp import DIM, GROUP, Engine, until

import workflows.dispatch
from halon.clients.presence import Presence
from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome

INCIDENT = f"{GROUP}-manual"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflows.dispatch, "TAKEN_WITHIN", timedelta(seconds=2))


async def test_a_change_is_made_by_the_worker_of_its_cluster(real_time_engine: Engine) -> None:
    async with worker_of(real_time_engine, "cluster:eu-1"):
        result = await carried_out(real_time_engine, [FAR_DIM, FAR_LOOK])
    assert (result.outcome, real_time_engine.lamp.writes) == (Outcome.REMEDIATED, [1])


async def test_without_its_worker_a_run_is_refused_before_anything_is_changed(real_time_engine: Engine) -> None:
    engine = real_time_engine
    result = await carried_out(engine, [DIM, FAR_DIM])
    assert result.outcome is Outcome.REFUSED
    assert "no worker for cluster eu-1: nobody polls task queue lamp.cluster.eu-1" in result.reason
    assert "`halon worker --for cluster:eu-1`" in result.reason
    assert engine.lamp.writes == []
    assert AuditKind.RUN_REFUSED in await engine.told(INCIDENT)


async def test_what_is_known_only_in_the_middle_fails_its_step_and_what_was_changed_is_undone(
    real_time_engine: Engine,
) -> None:
    late = {**FAR_DIM, "with": {"to": 1, "cluster": "${{ vars.where }}"}}
    result = await carried_out(real_time_engine, [DIM, {"set": {"where": "eu-2"}}, late])
    assert result.outcome is Outcome.UNDONE
    assert "no worker for cluster eu-2" in result.reason
    assert real_time_engine.lamp.writes == [1, 9]


@pytest.mark.usefixtures("hurried")
async def test_a_change_that_nobody_took_up_is_told_as_not_begun(real_time_engine: Engine) -> None:
    """A worker that has just ended is still listed by Temporal: the queue itself then shows it."""
    presence = Presence(real_time_engine.client)
    async with worker_of(real_time_engine, "cluster:eu-1"):
        assert await until(lambda: presence.pollers("lamp.cluster.eu-1"))
    result = await carried_out(real_time_engine, [FAR_DIM])
    assert result.outcome is Outcome.FAILED
    assert "no worker for cluster eu-1" in result.reason
    assert "none took it within 2s" in result.reason
    assert real_time_engine.lamp.writes == []
    assert AuditKind.UNDO_FAILED not in await real_time_engine.told(INCIDENT)
