"""What commands and processes connect to, made of the settings."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client, Plugin, TLSConfig

from halon.clients.temporal import TemporalConfig, connect
from halon.errors import Misconfigured
from halon.settings import Settings, resolve
from halon.settings.model import Tls

PATIENCE = timedelta(seconds=3)
"""How long a command waits for Temporal to answer at all."""


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
