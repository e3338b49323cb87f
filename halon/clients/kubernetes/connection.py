"""One cluster's API server: credentials, one request at a time, its errors as ours.

Retrying is Temporal's: the client makes one attempt. The official client gives transport and credentials; objects stay
raw JSON, because its typed models drop fields that they do not know and refuse objects that a newer server may send.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

import aiohttp
import yaml
from kubernetes.aio import config as official_config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from halon.contracts.base import Json, is_list, is_object
from halon.errors import Conflict, Misconfigured, NotFound, PermanentError, PermissionDenied, TransientError

MAX_ANSWER = 32 * 1024 * 1024
"""Bytes of an answer; the server itself refuses objects above 3 MiB, so only lists come near."""
MAX_MESSAGE = 600
"""Characters of the server's own words that an error repeats."""
MAX_RETRY_AFTER = timedelta(minutes=2)
_TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
_SILENCE = aiohttp.ClientTimeout(total=None, connect=5, sock_read=90)
"""For watches, in which the server says at least once a minute how far it is."""
MAX_LINE = 4 * 1024 * 1024
"""Bytes of one change of a watch: the server takes no object above 3 MiB."""
_CONNECTIONS = 20
_FIELD_MANAGER = "halon"
_OVERTAKEN = "the server rejected our request due to an error in our request"
"""The API server's own words for a JSON patch whose `test` failed."""
_BAD_KUBECONFIG = (
    official_config.ConfigException,
    OSError,
    yaml.YAMLError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)
"""The official loader answers a malformed file with whatever its first wrong access raises."""
_official: Any = official_config
"""The official client's loaders, which carry no types."""

Verb: TypeAlias = Literal["get", "list", "watch", "patch", "create", "delete"]
_METHODS: dict[Verb, str] = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "patch": "PATCH",
    "create": "POST",
    "delete": "DELETE",
}


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """How to reach a cluster. Without `kubeconfig`: the pod's own credentials, or the user's own file."""

    kubeconfig: Path | None = None
    context: str | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource type of the API."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str

    @property
    def root(self) -> str:
        """Where its group version is served."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def qualified(self) -> str:
        """The name that people and RBAC use: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    verb: Verb
    resource: Resource
    namespace: str
    """Empty for what no namespace holds, and for a list over all of them."""
    name: str = ""
    subresource: str = ""
    query: Sequence[tuple[str, str]] = ()
    body: Json = None

    @property
    def path(self) -> str:
        """Path of the URL."""
        space = ["namespaces", self.namespace] if self.namespace else []
        parts = [*space, self.resource.plural, self.name, self.subresource]
        return "/".join([self.resource.root, *(quote(part, safe="") for part in parts if part)])

    @property
    def what(self) -> str:
        """What it is about, for errors: `deployments.apps shop/cart`."""
        kind = f"{self.resource.qualified}/{self.subresource}" if self.subresource else self.resource.qualified
        if not self.name:
            return f"{kind} in namespace {self.namespace}" if self.namespace else f"{kind} of the cluster"
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


