"""Payloads are encrypted for one namespace with a key that they name; old keys go on decrypting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from halon.clients.codec import ENCODING, KEY_ID, EncryptionCodec, Keyring, new_key, read_key
from halon.errors import InvalidInput, Misconfigured

OLD, NEW = (read_key(new_key(), "x") for _ in range(2))
CLEAR = Payload(metadata={"encoding": b"json/plain"}, data=b'{"planted": "hunter2-clear"}')


def codec(current: str = "k1", namespace: str = "prod", **keys: bytes) -> EncryptionCodec:
    return EncryptionCodec(Keyring(current, keys or {"k1": OLD}), namespace)


async def test_what_is_encrypted_shows_nothing_but_the_id_of_its_key() -> None:
    (sealed,) = await codec().encode([CLEAR])
    assert dict(sealed.metadata) == {"encoding": ENCODING, KEY_ID: b"k1"}
    assert b"hunter2" not in sealed.SerializeToString()
    assert b"json" not in sealed.SerializeToString()
    assert await codec().decode([sealed]) == [CLEAR]


async def test_the_same_payload_never_looks_the_same_twice() -> None:
    one, two = await codec().encode([CLEAR, CLEAR])
    assert one.data != two.data


async def test_after_a_rotation_the_new_key_encrypts_and_the_old_one_still_decrypts() -> None:
    (old,) = await codec().encode([CLEAR])
    rotated = codec("k2", k1=OLD, k2=NEW)
    (new,) = await rotated.encode([CLEAR])
    assert new.metadata[KEY_ID] == b"k2"
    assert await rotated.decode([old, new]) == [CLEAR, CLEAR]


async def test_a_key_that_is_not_there_is_named() -> None:
    (sealed,) = await codec("k9", k9=NEW).encode([CLEAR])
    with pytest.raises(Misconfigured, match=r"key 'k9', and `temporal\.encryption\.keys` names only k1"):
        await codec().decode([sealed])


@pytest.mark.parametrize("change", ["namespace", "key", "byte", "cut", "id"])
async def test_what_was_moved_or_changed_does_not_decrypt(change: str) -> None:
    (sealed,) = await codec().encode([CLEAR])
    reader = codec()
    if change == "namespace":
        reader = codec(namespace="test")
    elif change == "key":
        reader = codec(k1=NEW)
    elif change == "byte":
        sealed.data = sealed.data[:-1] + bytes([sealed.data[-1] ^ 1])
    elif change == "cut":
        sealed.data = sealed.data[:5]
    else:
        reader = codec("k2", k1=OLD, k2=OLD)
        sealed.metadata[KEY_ID] = b"k2"
    with pytest.raises(InvalidInput, match="does not decrypt"):
        await reader.decode([sealed])


async def test_what_is_not_encrypted_is_read_as_it_is() -> None:
    assert await codec().decode([CLEAR]) == [CLEAR]


async def test_what_is_encrypted_already_is_not_encrypted_again() -> None:
    sealed = await codec().encode([CLEAR])
    assert await codec().encode(sealed) == sealed


@given(st.binary(max_size=2000), st.dictionaries(st.text(max_size=20), st.binary(max_size=20), max_size=3))
async def test_whatever_is_encrypted_comes_back(data: bytes, metadata: dict[str, bytes]) -> None:
    payload = Payload(metadata=metadata, data=data)
    assert await codec().decode(await codec().encode([payload])) == [payload]


@pytest.mark.parametrize("text", ["", "short", "c2hvcnQ=", "x" * 44, "A" * 40])
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"`temporal\.encryption\.keys\.k1` must hold 32 bytes") as caught:
        read_key(text, "temporal.encryption.keys.k1")
    assert not text or text not in str(caught.value)
