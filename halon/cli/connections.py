"""What commands and processes connect to, made of the settings."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client, Plugin, TLSConfig, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from halon.clients.temporal import TemporalConfig, connect
from halon.errors import HalonError, Misconfigured, NotFound, PermissionDenied, TransientError
from halon.settings import Settings, resolve
from halon.settings.model import Tls

PATIENCE = timedelta(seconds=3)
"""How long a command waits for Temporal to answer at all."""
WORKER_PATIENCE = timedelta(seconds=15)
"""How long a command waits for what only a worker can answer."""


def temporal_config(settings: Settings) -> TemporalConfig:
    """Say where Temporal is, and how to be let in.

    Raises:
        Misconfigured: a secret or a file that the settings name is not there.
    """
    given = settings.temporal
    api_key = resolve(given.api_key, "temporal.api_key").get_secret_value() if given.api_key else None
    tls = _tls(given.tls) if isinstance(given.tls, Tls) else given.tls
    return TemporalConfig(address=given.address, namespace=given.namespace, api_key=api_key, tls=tls)


async def connected(settings: Settings, patience: timedelta = PATIENCE, plugins: Sequence[Plugin] = ()) -> Client:
    """Connect to Temporal.

    Raises:
        TransientError: Temporal does not answer.
        Misconfigured: it refuses the credentials, or what the settings name is not there.
    """
    return await connect(temporal_config(settings), patience=patience, plugins=plugins)


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


def rpc_problem(what: str, error: RPCError) -> HalonError:
    """Say what Temporal's answer means for a person who asked about `what`."""
    if error.status is RPCStatusCode.NOT_FOUND:
        return NotFound(f"{what} is not there, or has ended")
    if error.status in {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED}:
        return PermissionDenied(f"Temporal does not let these credentials at {what}: {error.message}")
    if error.status in {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}:
        return TransientError(f"{what} does not answer: is a `halon worker` running?")
    return TransientError(f"Temporal did not answer about {what}: {error.message}")


def _tls(given: Tls) -> TLSConfig:
    return TLSConfig(
        server_root_ca_cert=_bytes(given.ca, "temporal.tls.ca"),
        domain=given.server_name,
        client_cert=_bytes(given.certificate, "temporal.tls.certificate"),
        client_private_key=_bytes(given.key, "temporal.tls.key"),
    )


def _bytes(file: Path | None, setting: str) -> bytes | None:
    try:
        return file.read_bytes() if file else None
    except OSError as error:
        raise Misconfigured(f"`{setting}` names {file}, which cannot be read: {error.strerror}") from error
