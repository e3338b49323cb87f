"""Keys of the audit chain as the settings name them, and the bucket that copies are kept in."""

import json
from collections.abc import Sequence
from pathlib import Path

from halon.clients.credentials import Credentials
from halon.clients.locked_bucket import BucketConfig, LockedBucket
from halon.clients.seals import read_private_key
from halon.contracts.base import is_object
from halon.errors import InvalidInput, Misconfigured
from halon.settings import Settings
from halon.store.signing import AuditKey, Head, TrustedKeys, public_of
from halon.store.verification import Anchor

_SETTING = "audit.signing_key"
_MAX_KEY = 4096


def audit_key(settings: Settings) -> AuditKey | None:
    """Give the key that signs; None when the settings name none.

    Raises:
        Misconfigured: it is named and not there, or is no such key.
    """
    named = settings.audit.signing_key
    if named is None:
        return None
    try:
        text = Credentials(settings.credentials).resolve(named, _SETTING).get_secret_value()
        return AuditKey(read_private_key(text.encode(), _SETTING))
    except Misconfigured as error:
        if "is no Ed25519 key" in str(error):
            raise Misconfigured(f"`{_SETTING}` is no Ed25519 key: make one with `halon audit keygen`") from error
        raise


def trusted_keys(settings: Settings, more: Sequence[str] = ()) -> TrustedKeys:
    """Give the keys whose signatures count: those of the settings, and `more`.

    The key that signs is one of them where it can be read; a command that only verifies need not be able to.
    """
    try:
        own = audit_key(settings)
    except Misconfigured:
        own = None
    return TrustedKeys((*settings.audit.public_keys, *((own.public,) if own else ()), *more))


def public_keys_from(given: Sequence[str]) -> list[str]:
    """Read public keys that a person names: files in PEM, or `ed25519:BASE64` itself.

    Raises:
        InvalidInput: one is neither.
    """
    return [_public_key(one) for one in given]


def _public_key(given: str) -> str:
    if given.startswith("ed25519:"):
        return public_of(given, "--public-key")
    try:
        with Path(given).open("rb") as file:
            return public_of(file.read(_MAX_KEY).decode("utf-8", "replace"), given)
    except OSError as error:
        raise InvalidInput(f"the public key {given} cannot be read: {error.strerror}") from error


def anchor_bucket(settings: Settings) -> LockedBucket | None:
    """Give the bucket of copies; None when the settings name none.

    Raises:
        Misconfigured: a credential is named and not there.
    """
    given = settings.audit.anchor
    if given is None:
        return None
    credentials = Credentials(settings.credentials)
    access = credentials.resolve(given.access_key, "audit.anchor.access_key") if given.access_key else None
    secret = credentials.resolve(given.secret_key, "audit.anchor.secret_key") if given.secret_key else None
    return LockedBucket(BucketConfig(given.bucket, given.region, given.endpoint, access, secret, given.mode))


async def last_anchor(settings: Settings, keys: TrustedKeys) -> Anchor | None:
    """Give the last head that was copied to the bucket; None when there is no bucket, or nothing in it.

    Raises:
        InvalidInput: what is there was not signed with a trusted key.
        HalonError: the bucket does not let us, or does not answer.
    """
    bucket = anchor_bucket(settings)
    if bucket is None or settings.audit.anchor is None:
        return None
    found = await bucket.last(settings.audit.anchor.prefix)
    return read_anchor(found[1], found[0], keys) if found else None


def read_anchor(data: bytes, name: str, keys: TrustedKeys) -> Anchor:
    """Read a copy of a head.

    Raises:
        InvalidInput: it is none, or no trusted key signed it.
    """
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    fields = [value.get(part) for part in ("statement", "key", "signature")] if is_object(value) else []
    if not fields or not all(isinstance(one, str) for one in fields):
        raise InvalidInput(f"{name} is no copy of a head of the audit chain")
    statement, key, signature = (str(one) for one in fields)
    if objection := keys.objection(statement.encode(), key, signature):
        raise InvalidInput(f"{name} does not count: {objection}")
    head = Head.read(statement)
    return Anchor(head.n, head.chain, f"the anchor {name}")
