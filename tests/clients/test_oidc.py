"""Tokens of an identity provider: which ones count, and how its keys are kept."""

import base64
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from pydantic import ValidationError

sys.path.insert(0, str(Path(__file__).parent))

from issuer import Issuer, issuing

from halon.clients.oidc import AGAIN, FRESH, KEPT, MAX_TOKEN, Provider
from halon.errors import InvalidInput, TransientError
from halon.settings.auth import OidcSettings


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as one:
        yield one


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in (header, claims))
    return ".".join((*parts, ""))


async def test_a_token_of_the_provider_tells_its_claims(issuer: Issuer) -> None:
    provider = Provider(issuer.settings())
    assert (await provider.claims(issuer.token(email="ana@example.com")))["email"] == "ana@example.com"
    assert (await provider.claims(issuer.token(aud=["other", "halon"])))["sub"] == "u-1"
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": 1_700_000_000, "iat": 1_600_000_000}, "expired"),
        ({"exp": None}, "lacks a claim"),
        ({"sub": None}, "lacks a claim"),
        ({"iat": None}, "lacks a claim"),
        ({"aud": None}, "lacks a claim"),
        ({"aud": "another"}, "for somebody else"),
        ({"iss": "https://login.example.com"}, "forged"),
        ({"nbf": 32_503_680_000}, "not in force yet"),
        ({"header": {"typ": "halon-decision+jwt"}}, "something else"),
        ({"header": {"typ": "logout+jwt"}}, "something else"),
        ({"header": {"kid": "unknown"}}, "a key that the provider does not have"),
        ({"algorithm": "RS512"}, "auth.oidc.algorithms"),
    ],
    ids=str,
)
async def test_a_token_that_does_not_hold_is_refused(issuer: Issuer, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        await Provider(issuer.settings()).claims(issuer.token(**changes))


async def test_a_token_without_a_signature_is_refused(issuer: Issuer) -> None:
    forged = unsigned(issuer.claims(), {"alg": "none", "typ": "JWT", "kid": "first"})
    with pytest.raises(InvalidInput, match=r"auth\.oidc\.algorithms"):
        await Provider(issuer.settings()).claims(forged)


async def test_a_token_that_takes_the_public_key_for_a_shared_secret_is_refused(issuer: Issuer) -> None:
    # PyJWT itself refuses to make such a token, so it is made by hand.
    head = {"alg": "HS256", "typ": "JWT", "kid": "first"}
    body = unsigned(issuer.claims(), head).rstrip(".")
    signature = jwt.get_algorithm_by_name("HS256").sign(body.encode(), issuer.public_pem())
    forged = f"{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
    with pytest.raises(InvalidInput, match=r"auth\.oidc\.algorithms"):
        await Provider(issuer.settings()).claims(forged)
    with pytest.raises(ValidationError):
        issuer.settings(algorithms=["HS256"])


async def test_a_key_for_encryption_or_of_another_kind_checks_no_signature(issuer: Issuer) -> None:
    secret = base64.urlsafe_b64encode(b"s" * 32).decode().rstrip("=")
    issuer.extra_keys = [
        {"kty": "oct", "k": secret, "kid": "shared"},
        issuer.jwks()["keys"][0] | {"use": "enc", "kid": "enc"},
    ]
    provider = Provider(issuer.settings())
    for kid in ("shared", "enc"):
        with pytest.raises(InvalidInput, match="a key that the provider does not have"):
            await provider.claims(issuer.token({"kid": kid}))


async def test_somebody_elses_key_under_the_same_name_is_refused(issuer: Issuer) -> None:
    async with issuing("another") as other:
        forged = jwt.encode(issuer.claims(), next(iter(other.keys.values())), "RS256", {"kid": "first"})
    with pytest.raises(InvalidInput, match="forged"):
        await Provider(issuer.settings()).claims(forged)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "e30.e30.e30", "x" * (MAX_TOKEN + 1)])
async def test_what_is_no_token_is_refused_without_asking_anybody(issuer: Issuer, text: str) -> None:
    with pytest.raises(InvalidInput):
        await Provider(issuer.settings()).claims(text)
    assert issuer.asked == []


async def test_a_new_key_is_looked_for_once_and_an_old_one_counts_no_more(issuer: Issuer) -> None:
    clock = Clock()
    provider = Provider(issuer.settings(algorithms=["RS256", "ES256"]), clock)
    old = issuer.token()
    await provider.claims(old)
    issuer.rotate("second", "ec")
    clock.now += AGAIN.total_seconds()
    assert (await provider.claims(issuer.token(algorithm="ES256")))["sub"] == "u-1"
    with pytest.raises(InvalidInput):
        await provider.claims(old)


async def test_tokens_with_made_up_keys_do_not_make_it_ask_again_and_again(issuer: Issuer) -> None:
    clock = Clock()
    provider = Provider(issuer.settings(), clock)
    for number in range(50):
        with pytest.raises(InvalidInput):
            await provider.claims(issuer.token({"kid": f"made-up-{number}"}))
    assert issuer.asked.count("/keys") == 1
    clock.now += AGAIN.total_seconds()
    for number in range(50):
        with pytest.raises(InvalidInput):
            await provider.claims(issuer.token({"kid": f"made-up-{number}"}))
    assert issuer.asked.count("/keys") == 2


async def test_a_provider_that_is_down_is_told_apart_from_a_bad_token(issuer: Issuer) -> None:
    issuer.down = True
    with pytest.raises(TransientError, match="the identity provider cannot be asked") as caught:
        await Provider(issuer.settings()).claims(issuer.token())
    assert caught.value.retry_after


async def test_known_keys_are_used_for_a_while_when_the_provider_is_down(issuer: Issuer) -> None:
    clock = Clock()
    provider = Provider(issuer.settings(), clock)
    await provider.claims(issuer.token())
    issuer.down = True
    clock.now += FRESH.total_seconds() + 1
    assert (await provider.claims(issuer.token()))["sub"] == "u-1"
    clock.now += KEPT.total_seconds()
    with pytest.raises(TransientError):
        await provider.claims(issuer.token())
    issuer.down = False
    clock.now += AGAIN.total_seconds()
    assert (await provider.claims(issuer.token()))["sub"] == "u-1"


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"issuer": "https://login.example.com"}, "must be exact"),
        ({"jwks_uri": "http://192.0.2.1/keys"}, "no address with TLS"),
        ({"jwks_uri": "file:///etc/passwd"}, "no address with TLS"),
        ({"jwks_uri": None}, "no address with TLS"),
    ],
)
async def test_metadata_that_leads_elsewhere_is_not_followed(
    issuer: Issuer, metadata: dict[str, Any], reason: str
) -> None:
    issuer.metadata = metadata
    with pytest.raises(TransientError, match=reason):
        await Provider(issuer.settings()).claims(issuer.token())


async def test_an_answer_without_end_is_not_read_to_its_end(issuer: Issuer) -> None:
    issuer.metadata = {"padding": "x" * 300_000}
    with pytest.raises(TransientError, match="more than"):
        await Provider(issuer.settings()).claims(issuer.token())


def test_a_provider_without_tls_must_be_on_this_machine_or_be_allowed_by_name() -> None:
    given = {"issuer": "http://login.example.com", "audience": ["halon"]}
    with pytest.raises(ValidationError, match="https"):
        OidcSettings.model_validate(given)
    assert OidcSettings.model_validate(given | {"plain_http": True}).plain_http
