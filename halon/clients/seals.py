"""Seals: proof, within a decision, of who decides. A JSON Web Token over the decision, signed with Ed25519.

The gateway seals what people decide there, after it has checked who they are; a person may seal with a key of
their own. Workers check seals, so that whoever can reach Temporal cannot decide in another's name.
"""

import base64
import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import ValidationError

from halon.clients.credentials import Credentials
from halon.contracts.decision import Seal
from halon.contracts.people import Method, Person
from halon.errors import InvalidInput, Misconfigured
from halon.settings import Settings

TYPE = "halon-decision+jwt"
"""So that no other token of the same key is taken for a seal."""
_PREFIX = "ed25519:"
_KEY_FILE = Path("keys") / "decisions.pem"


class Sealer:
    """Seals decisions with one key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = public_text(key.public_key())
        """The public half, as `halon.yaml` names keys."""

    def seal(self, seal: Seal) -> str:
        """Give the token."""
        return self.sign(seal.model_dump(mode="json"), TYPE)

    def sign(self, claims: dict[str, Any], kind: str) -> str:
        """Give a token of another kind, which its type keeps apart from seals."""
        headers = {"kid": key_id(self.public), "typ": kind}
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers=headers)

    def derived(self, purpose: str) -> bytes:
        """Give a key of 32 bytes for something else, which only gateways with this key have."""
        raw = self._key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(raw)


class Seals:
    """Checks seals against the keys of gateways and of people."""

    def __init__(self, gateways: Sequence[str], people: Mapping[str, Person]) -> None:
        self._keys: dict[str, tuple[Ed25519PublicKey, str]] = {}
        for person, whose in people.items():
            self._keys |= {key_id(key): (public_key(key), person) for key in whose.keys}
        self._keys |= {key_id(key): (public_key(key), "") for key in gateways}

    def read(self, token: str, now: datetime) -> Seal:
        """Give what a seal says.

        Raises:
            InvalidInput: it is forged, has expired, or is of a key that nobody knows.
        """
        try:
            header = jwt.get_unverified_header(token)
            key, owner = self._keys[header.get("kid", "")]
            said = jwt.decode(token, key, algorithms=["EdDSA"], options={"verify_exp": False, "verify_aud": False})
            seal = Seal.model_validate(said)
        except KeyError:
            raise InvalidInput("its seal is of a key that nobody here knows") from None
        except (jwt.InvalidTokenError, ValidationError):
            raise InvalidInput("its seal is forged or damaged") from None
        if header.get("typ") != TYPE:
            raise InvalidInput("its seal is a token for something else")
        if owner and (seal.by != owner or seal.method is not Method.KEY or seal.groups):
            raise InvalidInput(f"its seal is by a key of {owner}, and says what that key cannot say")
        if seal.expires_at <= now:
            raise InvalidInput("its seal has expired: decide again")
        return seal


def sealer(settings: Settings) -> Sealer:
    """Give what this gateway seals with. The key is made when none is named and none is there.

    Raises:
        Misconfigured: the key that is named is not there or is none, or none can be written.
    """
    named = settings.approvals.signing_key
    if named is not None:
        setting = "approvals.signing_key"
        text = Credentials(settings.credentials).resolve(named, setting).get_secret_value()
        return Sealer(read_private_key(text.encode(), setting))
    file = settings.data_dir / _KEY_FILE
    try:
        return Sealer(read_private_key(_made(file), str(file)))
    except OSError as error:
        fix = "name one as `approvals.signing_key`"
        message = f"the key for decisions cannot be kept in {file}: {error.strerror}; {fix}"
        raise Misconfigured(message) from error


def seals(settings: Settings) -> Seals:
    """Give what a worker checks seals with.

    Raises:
        Misconfigured: as `sealer` does.
    """
    return Seals(gateway_keys(settings), settings.people)


def gateway_keys(settings: Settings) -> tuple[str, ...]:
    """Give the public keys of gateways that this process believes.

    Raises:
        Misconfigured: as `sealer` does.
    """
    named = settings.approvals
    own = () if named.trusted_keys and named.signing_key is None else (sealer(settings).public,)
    return (*named.trusted_keys, *own)


def new_private_key() -> bytes:
    """Make a key, as PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_private_key(pem: bytes, place: str) -> Ed25519PrivateKey:
    """Read a key.

    Raises:
        Misconfigured: it is none; `place` says where it stands.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise Misconfigured(f"`{place}` is no private key in PEM without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(f"`{place}` is no Ed25519 key: make one with `halon keys signing`")
    return key


def public_text(key: Ed25519PublicKey) -> str:
    """Write a public key as `halon.yaml` names it."""
    return _PREFIX + base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def public_key(text: str) -> Ed25519PublicKey:
    """Read a public key from `halon.yaml`."""
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text.removeprefix(_PREFIX)))


def key_id(text: str) -> str:
    """Name a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _made(file: Path) -> bytes:
    """Read the file; the first process that wants it makes it, whole or not at all."""
    with contextlib.suppress(FileNotFoundError):
        return file.read_bytes()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(new_private_key())
    with contextlib.suppress(FileExistsError):
        os.link(draft, file)
    draft.unlink()
    return file.read_bytes()
