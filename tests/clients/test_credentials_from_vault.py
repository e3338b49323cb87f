"""Secrets from Vault: logged in when needed, held for a bounded time, and every refusal told without a value."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from vault_double import VaultDouble

from halon.clients.credentials import RETRY_AFTER, Credentials
from halon.errors import Misconfigured, TransientError
from halon.settings import CredentialSettings, SecretRef

REF = SecretRef(vault={"path": "halon/prometheus", "key": "token"})
SETTING = "prometheus.auth"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def vault() -> AsyncIterator[VaultDouble]:
    double = VaultDouble(secrets={"secret/halon/prometheus": {"token": "planted-value", "number": 3}})
    runner = await double.start()
    yield double
    await runner.cleanup()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def credentials(vault: VaultDouble, clock: Clock, auth: Any, **more: Any) -> Credentials:
    given = {"vault": {"address": vault.address, "auth": auth, **more}, "refresh": timedelta(minutes=5)}
    return Credentials(CredentialSettings.model_validate(given), clock)


@pytest.fixture
def token(tmp_path: Path, vault: VaultDouble) -> Any:
    (tmp_path / "vault-token").write_text("hvs.static\n")
    vault.tokens.add("hvs.static")
    return {"token": {"file": tmp_path / "vault-token"}}


async def read(credentials: Credentials, ref: SecretRef = REF) -> str:
    return (await asyncio.to_thread(credentials.resolve, ref, SETTING)).get_secret_value()


async def test_a_token_reads_a_field_of_a_secret_in_its_namespace(vault: VaultDouble, clock: Clock, token: Any) -> None:
    assert await read(credentials(vault, clock, token, namespace="team/a")) == "planted-value"
    assert vault.namespaces == {"team/a"}


async def test_what_was_read_serves_for_its_time_and_is_then_read_again(
    vault: VaultDouble, clock: Clock, token: Any
) -> None:
    ours = credentials(vault, clock, token)
    assert [await read(ours), await read(ours), vault.reads] == ["planted-value", "planted-value", 1]
    vault.secrets["secret/halon/prometheus"]["token"] = "rotated"
    assert await read(ours) == "planted-value"
    clock.now += 301
    assert await read(ours) == "rotated"


async def test_what_was_refused_where_it_was_used_is_read_anew(vault: VaultDouble, clock: Clock, token: Any) -> None:
    credential = credentials(vault, clock, token).named(REF, SETTING)
    await asyncio.to_thread(credential)
    vault.secrets["secret/halon/prometheus"]["token"] = "rotated"
    credential.refused()
    assert (await asyncio.to_thread(credential)).get_secret_value() == "rotated"


@pytest.mark.parametrize("kind", ["approle", "kubernetes"])
async def test_a_token_that_has_ended_is_replaced_by_a_new_login(
    vault: VaultDouble, clock: Clock, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "role").write_text("the-role")
    (tmp_path / "secret").write_text("the-secret-id")
    (tmp_path / "jwt").write_text("the-jwt")
    auth: dict[str, Any] = {
        "approle": {"role_id": {"file": tmp_path / "role"}, "secret_id": {"file": tmp_path / "secret"}},
        "kubernetes": {"role": "halon", "token": tmp_path / "jwt"},
    }
    ours = credentials(vault, clock, {kind: auth[kind]})
    assert (await read(ours), vault.logins) == ("planted-value", 1)
    vault.tokens.clear()
    clock.now += 301
    assert (await read(ours), vault.logins) == ("planted-value", 2)


async def test_a_token_that_was_replaced_in_its_file_is_read_again(
    vault: VaultDouble, clock: Clock, token: Any
) -> None:
    ours = credentials(vault, clock, token)
    await read(ours)
    vault.tokens = {"hvs.second"}
    token["token"]["file"].write_text("hvs.second")
    clock.now += 301
    assert await read(ours) == "planted-value"


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ({"path": "halon/none"}, "secret/halon/none, field value, which is not there"),
        ({"path": "halon/prometheus", "key": "tokn"}, "has no such field; it has number, token"),
        ({"path": "halon/prometheus", "key": "number"}, "something else than text"),
    ],
)
async def test_what_vault_has_not_got_is_told(
    vault: VaultDouble, clock: Clock, token: Any, ref: Any, said: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        await read(credentials(vault, clock, token), SecretRef(vault=ref))
    assert f"`{SETTING}` names Vault's secret/{ref['path']}" in str(caught.value)
    assert said in str(caught.value)
    assert "planted-value" not in str(caught.value)


async def test_a_refusal_is_told_and_never_with_the_token(vault: VaultDouble, clock: Clock, token: Any) -> None:
    vault.tokens.clear()
    with pytest.raises(Misconfigured, match="Vault does not let Halon read: permission denied") as caught:
        await read(credentials(vault, clock, token))
    assert "hvs.static" not in str(caught.value)


async def test_a_wrong_secret_id_is_told(vault: VaultDouble, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "id").write_text("wrong-id")
    ref = {"file": tmp_path / "id"}
    with pytest.raises(Misconfigured, match="invalid role or secret ID") as caught:
        await read(credentials(vault, clock, {"approle": {"role_id": ref, "secret_id": ref}}))
    assert "wrong-id" not in str(caught.value)


async def test_what_is_no_vault_is_told(vault: VaultDouble, clock: Clock, token: Any) -> None:
    vault.broken = True
    with pytest.raises(Misconfigured, match="is no Vault with KV version 2"):
        await read(credentials(vault, clock, token))


async def test_a_sealed_vault_is_asked_again_later_and_not_by_everybody(
    vault: VaultDouble, clock: Clock, token: Any
) -> None:
    vault.sealed = True
    ours = credentials(vault, clock, token)
    for _ in range(3):
        with pytest.raises(TransientError, match="is sealed"):
            await read(ours)
    assert vault.reads == 1
    vault.sealed = False
    clock.now += RETRY_AFTER
    assert await read(ours) == "planted-value"


async def test_what_was_read_serves_on_for_a_while_when_vault_is_away_and_not_when_it_is_gone(
    vault: VaultDouble, clock: Clock, token: Any
) -> None:
    ours = credentials(vault, clock, token)
    await read(ours)
    vault.sealed = True
    clock.now += 1800
    assert await read(ours) == "planted-value"
    clock.now += 1801
    with pytest.raises(TransientError, match="is sealed"):
        await read(ours)
    vault.sealed = False
    del vault.secrets["secret/halon/prometheus"]
    clock.now += RETRY_AFTER
    with pytest.raises(Misconfigured, match="which is not there"):
        await read(ours)


async def test_the_next_source_is_taken_when_vault_is_away(
    vault: VaultDouble, clock: Clock, token: Any, tmp_path: Path
) -> None:
    vault.sealed = True
    (tmp_path / "spare").write_text("from the file")
    both = SecretRef.model_validate([{"vault": REF.sources[0].vault}, {"file": tmp_path / "spare"}])
    assert await read(credentials(vault, clock, token), both) == "from the file"


async def test_when_no_source_has_it_each_is_named_with_its_reason(
    vault: VaultDouble, clock: Clock, token: Any, tmp_path: Path
) -> None:
    vault.tokens.clear()
    both = SecretRef.model_validate([{"vault": REF.sources[0].vault}, {"file": tmp_path / "none"}])
    with pytest.raises(Misconfigured) as caught:
        await read(credentials(vault, clock, token), both)
    said = str(caught.value)
    assert f"`{SETTING}` names 2 sources, and none gives the secret" in said
    assert "Vault's secret/halon/prometheus, field token, which Vault does not let Halon read" in said
    assert f"the file {tmp_path / 'none'}, which cannot be read: No such file" in said


async def test_without_a_vault_in_the_settings_it_is_said() -> None:
    with pytest.raises(Misconfigured, match=r"halon\.yaml says nothing under `credentials\.vault`"):
        await read(Credentials(CredentialSettings()))


async def test_a_vault_that_nobody_serves_is_transient(clock: Clock, token: Any, unused_tcp_port: int) -> None:
    away = VaultDouble(address=f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(TransientError, match="does not answer"):
        await read(credentials(away, clock, token))
