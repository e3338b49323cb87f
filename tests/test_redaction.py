"""What looks like a secret is masked, what does not stays readable, and nothing grows without bound."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halon.contracts.base import canonical
from halon.redaction import MASK, bounded, redact, redact_text

LIMIT = 4000
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
SECRETS = [
    ("Authorization: Bearer abcdefghijklmnop", "abcdefghijklmnop"),
    ("authorization=Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA=="),
    ("see postgresql://halon:hunter22@db/halon", "hunter22"),
    (f"token was {JWT}.", JWT),
    ("password=correct-horse", "correct-horse"),
    ("DB_PASSWORD: correct-horse", "correct-horse"),
    ('{"api_key": "0123456789abcdef"}', "0123456789abcdef"),
    ("curl --token s3cr3tvalue https://example.com", "s3cr3tvalue"),
    ("https://example.com/hook?api_key=0123456789&x=1", "0123456789"),
    ("https://hooks.slack.com/services/T00/B00/abcdefg", "abcdefg"),
    ("ghp_0123456789012345678901234567890123456", "ghp_0123456789"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEow cut off", "MIIEow"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_secrets_in_text_are_masked(text: str, secret: str) -> None:
    masked = redact_text(text, LIMIT)
    assert secret not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "text",
    [
        "Roll back Deployment shop/cart to revision 41 (image registry.example.com/cart:1.8)",
        "the token of the service account is not allowed to list pods",
        "https://prometheus.example.com/graph?g0.expr=up&g0.tab=1",
        "Secret cart-tls in namespace shop: type kubernetes.io/tls",
        "ana@example.com approved plan 0a1b2c3d",
        "image: cart@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert redact_text(text, LIMIT) == text


@pytest.mark.parametrize("text", [text for text, _ in SECRETS])
def test_masking_again_changes_nothing(text: str) -> None:
    once = redact_text(text, LIMIT)
    assert redact_text(once, LIMIT) == once


def test_a_secret_that_the_cut_goes_through_is_masked_too() -> None:
    text = "x" * 90 + " password=correct-horse-battery-staple"
    assert "correct" not in redact_text(text, 105)


def test_values_under_keys_that_name_secrets_are_masked_whatever_they_look_like() -> None:
    given: dict[str, Any] = {
        "password": "plain",
        "apiKey": 12345,
        "tokens": ["a", "b"],
        "credentials": {"user": "ana", "nested": [{"x": "y"}]},
        "secretName": "cart-tls",
        "access_key_id": "AKIA0123",
        "token_ttl": 60,
        "automountServiceAccountToken": True,
        "replicas": 3,
        "secret": None,
    }
    assert redact(given, LIMIT) == {
        "password": MASK,
        "apiKey": MASK,
        "tokens": [MASK, MASK],
        "credentials": {"user": MASK, "nested": [{"x": MASK}]},
        "secretName": "cart-tls",
        "access_key_id": "AKIA0123",
        "token_ttl": 60,
        "automountServiceAccountToken": True,
        "replicas": 3,
        "secret": None,
    }


def test_nesting_without_end_is_cut() -> None:
    deep: Any = "end"
    for _ in range(5000):
        deep = [deep]
    assert "nested too deep" in json.dumps(redact(deep, LIMIT))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
    max_leaves=20,
)


@given(anything)
def test_whatever_comes_out_is_canonical_json_and_stays_what_it_is(value: Any) -> None:
    once = redact(value, LIMIT)
    canonical(once)  # type: ignore[arg-type]  # the same type under another name
    assert redact(once, LIMIT) == once


bodies = st.dictionaries(st.text(max_size=50), st.lists(st.text(max_size=500), max_size=50), max_size=50)


@given(bodies, st.integers(300, 5000))
def test_what_is_too_large_is_cut_to_size_always_the_same_way(value: dict[str, Any], limit: int) -> None:
    cut = bounded(value, limit)
    assert len(json.dumps(cut, ensure_ascii=False, separators=(",", ":")).encode()) <= limit
    assert bounded(cut, limit) == cut
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) <= limit:
        assert cut == value


def test_a_huge_text_takes_no_time() -> None:
    assert len(redact_text("password=" * 2_000_000, 1000)) < 1100
