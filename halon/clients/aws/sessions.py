"""Who Halon is in one account, and the clients that it calls there: made once, used by many threads.

boto3 retries by itself and so does Temporal: here it makes one attempt. Making a client is not safe in two threads at
once and takes up to 70 ms, so it happens under a lock.
"""

import threading
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from halon.settings.aws import AwsAccount

_CONNECT, _READ = 5, 20
"""Seconds."""
POOL = 32
"""Connections of one client; boto3 keeps ten."""
_SESSION_NAME = "halon"
_GLOBAL = frozenset({"cloudfront", "globalaccelerator", "iam", "organizations", "route53", "sts"})
_HOME = "us-east-1"
"""Where the services that have no region of their own are asked, when no other is named."""


@cache
def _models() -> Any:
    """AWS's descriptions of its services, which are large and never change: read once for all accounts."""
    from botocore.loaders import create_loader  # noqa: PLC0415  # half a second of imports

    return create_loader()


def _core() -> Any:
    import botocore.session  # noqa: PLC0415

    core: Any = botocore.session.get_session()
    core.register_component("data_loader", _models())
    return core


class Session:
    """Clients of one account, by service and region."""

    def __init__(self, name: str, settings: AwsAccount) -> None:
        self._name = name
        self._settings = settings
        self._lock = threading.Lock()
        self._boto3: Any = None
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str) -> Any:
        """Give the client, which is made with the first call.

        Raises:
            BotoCoreError: boto3 finds no credentials or knows no such service.
        """
        with self._lock:
            if (service, region) not in self._clients:
                session = self._session(region)
                chosen = region or session.region_name or (_HOME if service in _GLOBAL else None)
                self._clients[service, region] = self._client(session, service, chosen)
            return self._clients[service, region]

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            clients, self._clients = self._clients, {}
        for one in clients.values():
            one.close()

    def _session(self, region: str) -> Any:
        import boto3  # noqa: PLC0415

        if self._boto3 is None:
            own: Any = boto3.session.Session(botocore_session=_core())
            self._boto3 = own if self._settings.role is None else self._assumed(own, region)
        return self._boto3

    def _assumed(self, own: Any, region: str) -> Any:
        """Give a session with the role's credentials, which are renewed before they expire."""
        import boto3  # noqa: PLC0415
        from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials  # noqa: PLC0415
        from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

        source = own.get_credentials()
        if source is None:
            raise NoCredentialsError
        given = self._settings

        def client(_service: str, **keys: Any) -> Any:
            chosen = given.region or region or own.region_name or _HOME
            return self._client(own, "sts", chosen, **keys)

        extra = {"RoleSessionName": _SESSION_NAME, **({"ExternalId": given.external_id} if given.external_id else {})}
        fetcher: Any = AssumeRoleCredentialFetcher(client, source, given.role or "", extra_args=extra)
        core = _core()
        core._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")  # noqa: SLF001  # botocore has no other way in
        assumed: Any = boto3.session.Session(botocore_session=core, region_name=own.region_name)
        return assumed

    def _client(self, session: Any, service: str, region: str | None, **keys: Any) -> Any:
        from botocore.config import Config  # noqa: PLC0415

        endpoint = self._settings.endpoint
        client = session.client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            config=Config(
                connect_timeout=_CONNECT,
                read_timeout=_READ,
                retries={"total_max_attempts": 1},
                max_pool_connections=POOL,
                user_agent_extra="halon",
                inject_host_prefix=endpoint is None,
                s3={"addressing_style": "path"} if endpoint else {},
            ),
            **keys,
        )
        if endpoint is not None and service == "s3control":
            client.meta.events.register("before-sign.s3-control", same_host(endpoint))
        return client


def same_host(endpoint: str) -> Any:
    """Have every account asked at one address: boto3 puts the account's number before the host, which none may have."""
    host = urlsplit(endpoint).netloc

    def settle(request: Any, **_: Any) -> None:
        request.url = urlsplit(str(request.url))._replace(netloc=host).geturl()

    return settle
