"""Who is there to work: the central workers, and those of the clusters and accounts that have one of their own."""

from collections.abc import Sequence
from datetime import datetime

from temporalio.client import Client

from halon.clients.presence import Poller, Presence
from halon.clients.targets import carriers_of
from halon.contracts.base import Contract
from halon.settings import Settings

CENTRAL = "central"


class SeenPoller(Contract):
    """A process that asks for work."""

    identity: str
    last_seen: datetime


class TargetWorkers(Contract):
    """One target, and the processes that work for it."""

    target: str
    """`central`, or such as `cluster:eu-1`."""
    worker: str
    """As `halon worker --for` takes it; empty for the central one."""
    queue: str
    """The task queue that is polled."""
    pollers: tuple[SeenPoller, ...]
    """Those that asked for work within the last two minutes, the last one first."""
    problem: str = ""
    """What is told when nobody did."""

    @property
    def command(self) -> str:
        """What starts a worker for it."""
        return f"halon worker --for {self.worker}" if self.worker else "halon worker"


async def workers_of(client: Client, settings: Settings) -> Sequence[TargetWorkers]:
    """Look at every task queue, the central one first.

    Raises:
        TransientError: Temporal does not answer.
        PermissionDenied: Temporal does not let these credentials ask.
    """
    presence, queue = Presence(client), settings.temporal.task_queue
    central = await presence.pollers(queue, workflows=True)
    nobody = "" if central else f"no central worker: nobody polls task queue {queue}; start one with `halon worker`"
    found = [TargetWorkers(target=CENTRAL, worker="", queue=queue, pollers=_seen(central), problem=nobody)]
    for one in carriers_of(settings):
        there = await presence.pollers(one.queue)
        problem = "" if there else one.missing
        found.append(
            TargetWorkers(target=one.target, worker=one.worker, queue=one.queue, pollers=_seen(there), problem=problem)
        )
    return found


def _seen(pollers: Sequence[Poller]) -> tuple[SeenPoller, ...]:
    return tuple(SeenPoller(identity=one.identity, last_seen=one.last_seen) for one in pollers)
