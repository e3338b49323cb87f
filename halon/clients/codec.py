"""Encryption of what Temporal keeps: AES-256-GCM around every payload, so that its database has none in clear.

A payload becomes `nonce + ciphertext` of itself, and says in its metadata which key can read it. The namespace, the
encoding and the key's id are authenticated with it: a payload that was moved to another namespace does not decrypt.
What has no encoding of ours is let through when it is read: it was written before encryption was switched on, or by a
person in Temporal's UI. That lets nobody in: whoever may write to the namespace can do so with or without a key.
"""

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from halon.errors import InvalidInput, Misconfigured

ENCODING: Final = b"binary/halon-aes-256-gcm"
KEY_ID: Final = "encryption-key-id"
KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
"""Random: after 2^32 payloads with one key two of them may meet, so a key is to be changed long before."""
_MAX_SHOWN = 64


class Keyring:
    """Keys by id, one of which encrypts."""

    def __init__(self, current: str, keys: Mapping[str, bytes]) -> None:
        self.current = current
        self._keys = {key: AESGCM(raw) for key, raw in keys.items()}

    def seal(self, clear: bytes, about: bytes) -> bytes:
        """Encrypt with the current key. `about` is authenticated and not contained."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._keys[self.current].encrypt(nonce, clear, about)

    def open(self, key: str, sealed: bytes, about: bytes) -> bytes:
        """Decrypt with the key that is named.

        Raises:
            Misconfigured: halon.yaml does not name this key.
            InvalidInput: it does not decrypt: another key of the same id, another namespace, or changed bytes.
        """
        cipher = self._keys.get(key)
        if cipher is None:
            known = ", ".join(sorted(self._keys))
            raise Misconfigured(
                f"a payload is encrypted with key '{_shown(key)}', and `temporal.encryption.keys` names only {known}: "
                "name it there again until nothing uses it"
            )
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)
        except (InvalidTag, ValueError) as error:
            raise InvalidInput(
                f"a payload says that it is encrypted with key '{_shown(key)}' and does not decrypt with it: the key "
                "is another one, the payload is of another namespace, or it was changed"
            ) from error


class EncryptionCodec(PayloadCodec):
    """What every client of Halon's gives Temporal's SDK when `temporal.encryption` is set."""

    def __init__(self, keyring: Keyring, namespace: str) -> None:
        self._keyring = keyring
        self.namespace = namespace

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt; what is encrypted already stays, so that doing it twice changes nothing."""
        return [one if is_encrypted(one) else self._encrypted(one) for one in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt what is encrypted, and let through what is not.

        Raises:
            Misconfigured: a key is missing.
            InvalidInput: a payload does not decrypt.
        """
        return [self._decrypted(one) if is_encrypted(one) else one for one in payloads]

    def _encrypted(self, payload: Payload) -> Payload:
        key = self._keyring.current
        sealed = self._keyring.seal(payload.SerializeToString(), self._about(key.encode()))
        return Payload(metadata={"encoding": ENCODING, KEY_ID: key.encode()}, data=sealed)

    def _decrypted(self, payload: Payload) -> Payload:
        raw = payload.metadata.get(KEY_ID, b"")
        clear = self._keyring.open(raw.decode(errors="replace"), payload.data, self._about(raw))
        try:
            return Payload.FromString(clear)
        except DecodeError as error:
            raise InvalidInput("a payload decrypts to something that is no payload") from error

    def _about(self, key: bytes) -> bytes:
        return b"\0".join((ENCODING, self.namespace.encode(), key))


def is_encrypted(payload: Payload) -> bool:
    """Whether this is a payload that the codec made."""
    return payload.metadata.get("encoding") == ENCODING


def new_key() -> str:
    """Give a new key as text: 32 random bytes in base64."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def read_key(text: str, setting: str) -> bytes:
    """Give the bytes of a key. `setting` is where it is named, for the error.

    Raises:
        Misconfigured: it is not 32 bytes in base64.
    """
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise Misconfigured(f"`{setting}` must hold {KEY_BYTES} bytes in base64: make one with `halon keys new`")
    return raw


def _shown(key: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in key[:_MAX_SHOWN])
