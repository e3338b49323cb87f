"""Secrets in the KV engine, version 2, of HashiCorp Vault or OpenBao, through hvac.

hvac takes what it is not given from the environment, so everything is given. Its calls wait for sockets.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from halon.contracts.base import is_object
from halon.errors import HalonError
from halon.settings.credentials import SecretRef, VaultSecret, VaultSettings
from halon.settings.secrets import NoSecret, resolve

TIMEOUT = 5
"""Seconds for one call."""
_MAX_MESSAGE = 200
T = TypeVar("T")


class Vault:
    """One Vault. It is logged into at the first call, and again when a token has come to its end."""

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None

    def read(self, secret: VaultSecret) -> str:
        """Read one field.

        Raises:
            NoSecret: it is not there, Vault does not let Halon see it, or does not answer.
        """
        with self._lock:
            fresh = self._client is None
            try:
                data = self._asked(lambda: self._data(secret))
            except _Refused as refused:
                if fresh:
                    raise NoSecret(f"Vault does not let Halon read: {refused}") from refused
                # The token may have come to its end, or been replaced in its file: once more with a new one.
                self._client = None
                try:
                    data = self._asked(lambda: self._data(secret))
                except _Refused as again:
                    raise NoSecret(f"Vault does not let Halon read: {again}") from again
        value = data.get(secret.key)
        if value is None:
            raise NoSecret(f"has no such field; it has {', '.join(sorted(map(str, data))) or 'none'}")
        if not isinstance(value, str):
            raise NoSecret("holds something else than text in this field")
        return value

    def _data(self, secret: VaultSecret) -> dict[str, Any]:
        if self._client is None:
            self._client = self._logged_in()
        answer = self._client.secrets.kv.v2.read_secret_version(
            path=secret.path, mount_point=secret.mount, raise_on_deleted_version=True
        )
        data: Any = answer["data"]["data"]
        return data if is_object(data) else {}

    def _logged_in(self) -> Any:
        import hvac  # noqa: PLC0415  # a tenth of a second of imports, for those who have a Vault
        import requests  # noqa: PLC0415

        given, auth = self._settings, self._settings.auth
        session = requests.Session()
        session.trust_env = False
        client: Any = hvac.Client(
            url=given.address,
            token="",
            verify=str(given.ca) if given.ca else True,
            cert=None,
            timeout=TIMEOUT,
            allow_redirects=False,
            session=session,
            namespace=given.namespace,
        )
        if auth.token is not None:
            client.token = _local(auth.token, "credentials.vault.auth.token")
        elif auth.approle is not None:
            client.auth.approle.login(
                role_id=_local(auth.approle.role_id, "credentials.vault.auth.approle.role_id"),
                secret_id=_local(auth.approle.secret_id, "credentials.vault.auth.approle.secret_id"),
                mount_point=auth.approle.mount,
            )
        elif auth.kubernetes is not None:
            try:
                token = auth.kubernetes.token.read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                named = f"`credentials.vault.auth.kubernetes.token` names {auth.kubernetes.token}"
                raise NoSecret(f"cannot be asked: {named}, which cannot be read") from error
            client.auth.kubernetes.login(role=auth.kubernetes.role, jwt=token, mount_point=auth.kubernetes.mount)
        return client

    def _asked(self, call: Callable[[], T]) -> T:
        """Make a call, and say what its errors mean.

        Raises:
            _Refused: the token, or what logs in, is not accepted.
            NoSecret: everything else.
        """
        import hvac.exceptions as vault  # noqa: PLC0415
        import requests  # noqa: PLC0415

        where = self._settings.address
        try:
            return call()
        except (vault.Forbidden, vault.Unauthorized) as error:
            raise _Refused(_line(error)) from error
        except vault.InvalidPath as error:
            raise NoSecret("is not there") from error
        except vault.VaultDown as error:
            raise NoSecret(f"cannot be read: Vault at {where} is sealed", transient=True) from error
        except vault.InvalidRequest as error:
            raise NoSecret(f"cannot be read: Vault at {where} says {_line(error)}") from error
        except vault.VaultError as error:
            raise NoSecret(f"cannot be read: Vault at {where} says {_line(error)}", transient=True) from error
        except requests.exceptions.SSLError as error:
            raise NoSecret(f"cannot be read: TLS with Vault at {where} fails") from error
        except requests.exceptions.RequestException as error:
            raise NoSecret(f"cannot be read: Vault at {where} does not answer", transient=True) from error
        except (KeyError, TypeError, ValueError) as error:
            raise NoSecret(f"cannot be read: what answers at {where} is no Vault with KV version 2") from error


class _Refused(Exception):  # noqa: N818  # reads as the fact that it states
    pass


def _local(ref: SecretRef, setting: str) -> str:
    try:
        return resolve(ref, setting).get_secret_value()
    except HalonError as error:
        raise NoSecret(f"cannot be asked: {error}") from error


def _line(error: Any) -> str:
    """What Vault said, in one line. It repeats paths and reasons, never secrets."""
    said = "; ".join(str(one) for one in error.errors or ()) or type(error).__name__
    return " ".join(said.split())[:_MAX_MESSAGE]
