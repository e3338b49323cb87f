"""Secrets by name, from wherever halon.yaml says: the environment and files, Vault, AWS Secrets Manager.

What comes over a network is read when it is first used, serves for a bounded time, and is read again when somebody says
that it was refused. Everything here waits for sockets, so it is called in threads.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from pydantic import SecretStr

from halon.clients.aws_secrets import AwsSecretStore
from halon.clients.codec import Keyring, read_key
from halon.clients.vault import Vault
from halon.errors import Misconfigured, TransientError
from halon.settings.credentials import CredentialSettings, SecretRef, SecretSource
from halon.settings.encryption import EncryptionSettings
from halon.settings.secrets import NoSecret, read, resolve


class SecretStore(Protocol):
    """Something that gives secrets over a network."""

    def read(self, source: SecretSource) -> str:
        """Read one, anew. Raises NoSecret."""
        ...


RETRY_AFTER = 10.0
"""Seconds for which a source that did not answer is not asked again: everybody would wait for it."""


class _Held:
    """What is known of one source that needs a network."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.text: SecretStr | None = None
        self.at = 0.0
        self.failure: NoSecret | None = None
        self.failed_at = 0.0


class Credentials:
    """Resolves what settings name. One of them is made for each process, and may be used from several threads."""

    def __init__(self, settings: CredentialSettings, tick: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._tick = tick
        self._lock = threading.Lock()
        self._held: dict[SecretSource, _Held] = {}
        self._vault = Vault(settings.vault) if settings.vault else None
        self._kept: list[Kept] = []
        self._aws = AwsSecretStore(settings.aws)

    def resolve(self, ref: SecretRef, setting: str) -> SecretStr:
        """Give the secret from the first source that has it. `setting` is where it stands in halon.yaml.

        Raises:
            Misconfigured: no source has it.
            TransientError: no source has it now, and one may have it later.
        """
        return resolve(ref, setting, remote=self._remote)

    def named(self, ref: SecretRef, setting: str) -> "Credential":
        """Give a handle for what is read where it is used."""
        return Credential(self, ref, setting)

    def keep(self, ref: SecretRef, setting: str) -> "Kept":
        """Read a secret now, for one who cannot wait later; `renew` reads it anew.

        Raises:
            Misconfigured: no source has it.
            TransientError: no source has it now.
        """
        kept = Kept(self.named(ref, setting))
        self._kept.append(kept)
        return kept

    def renew(self) -> list[str]:
        """Read what is kept anew. What cannot be read stays as it was; gives the reasons."""
        return [reason for one in self._kept if (reason := one.renew())]

    @property
    def refresh(self) -> timedelta:
        """How long what was read serves."""
        return self._settings.refresh

    def try_source(self, source: SecretSource) -> SecretStr:
        """Read one source, whatever is held of it.

        Raises:
            NoSecret: it gives none.
        """
        return SecretStr(read(source, remote=self._fresh))

    def forget(self, ref: SecretRef) -> None:
        """Read it anew the next time: it was refused where it was used."""
        with self._lock:
            for source in ref.sources:
                self._held.pop(source, None)

    def _remote(self, source: SecretSource) -> str:
        """Read one source, or give what is held of it. One thread reads it; the others then find what it read."""
        with self._lock:
            held = self._held.setdefault(source, _Held())
        with held.lock:
            now = self._tick()
            if held.text is not None and now - held.at < self._settings.refresh.total_seconds():
                return held.text.get_secret_value()
            if held.failure is None or now - held.failed_at >= RETRY_AFTER:
                try:
                    text = self._fresh(source)
                except NoSecret as error:
                    held.failure, held.failed_at = (error, now) if error.transient else (None, 0.0)
                    if not error.transient:
                        held.text = None
                        raise
                else:
                    held.text, held.at, held.failure = SecretStr(text), now, None
                    return text
            if held.text is not None and now - held.at < self._settings.keep.total_seconds():
                return held.text.get_secret_value()
            raise NoSecret(str(held.failure), transient=True)

    def _fresh(self, source: SecretSource) -> str:
        if source.aws is not None:
            return self._aws.read(source.aws)
        if source.vault is None:
            raise NoSecret("is no store of secrets")
        if self._vault is None:
            raise NoSecret("cannot be asked: halon.yaml says nothing under `credentials.vault`")
        return self._vault.read(source.vault)


class Token(Protocol):
    """A secret that lets Halon in somewhere, read where it is used."""

    def __call__(self) -> SecretStr:
        """Read it; it may wait for a network."""
        ...

    def refused(self) -> None:
        """Hear that it was refused, so that the next call reads it anew."""
        ...


class Credential:
    """One secret by its name in halon.yaml; calling it reads it."""

    def __init__(self, credentials: Credentials, ref: SecretRef, setting: str) -> None:
        self._credentials = credentials
        self._ref = ref
        self.setting = setting

    def __call__(self) -> SecretStr:
        """Read it. It may wait for a network: call it in a thread.

        Raises:
            Misconfigured: no source has it.
            TransientError: no source has it now.
        """
        return self._credentials.resolve(self._ref, self.setting)

    def refused(self) -> None:
        """Say that it was refused where it was used, so that the next call reads it anew."""
        self._credentials.forget(self._ref)


class Kept:
    """A secret that was read, and that its user has without waiting."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential
        self._value = credential()

    def __call__(self) -> SecretStr:
        """Give it as it was read last."""
        return self._value

    def renew(self) -> str:
        """Read it anew; gives the reason when that cannot be done."""
        try:
            self._value = self._credential()
        except (Misconfigured, TransientError) as error:
            return str(error)
        return ""


def read_keyring(settings: EncryptionSettings, credentials: Credentials) -> Keyring:
    """Read the keys of payloads.

    Raises:
        Misconfigured: a key is not there, or is none.
        TransientError: one cannot be read now.
    """
    places = {key: (f"temporal.encryption.keys.{key}", ref) for key, ref in settings.keys.items()}
    keys = {
        key: read_key(credentials.resolve(ref, place).get_secret_value(), place) for key, (place, ref) in places.items()
    }
    return Keyring(settings.current, keys)
