"""Errors stand in Temporal's histories without what looks like a secret, and encrypted when payloads are."""

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError, FailureError

from halon.clients.codec import Keyring, new_key, read_key
from halon.clients.temporal import TemporalConfig

KEYRING = Keyring("k1", {"k1": read_key(new_key(), "k1")})
SECRETS = ("hunter2-planted", "ghp_plantedplantedplanted01", "planted-in-the-cause")


def refused() -> None:
    raise ValueError("refused: Authorization: Bearer planted-in-the-cause")


def failed() -> None:
    try:
        refused()
    except ValueError as cause:
        raise ApplicationError("password=hunter2-planted and ghp_plantedplantedplanted01", type="failed") from cause


def broken() -> Exception:
    """An error with a secret in its message, and in what led to it."""
    with pytest.raises(ApplicationError) as caught:
        failed()
    return caught.value


async def failure_of(config: TemporalConfig) -> Failure:
    failure = Failure()
    await config.data_converter.encode_failure(broken(), failure)
    return failure


def config(keyring: Keyring | None) -> TemporalConfig:
    return TemporalConfig("127.0.0.1:1", "default", keyring=keyring)


@pytest.mark.parametrize("keyring", [None, KEYRING], ids=["clear", "encrypted"])
async def test_no_secret_is_in_the_failure_or_in_what_led_to_it(keyring: Keyring | None) -> None:
    failure = await failure_of(config(keyring))
    assert failure.HasField("cause")
    assert [one for one in SECRETS if one.encode() in failure.SerializeToString()] == []
    read = await config(keyring).data_converter.decode_failure(failure)
    assert isinstance(read, FailureError)
    assert "[redacted]" in str(read)
    assert "[redacted]" in str(read.__cause__)


async def test_encrypted_neither_message_nor_trace_is_in_clear_and_both_come_back() -> None:
    failure = await failure_of(config(KEYRING))
    causes: list[Failure] = [failure, failure.cause]
    assert {one.message for one in causes} == {"Encoded failure"}
    assert {one.stack_trace for one in causes} == {""}
    assert b"test_failures.py" not in failure.SerializeToString()
    await config(KEYRING).codec.decode_failure(failure)  # type: ignore[union-attr]  # there is one
    read = await config(KEYRING).data_converter.decode_failure(failure)
    assert "password=[redacted]" in str(read)


async def test_the_kind_of_a_failure_stays_readable() -> None:
    failure = await failure_of(config(KEYRING))
    assert failure.application_failure_info.type == "failed"
