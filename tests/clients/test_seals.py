"""A seal proves who decides: it is of a known key, says what that key may say, and holds for a while."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from halon.clients.seals import TYPE, Sealer, Seals, key_id, read_private_key, sealer, seals
from halon.contracts.decision import Seal, Verdict
from halon.contracts.people import Method, Person
from halon.errors import InvalidInput, Misconfigured
from halon.settings import Settings

NOW = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)


def said(**changed: object) -> Seal:
    return Seal(
        run="crashloop-3f9a1c07de-5b0c99e1-run",
        verdict=Verdict.APPROVE,
        by="ana",
        method=Method.OIDC,
        groups=("sre",),
        step="rollback",
        plan="a" * 64,
        id="0123456789abcdef",
        expires_at=NOW + timedelta(minutes=5),
    ).model_copy(update=changed)


def test_what_a_gateway_sealed_is_read_as_it_was() -> None:
    gateway = Sealer(Ed25519PrivateKey.generate())
    assert Seals([gateway.public], {}).read(gateway.seal(said()), NOW) == said()


def test_a_seal_of_a_key_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidInput, match="nobody here knows"):
        Seals([], {}).read(Sealer(Ed25519PrivateKey.generate()).seal(said()), NOW)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "é" * 50])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput, match="seal"):
        Seals([], {}).read(token, NOW)


def test_a_seal_that_was_changed_is_refused() -> None:
    gateway, other = Sealer(Ed25519PrivateKey.generate()), Sealer(Ed25519PrivateKey.generate())
    header, _, signature = gateway.seal(said()).split(".")
    _, payload, _ = other.seal(said(by="eve")).split(".")
    with pytest.raises(InvalidInput, match="forged"):
        Seals([gateway.public], {}).read(f"{header}.{payload}.{signature}", NOW)


def test_a_token_that_names_a_weaker_algorithm_is_refused() -> None:
    gateway = Sealer(Ed25519PrivateKey.generate())
    headers = {"kid": key_id(gateway.public), "typ": TYPE}
    forged = jwt.encode(said().model_dump(mode="json"), gateway.public + "=" * 32, algorithm="HS256", headers=headers)
    with pytest.raises(InvalidInput, match="forged"):
        Seals([gateway.public], {}).read(forged, NOW)


def test_another_token_of_the_same_key_is_no_seal() -> None:
    key = Ed25519PrivateKey.generate()
    gateway = Sealer(key)
    headers = {"kid": key_id(gateway.public), "typ": "at+jwt"}
    other = jwt.encode(said().model_dump(mode="json"), key, algorithm="EdDSA", headers=headers)
    with pytest.raises(InvalidInput, match="something else"):
        Seals([gateway.public], {}).read(other, NOW)


def test_a_seal_holds_for_a_while() -> None:
    gateway = Sealer(Ed25519PrivateKey.generate())
    with pytest.raises(InvalidInput, match="expired"):
        Seals([gateway.public], {}).read(gateway.seal(said()), NOW + timedelta(minutes=5))


def test_a_persons_key_speaks_for_that_person_alone() -> None:
    own = Sealer(Ed25519PrivateKey.generate())
    known = Seals([], {"ana": Person(keys=(own.public,)), "ben": Person()})
    mine = said(method=Method.KEY, groups=())
    assert known.read(own.seal(mine), NOW).by == "ana"
    for wrong in (mine.model_copy(update={"by": "ben"}), said(groups=()), said(method=Method.KEY)):
        with pytest.raises(InvalidInput, match="key of ana"):
            known.read(own.seal(wrong), NOW)


def test_processes_of_one_data_directory_share_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    token = sealer(settings).seal(said())
    assert seals(settings).read(token, NOW).by == "ana"
    assert sealer(settings).public == sealer(settings).public
    (file,) = (tmp_path / "keys").iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_a_key_that_is_none_is_told_with_its_place() -> None:
    with pytest.raises(Misconfigured, match=r"approvals\.signing_key"):
        read_private_key(b"secret words", "approvals.signing_key")
