"""The connection to Temporal, and what Halon registers there."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client, Plugin, TLSConfig
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode

from halon.clients.codec import EncryptionCodec, Keyring
from halon.clients.failures import EncodedFailures, RedactingFailures
from halon.contracts.run import SearchAttribute
from halon.errors import Misconfigured, TransientError

KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
BOOL = IndexedValueType.INDEXED_VALUE_TYPE_BOOL

SEARCH_ATTRIBUTES: dict[str, "IndexedValueType.ValueType"] = {
    SearchAttribute.SERVICE: KEYWORD,
    SearchAttribute.SEVERITY: KEYWORD,
    SearchAttribute.PLAYBOOK: KEYWORD,
    SearchAttribute.INCIDENT: KEYWORD,
    SearchAttribute.STATE: KEYWORD,
    SearchAttribute.OUTCOME: KEYWORD,
    SearchAttribute.WAITING: BOOL,
}

_TLS_AT_ONE_SIDE = "what answers is not a Temporal frontend, or only one side speaks TLS (`temporal.tls`)"
_MEANINGS = {
    "ConnectionRefused": "the connection is refused, so nothing listens there",
    "dns error": "the name of the host is not known",
    "InvalidCertificate": "its certificate is not one that is trusted here (`temporal.tls`)",
    "InvalidMessage": _TLS_AT_ONE_SIDE,
    "http2 error": _TLS_AT_ONE_SIDE,
    "broken pipe": _TLS_AT_ONE_SIDE,
    "BrokenPipe": _TLS_AT_ONE_SIDE,
    "ConnectionReset": _TLS_AT_ONE_SIDE,
    "TimeoutExpired": "the connection is taken, but no answer comes",
}
"""What the words of the SDK's transport, which are for its developers, mean to the one who wrote the address."""
_FIRST_PAUSE = timedelta(milliseconds=50)
_LAST_PAUSE = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class TemporalConfig:
    """Where Temporal is, and how to be let in."""

    address: str
    namespace: str
    api_key: str | None = None
    tls: bool | TLSConfig = False
    keyring: Keyring | None = None
    """Encrypts what Temporal keeps; without it payloads are in clear."""

    @property
    def codec(self) -> EncryptionCodec | None:
        """What encrypts and decrypts payloads of the namespace, when anything does."""
        return EncryptionCodec(self.keyring, self.namespace) if self.keyring else None

    @property
    def data_converter(self) -> DataConverter:
        """How values become payloads. Encrypted, messages and traces of failures are payloads as well."""
        failures = EncodedFailures if self.keyring else RedactingFailures
        return replace(pydantic_data_converter, payload_codec=self.codec, failure_converter_class=failures)


async def connect(config: TemporalConfig, *, patience: timedelta, plugins: Sequence[Plugin] = ()) -> Client:
    """Connect, trying again for as long as `patience`: a server's port opens before it is healthy.

    Raises:
        TransientError: Temporal did not answer in that time.
        Misconfigured: it answered, but refuses the credentials or does not know the namespace.
    """
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + patience.total_seconds(), _FIRST_PAUSE
    while True:
        try:
            # For a peer that says nothing the SDK waits half a minute, and without end when TLS is wanted.
            async with asyncio.timeout_at(deadline):
                return await Client.connect(
                    config.address,
                    namespace=config.namespace,
                    api_key=config.api_key,
                    tls=config.tls,
                    data_converter=config.data_converter,
                    plugins=plugins,
                )
        except RPCError as error:
            _give_up_if_final(config, error)
            reason = str(error)
        except RuntimeError as error:
            reason = why_unreachable(error)
        except TimeoutError:
            reason = _MEANINGS["TimeoutExpired"]
        if loop.time() + pause.total_seconds() > deadline:
            raise TransientError(f"Temporal at {config.address} does not answer: {reason}")
        await asyncio.sleep(pause.total_seconds())
        pause = min(pause * 2, _LAST_PAUSE)


def why_unreachable(error: RuntimeError) -> str:
    """Say for people why the SDK's client could not connect."""
    words = str(error)
    return next((meaning for sign, meaning in _MEANINGS.items() if sign in words), words)


async def connect_later(config: TemporalConfig, *, plugins: Sequence[Plugin] = ()) -> Client:
    """Give a client that connects with its first call, for a process that must serve before Temporal is there.

    As long as there is no connection, every call raises RuntimeError and the next one tries again.
    """
    return await Client.connect(
        config.address,
        namespace=config.namespace,
        api_key=config.api_key,
        tls=config.tls,
        data_converter=config.data_converter,
        plugins=plugins,
        lazy=True,
    )


async def missing_search_attributes(client: Client) -> list[str]:
    """Names that `halon setup` would register in the client's namespace."""
    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    there = answer.custom_attributes
    for name, kind in SEARCH_ATTRIBUTES.items():
        if name in there and there[name] != kind:
            found = IndexedValueType.Name(there[name])
            raise Misconfigured(f"search attribute {name} exists in Temporal with another type ({found}): remove it")
    return [name for name in SEARCH_ATTRIBUTES if name not in there]


async def register_search_attributes(client: Client) -> list[str]:
    """Register what is missing, wait until it can be used, and give the names. Running it again changes nothing.

    Raises:
        Misconfigured: an attribute exists with another type, or the credentials may not register any.
    """
    missing = await missing_search_attributes(client)
    if not missing:
        return []
    request = AddSearchAttributesRequest(
        namespace=client.namespace, search_attributes={name: SEARCH_ATTRIBUTES[name] for name in missing}
    )
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        if error.status is RPCStatusCode.PERMISSION_DENIED:
            names = ", ".join(missing)
            raise Misconfigured(f"these credentials may not register search attributes in Temporal: {names}") from error
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise TransientError(f"Temporal did not register the search attributes: {error}") from error
    for _ in range(50):
        if not await missing_search_attributes(client):
            return missing
        await asyncio.sleep(_FIRST_PAUSE.total_seconds() * 2)
    raise TransientError("Temporal accepted the search attributes but does not show them yet: try again")


def _give_up_if_final(config: TemporalConfig, error: RPCError) -> None:
    if error.status in {RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED}:
        raise Misconfigured(f"Temporal at {config.address} refuses the credentials: {error}") from error
    if error.status is RPCStatusCode.NOT_FOUND:
        raise Misconfigured(f"Temporal at {config.address} does not know namespace {config.namespace}") from error
