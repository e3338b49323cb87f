"""PostgreSQL: how it is reached, what bounds a session, and what its errors mean for a caller."""

import ipaddress
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from halon.errors import Misconfigured
from halon.settings.store import StoreTls

WRITE_LOCK = 0x48414C4F4E
"""Key of the advisory lock that serialises writers: 'HALON'."""
POOL_SIZE = 4
_CONNECT = timedelta(seconds=5)
_ANSWER = timedelta(seconds=30)
"""How long one statement may take, here and on the server."""
_ABANDONED = timedelta(minutes=1)
"""How long a transaction of a process that went away may keep others waiting."""
_KEEPALIVE = {"tcp_keepalives_idle": "20", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
_CANNOT_BE_RIGHT = ("28", "3D", "3F", "42501")
"""Beginnings of SQLSTATEs that no second try changes: authentication, database, schema, privilege."""
_VALUE = "22"


def postgres_engine(url: URL, tls: StoreTls | bool | None, lock_timeout: timedelta) -> AsyncEngine:  # noqa: FBT001  # as the settings have it
    """Give an engine. `tls` None means: on, and the server's name checked, unless it is this machine.

    Raises:
        Misconfigured: a file of `store.tls` cannot be used.
    """
    bounds = {
        "application_name": "halon",
        "synchronous_commit": "on",  # what is written survives a crash, whatever the server's own default
        "lock_timeout": _millis(lock_timeout),
        "statement_timeout": _millis(_ANSWER),
        "idle_in_transaction_session_timeout": _millis(_ABANDONED),
        **(_KEEPALIVE if _is_remote(url) else {}),
    }
    return create_async_engine(
        url,
        pool_size=POOL_SIZE,
        pool_pre_ping=True,
        pool_timeout=lock_timeout.total_seconds(),
        connect_args={
            "ssl": _context(tls) if (_is_remote(url) if tls is None else tls) else False,
            "timeout": _CONNECT.total_seconds(),
            "command_timeout": _ANSWER.total_seconds(),
            "server_settings": bounds,
        },
    )


def cannot_be_right(error: BaseException) -> bool:
    """Whether the server refuses for a reason that only a person can change."""
    return _state(error).startswith(_CANNOT_BE_RIGHT)


def refuses_value(error: BaseException) -> bool:
    """Whether the server refuses what was to be written, so that a second try would meet the same."""
    return _state(error).startswith(_VALUE)


def _state(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None) or "")


def _millis(value: timedelta) -> str:
    return str(round(value.total_seconds() * 1000))


def _is_remote(url: URL) -> bool:
    """Whether what is said goes over a network. Without a host, or with a path for one, it is a socket of this host."""
    hosts = [url.host, *_listed(url.query.get("host"))]
    return any(host and not host.startswith("/") and not _is_loopback(host) for host in hosts)


def _listed(value: tuple[str, ...] | str | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _context(tls: Any) -> ssl.SSLContext:
    given = tls if isinstance(tls, StoreTls) else StoreTls()
    try:
        context = ssl.create_default_context(cafile=given.ca)
        if given.certificate is not None:
            context.load_cert_chain(given.certificate, given.key)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(one) for one in (given.ca, given.certificate, given.key) if isinstance(one, Path))
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        raise Misconfigured(f"`store.tls` names {files}, which cannot be used: {reason}") from error
    return context
