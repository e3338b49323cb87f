"""Calls to workflows, bounded, and with every way of not answering as a sentence."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeAlias

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from halon.errors import HalonError, NotFound, PermissionDenied, TransientError
from halon.redaction import cut_text

WORKER_PATIENCE = timedelta(seconds=15)
"""How long one waits for what only a worker can answer."""

Connect: TypeAlias = Callable[[], Awaitable[Client]]
"""Gives a client of Temporal: a command connects when it must, the gateway has one that lasts.

Raises TransientError when Temporal does not answer.
"""


@asynccontextmanager
async def answering(what: str, patience: timedelta = WORKER_PATIENCE) -> AsyncGenerator[None]:
    """Bound calls to workflows, and turn their errors into sentences. `what` is what is asked about, for people.

    Raises:
        NotFound: there is no such workflow, or it has ended.
        TransientError: Temporal, or every worker, does not answer.
        PermissionDenied: Temporal does not let these credentials do it.
    """
    try:
        async with asyncio.timeout(patience.total_seconds()):
            yield
    except TimeoutError as error:
        raise TransientError(f"{what} does not answer: is a `halon worker` running?") from error
    except RPCError as error:
        raise rpc_problem(what, error) from error
    except WorkflowQueryFailedError as error:
        raise TransientError(f"{what} cannot answer now: {error}") from error
    except RuntimeError as error:  # what the client raises as long as it has never been connected
        raise TransientError(f"Temporal cannot be reached: {cut_text(str(error), 200)}") from error


def rpc_problem(what: str, error: RPCError) -> HalonError:
    """Say what Temporal's answer means for a person who asked about `what`."""
    if error.status is RPCStatusCode.NOT_FOUND:
        return NotFound(f"{what} is not there, or has ended")
    if error.status in {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED}:
        return PermissionDenied(f"Temporal does not let these credentials at {what}: {error.message}")
    if error.status in {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}:
        return TransientError(f"{what} does not answer: is a `halon worker` running?")
    return TransientError(f"Temporal did not answer about {what}: {error.message}")