class Connection:
    """Speaks to one cluster. Made at the first call; `close` ends it."""

    def __init__(self, name: str, config: ClusterConfig) -> None:
        self.name = name
        self._config = config
        self._client: Any = None
        self._making = asyncio.Lock()

    async def json(self, call: Call) -> Any:
        """Make one request and give the answer's JSON.

        Raises:
            NotFound, PermissionDenied, Conflict, TransientError, Misconfigured, PermanentError: as the server says.
        """
        raw = await self.raw(call)
        try:
            return json.loads(raw)
        except ValueError as error:
            raise PermanentError(f"cluster {self.name} did not answer with JSON for {call.what}") from error

    async def raw(self, call: Call) -> bytes:
        """Make one request and give the answer's bytes. Errors as for `json`."""
        client = await self._connected()
        status, headers, body = await self._send(client, call)
        if status == 401:  # noqa: PLR2004  # a short-lived token ran out: read the credentials anew, once
            await self._forget(client)
            status, headers, body = await self._send(await self._connected(), call)
        if not 200 <= status <= 299:  # noqa: PLR2004  # HTTP's range of success
            raise _refused(Refused(self.name, call, status, headers.get("Retry-After", ""), body))
        return body

    async def lines(self, call: Call) -> AsyncGenerator[bytes]:
        """Make one request and give the lines of its answer as they come, until the server ends it.

        Errors as for `json`. Whoever leaves early closes it.
        """
        client = await self._connected()
        async with self._answer(client, call, _SILENCE) as response:
            if response.status == 401:  # noqa: PLR2004  # the next call reads the credentials anew
                await self._forget(client)
            if not 200 <= response.status <= 299:  # noqa: PLR2004  # HTTP's range of success
                body = await self._bounded(response, call)
                raise _refused(Refused(self.name, call, response.status, response.headers.get("Retry-After", ""), body))
            rest = b""
            async for part in response.content.iter_any():
                *whole, rest = (rest + part).split(b"\n")
                for line in whole:
                    yield line
                if len(rest) > MAX_LINE:
                    raise PermanentError(f"cluster {self.name} sends more than {MAX_LINE} bytes in one change")

    async def close(self) -> None:
        """Close the connections; the next call would make new ones."""
        async with self._making:
            client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _forget(self, client: Any) -> None:
        if self._client is client:
            await self.close()

    async def _connected(self) -> Any:
        async with self._making:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> Any:
        configuration = Configuration()
        configuration.retries = None
        configuration.connection_pool_maxsize = _CONNECTIONS
        where = await asyncio.to_thread(self._kubeconfig)
        try:
            if not where:
                _official.load_incluster_config(client_configuration=configuration)
            else:
                await _official.load_kube_config(
                    config_file=where,
                    context=self._config.context,
                    client_configuration=configuration,
                    persist_config=False,
                )
            return ApiClient(configuration=configuration)
        except _BAD_KUBECONFIG as error:
            source = where or "a pod's service account"
            raise Misconfigured(f"cluster {self.name} cannot be reached with {source}: {_first_line(error)}") from error

    def _kubeconfig(self) -> str:
        """Give the file to load, or nothing for a pod's own credentials."""
        path = self._config.kubeconfig
        if path is not None:
            if not path.expanduser().is_file():
                raise Misconfigured(f"the kubeconfig {path} of cluster {self.name} does not exist")
            return str(path.expanduser())
        usual: str = _official.KUBE_CONFIG_DEFAULT_LOCATION
        return usual if any(Path(one).expanduser().is_file() for one in usual.split(":")) else ""

    async def _send(self, client: Any, call: Call) -> tuple[int, Any, bytes]:
        async with self._answer(client, call, _TIMEOUT) as response:
            return response.status, response.headers, await self._bounded(response, call)

    @asynccontextmanager
    async def _answer(
        self, client: Any, call: Call, limits: aiohttp.ClientTimeout
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        query = list(call.query)
        headers = {"Accept": "application/json"} if call.subresource != "log" else {"Accept": "*/*"}
        if call.verb == "patch":
            headers["Content-Type"] = "application/json-patch+json"
        if call.verb == "create":
            headers["Content-Type"] = "application/json"
        if call.verb in {"create", "patch"}:
            query += [("fieldManager", _FIELD_MANAGER), ("fieldValidation", "Strict")]
        method, url, headers, body, _ = await client.param_serialize(
            _METHODS[call.verb],
            call.path,
            query_params=query,
            header_params=headers,
            body=call.body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = await client.call_api(method, url, headers, body, _request_timeout=limits)
            response: aiohttp.ClientResponse = answer.response
            async with response:
                yield response
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise Misconfigured(f"cluster {self.name}: TLS with its API server fails: {_first_line(error)}") from error
        except aiohttp.InvalidURL as error:
            raise Misconfigured(f"cluster {self.name}: its server's address is not a URL") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            what = _first_line(error) or type(error).__name__
            raise TransientError(f"the API server of cluster {self.name} does not answer: {what}") from error

    async def _bounded(self, response: aiohttp.ClientResponse, call: Call) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_chunked(65536):
            size += len(part)
            if size > MAX_ANSWER:
                raise PermanentError(f"cluster {self.name} answers with more than {MAX_ANSWER} bytes for {call.what}")
            parts.append(part)
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that is no success."""

    cluster: str
    call: Call
    status: int
    retry_after: str
    body: bytes


class ApiRefusal(PermanentError):  # noqa: N818  # reads as the fact that it states
    """The API server will not do this: invalid, or refused by an admission policy, as the message says."""


class Gone(TransientError):  # noqa: N818  # reads as the fact that it states
    """What was to be read on from is no longer known: everything is to be read anew."""


class EvictionRefused(TransientError):  # noqa: N818  # reads as the fact that it states
    """The pod may not go now, for a budget or for a webhook: others may, and this one later."""


def _refused(refused: Refused) -> Exception:
    """Give our error for an answer that is no success."""
    status, call = refused.status, refused.call
    said, details = _said(refused.body)
    where = f"cluster {refused.cluster}"
    if status == 401:  # noqa: PLR2004  # HTTP's own numbers
        return PermissionDenied(f"{where} does not accept the credentials: {said}")
    if status == 403:  # noqa: PLR2004
        return _forbidden(where, call, said)
    if status == 404:  # noqa: PLR2004
        return _missing(where, call, said, details)
    if status == 409 or (status == 422 and _overtaken(said, details)):  # noqa: PLR2004
        return Conflict(f"{call.what} changed meanwhile in {where}: {said}")
    if status in {410, 429} or status >= 500:  # noqa: PLR2004
        return _not_now(refused, said, details)
    return ApiRefusal(f"{where} refuses to {call.verb} {call.what}: {said}")


def _not_now(refused: Refused, said: str, details: dict[str, Any]) -> TransientError:
    """Tell a pod that may not go, and a list that has aged, from a server that is throttled or ill.

    Only that one says when to come back.
    """
    call, delay = refused.call, _delay(refused.retry_after)
    if refused.status == 410:  # noqa: PLR2004
        return Gone(f"cluster {refused.cluster} no longer knows from where to go on in {call.what}: {said}")
    if refused.status == 429 and call.subresource == "eviction" and delay is None:  # noqa: PLR2004
        return EvictionRefused(f"{call.what} may not go now: {_causes(said, details)}")
    return TransientError(f"cluster {refused.cluster} cannot serve {call.what} now: {said}", retry_after=delay)


def _forbidden(where: str, call: Call, said: str) -> Exception:
    """Tell a missing permission from an admission plugin's refusal, for example for a quota: both are 403."""
    if " cannot " not in said:
        return ApiRefusal(f"{where} refuses to {call.verb} {call.what}: {said}")
    what = f"{call.resource.plural}/{call.subresource}" if call.subresource else call.resource.plural
    group = f"API group '{call.resource.group}'" if call.resource.group else "the core API group"
    where_to = f"namespace {call.namespace}" if call.namespace else "for the whole cluster"
    needed = f"'{call.verb}' on '{what}' in {group}, {where_to}"
    return PermissionDenied(f"{where}: Halon's credentials lack the permission {needed}")


def _missing(where: str, call: Call, said: str, details: dict[str, Any]) -> Exception:
    if not details.get("name") and "could not find the requested resource" in said:
        return NotFound(f"{where} does not serve {call.resource.qualified} {call.resource.version}")
    return NotFound(f"{call.what} does not exist in {where}")


def _overtaken(said: str, details: dict[str, Any]) -> bool:
    """Whether a 422 is a failed `test` of a JSON patch; an invalid object names the field in `causes`."""
    return said == _OVERTAKEN and not details.get("causes")


def _causes(said: str, details: dict[str, Any]) -> str:
    """Give the causes in the server's words, which name the budget, or the message when there are none."""
    causes: Any = details.get("causes")
    listed: list[Any] = causes if is_list(causes) else []
    texts = [str(one["message"]) for one in listed if is_object(one) and one.get("message")]
    return "; ".join(texts)[:MAX_MESSAGE] or said


def _said(body: bytes) -> tuple[str, dict[str, Any]]:
    """Give the server's message in one line and its details."""
    try:
        status: Any = json.loads(body)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        return " ".join(body[:MAX_MESSAGE].decode(errors="replace").split()) or "no reason given", {}
    known: dict[str, Any] = status  # pyright: ignore[reportUnknownVariableType]  # raw JSON
    details: Any = known.get("details")
    message = " ".join(str(known.get("message") or known.get("reason") or "no reason given").split())
    return message[:MAX_MESSAGE], details if isinstance(details, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # raw JSON


def _delay(text: str) -> timedelta | None:
    """Read Retry-After: seconds or a date."""
    if not text:
        return None
    if text.isdecimal():
        return min(timedelta(seconds=int(text[:9])), MAX_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(until - datetime.now(UTC), timedelta()), MAX_RETRY_AFTER)  # the header is a date


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")[:MAX_MESSAGE]
