"""A cluster's worker dies in the middle of a change, by kill -9."""

import asyncio
from pathlib import Path

import pytest
from engine import until
from target_site import STARTS_WITHIN, opened

from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome
from halon.demo.cluster import Fault, FaultKind


@pytest.mark.timeout(400)
async def test_another_worker_takes_up_what_a_dead_one_had_begun_and_nothing_is_doubled(tmp_path: Path) -> None:
    """The write takes effect, its answer does not come, and the worker that waits for it is killed."""
    async with opened(tmp_path) as site:
        cluster = site.clusters["eu-1"]
        first = await site.start_worker("eu-1")
        write = r"deployments/cart(/scale)?(\?(?!.*dryRun).*)?$"
        cluster.faults.inject(Fault(kind=FaultKind.DELAY_REPLY, method="PATCH", path=write, seconds=60))
        running = asyncio.create_task(site.scale("eu-1"))

        async def written() -> bool:
            return bool(cluster.faults.met[FaultKind.DELAY_REPLY])

        await until(written, within=STARTS_WITHIN)
        first.kill()
        await first.wait()
        await site.start_worker("eu-1")
        done = await running
        assert done.outcome is Outcome.REMEDIATED, done
        assert [(one.name, one.verb) for one in cluster.journal.changes()] == [("cart", "patch")]
        kinds = [one.kind for one in await site.records(done.incident)]
        assert kinds.count(AuditKind.APPLIED) == 1
