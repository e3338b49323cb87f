"""What commands and processes connect to, made of the settings."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client, Plugin, TLSConfig

from halon.clients.credentials import Credentials, read_keyring
from halon.clients.temporal import TemporalConfig, connect
from halon.errors import Misconfigured
from halon.settings import Settings
from halon.settings.model import Tls

PATIENCE = timedelta(seconds=3)
"""How long a command waits for Temporal to answer at all."""


def temporal_config(settings: Settings, credentials: Credentials | None = None) -> TemporalConfig:
    """Say where Temporal is, and how to be let in.

    Raises:
        Misconfigured: a secret or a file that the settings name is not there, or a key is none.
        TransientError: a secret cannot be read now.
    """
    given, secrets = settings.temporal, credentials or Credentials(settings.credentials)
    api_key = secrets.resolve(given.api_key, "temporal.api_key").get_secret_value() if given.api_key else None
    tls = _tls(given.tls) if isinstance(given.tls, Tls) else given.tls
    keyring = read_keyring(given.encryption, secrets) if given.encryption else None
    return TemporalConfig(given.address, given.namespace, api_key=api_key, tls=tls, keyring=keyring)


async def connected(settings: Settings, patience: timedelta = PATIENCE, plugins: Sequence[Plugin] = ()) -> Client:
    """Connect to Temporal.

    Raises:
        TransientError: Temporal does not answer.
        Misconfigured: it refuses the credentials, or what the settings name is not there.
    """
    config = await asyncio.to_thread(temporal_config, settings)
    return await connect(config, patience=patience, plugins=plugins)


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
