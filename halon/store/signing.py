"""Signatures over the chain: what is signed, with which key, and whether a signature holds. No database, no clock."""

import base64
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from pydantic import ValidationError

from halon.clients.seals import key_id, public_key, public_text
from halon.contracts.base import Contract, JsonObject, canonical
from halon.errors import InvalidInput

WHAT = "halon audit head"
"""So that no other statement signed with the same key is taken for a head."""


class Head(Contract):
    """What is signed: the end of the chain at a moment. Its canonical JSON is the statement."""

    what: Literal["halon audit head"] = "halon audit head"
    environment: str
    n: int
    chain: str
    at: datetime

    @property
    def statement(self) -> str:
        """Exactly the text that is signed."""
        return canonical(cast("JsonObject", self.model_dump(mode="json"))).decode()

    @staticmethod
    def read(statement: str) -> "Head":
        """Read a statement.

        Raises:
            InvalidInput: it is none.
        """
        try:
            return Head.model_validate(json.loads(statement))
        except (ValueError, ValidationError) as error:
            raise InvalidInput("the signed statement is not about a head of the audit chain") from error


class AuditKey:
    """The key that signs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = public_text(key.public_key())
        """The public half, as halon.yaml names keys."""
        self.id = key_id(self.public)

    def sign(self, data: bytes) -> str:
        """Give the signature, in Base64. The same data always gives the same."""
        return base64.b64encode(self._key.sign(data)).decode()


class TrustedKeys:
    """Public keys whose signatures count."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._keys: dict[str, Ed25519PublicKey] = {key_id(key): public_key(key) for key in keys}

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the keys."""
        return tuple(sorted(self._keys))

    def objection(self, data: bytes, key: str, signature: str) -> str:
        """Say why a signature does not count; empty when it does."""
        trusted = self._keys.get(key)
        if trusted is None:
            known = f"the trusted ones are {', '.join(self._keys)}" if self._keys else "no key is trusted"
            return f"it is signed with key {key[:64]}, and {known}"
        try:
            trusted.verify(base64.b64decode(signature, validate=True), data)
        except (InvalidSignature, ValueError):
            return f"the signature of key {key} does not fit"
        return ""


def public_pem(key: str) -> str:
    """Write a public key as OpenSSL reads it."""
    pem = public_key(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def public_of(text: str, place: str) -> str:
    """Read a public key, in PEM or as halon.yaml names it, and give it as halon.yaml names it.

    Raises:
        InvalidInput: it is neither; `place` says where it stands.
    """
    try:
        if text.lstrip().startswith("-----BEGIN"):
            key = load_pem_public_key(text.encode())
            if isinstance(key, Ed25519PublicKey):
                return public_text(key)
        elif text.strip().startswith("ed25519:"):
            return public_text(public_key(text.strip()))
    except ValueError:
        pass
    raise InvalidInput(f"{place} holds no Ed25519 public key, in PEM or as ed25519:BASE64")
