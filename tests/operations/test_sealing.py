"""What somebody decides is sealed in their name, whole, whatever they wrote with it."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from halon.clients.seals import Sealer, Seals
from halon.contracts.decision import MAX_SEAL, Verdict
from halon.contracts.people import Method, Principal
from halon.contracts.run import Decide
from halon.errors import InvalidInput
from halon.operations.sealing import HOLDS_FOR, sealed

NOW = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
ANA = Principal(person="ana", method=Method.OIDC, groups=("sre",))
GIVEN = Decide(verdict=Verdict.APPROVE, by="somebody else", comment="go", plan="a" * 64, step="rollback")


def test_the_seal_is_in_the_name_of_whoever_was_proven() -> None:
    gateway = Sealer(Ed25519PrivateKey.generate())
    decision = sealed(gateway, ANA, "run-1", GIVEN, NOW)
    said = Seals([gateway.public], {}).read(decision.seal, NOW)
    assert (decision.by, said.by, said.method, said.groups) == ("ana", "ana", Method.OIDC, ("sre",))
    assert (said.run, said.plan, said.step, said.comment) == ("run-1", "a" * 64, "rollback", "go")
    assert said.expires_at == NOW + HOLDS_FOR
    assert sealed(gateway, ANA, "run-1", GIVEN, NOW).seal != decision.seal


@pytest.mark.parametrize("letter", ["a", "ß", "火"])
def test_a_long_comment_is_sealed_whole(letter: str) -> None:
    gateway = Sealer(Ed25519PrivateKey.generate())
    given = GIVEN.model_copy(update={"comment": letter * 4096, "step": "s" * 512})
    decision = sealed(gateway, ANA, "run-1", given, NOW)
    assert len(decision.seal) <= MAX_SEAL
    assert Seals([gateway.public], {}).read(decision.seal, NOW).comment == letter * 4096


def test_a_comment_that_a_seal_cannot_hold_is_told_before_it_is_sent() -> None:
    given = GIVEN.model_copy(update={"comment": "\N{FIRE}" * 4096})
    with pytest.raises(InvalidInput, match="too long"):
        sealed(Sealer(Ed25519PrivateKey.generate()), ANA, "run-1", given, NOW)


@pytest.mark.parametrize("plan", ["", "a" * 12])
def test_a_seal_is_never_for_whatever_is_shown(plan: str) -> None:
    with pytest.raises(InvalidInput, match="the whole plan digest"):
        sealed(Sealer(Ed25519PrivateKey.generate()), ANA, "run-1", GIVEN.model_copy(update={"plan": plan}), NOW)
