"""The controllers' loop: a round over all of them after every change, and when the next timer is due.

Each controller looks at the whole state and makes it one step better, so a missed change cannot be missed for long.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from halon.demo.cluster.controllers.autoscaling import Autoscaling
from halon.demo.cluster.controllers.claims import Claims
from halon.demo.cluster.controllers.collector import Collector
from halon.demo.cluster.controllers.cronjobs import CronJobs
from halon.demo.cluster.controllers.daemonsets import DaemonSets
from halon.demo.cluster.controllers.disruptions import Disruptions
from halon.demo.cluster.controllers.jobs import Jobs
from halon.demo.cluster.controllers.kubelet import Kubelet
from halon.demo.cluster.controllers.quotas import Quotas
from halon.demo.cluster.controllers.replicasets import ReplicaSets
from halon.demo.cluster.controllers.rollouts import Rollouts
from halon.demo.cluster.controllers.scheduling import Scheduler
from halon.demo.cluster.controllers.statefulsets import StatefulSets
from halon.demo.cluster.world import World


class Controller(Protocol):
    """One duty of the cluster."""

    def reconcile(self) -> datetime | None:
        """Make what there is more like what is wanted; return when to look again even if nothing changes."""
        ...


def controllers(world: World, kubelet: Kubelet) -> Sequence[Controller]:
    """Make the controllers of a cluster, in the order of a round: from owners to what they own."""
    owners = (Autoscaling(world), Rollouts(world), ReplicaSets(world), StatefulSets(world), DaemonSets(world))
    rest = (Claims(world), Scheduler(world), kubelet, Disruptions(world), Quotas(world), Collector(world))
    return (*owners, CronJobs(world), Jobs(world), *rest)


async def run(world: World, duties: Sequence[Controller]) -> None:
    """Run rounds until cancelled. A controller's bug ends the loop, and the server's end reports it."""
    while True:
        world.store.changed.clear()
        due = [moment for moment in [duty.reconcile() for duty in duties] if moment is not None]
        await asyncio.sleep(world.timing.tick.total_seconds())
        wait = max(0.0, (min(due) - world.now()).total_seconds()) if due else None
        try:
            async with asyncio.timeout(wait):
                await world.store.changed.wait()
        except TimeoutError:
            continue
