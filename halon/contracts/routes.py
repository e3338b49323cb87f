"""Where actions are carried out that the central worker does not do itself: by the worker of a cluster or an account.

It is frozen into a run when that begins, for a decision that the settings changed meanwhile would not replay.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from halon.contracts.base import Contract

Reach: TypeAlias = Literal["cluster", "account"]
"""What an action acts on, and so the parameter of it that names which one."""
MAX_WORKERS = 500

ABSENT = "halon.targets.absent"
"""The activity that looks which workers are not there."""


class Routes(Contract):
    """The clusters and accounts that have a worker of their own, and how an action is known to be for one of them."""

    queue: str = ""
    """The central worker's task queue, which the others are named after."""
    workers: dict[str, str] = {}
    """By target, such as `cluster:eu-1`: its worker, as `halon worker --for` takes it. A worker may have several."""
    reach: dict[str, Reach] = {}
    """By the name of an action; one that is not here is the central worker's."""
    defaults: dict[Reach, str] = {}
    """The cluster and the account that are meant by calls that name none."""


class Carrier(Contract):
    """The worker that carries out what is to be done on one target."""

    target: str
    """`cluster:eu-1`."""
    worker: str
    """As `halon worker --for` takes it."""
    queue: str
    """The task queue that it polls."""

    @property
    def missing(self) -> str:
        """What is to be told when it is not there."""
        kind, _, name = self.target.partition(":")
        return (
            f"no worker for {kind} {name}: nobody polls task queue {self.queue}; "
            f"start one with `halon worker --for {self.worker}`"
        )


class AbsentRequest(Contract):
    """Which workers are looked for."""

    workers: Annotated[tuple[Carrier, ...], Field(max_length=MAX_WORKERS)]


class Absent(Contract):
    """Those of them that are not there."""

    workers: tuple[Carrier, ...] = ()
