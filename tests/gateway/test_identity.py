"""Who asks: tokens of people, of an identity provider, and of whoever runs the installation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from halon.clients.oncall import directory_of
from halon.clients.tokens import PREFIX, hash_of, new_token, operator_token, operator_token_file
from halon.contracts.people import Method, Principal
from halon.errors import InvalidInput, Misconfigured
from halon.gateway.identity import Identity, operator_of, principal_of
from halon.gateway.problems import Refusal
from halon.settings import Settings
from halon.settings.loading import parse_settings

TOKEN = new_token()
PEOPLE = f"""
people:
  ana: {{email: ana@example.com, aliases: [u-17], tokens: ["{hash_of(TOKEN)}", "{hash_of(new_token())}"]}}
  ben: {{tokens: ["{hash_of(new_token())}"]}}
groups: {{sre: {{members: [ana]}}, lead: {{}}}}
"""
OIDC = "auth: {oidc: {issuer: 'https://login.example.com', audience: [halon]}}\n"


def settings(text: str, directory: Path) -> Settings:
    return parse_settings(f"data_dir: data\n{text}", directory / "halon.yaml")


def asking(*authorization: str) -> Request:
    headers = [(b"authorization", one.encode("latin-1")) for one in authorization]
    return Request({"type": "http", "headers": headers})


async def refused(identity: Identity, *authorization: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await identity.of(asking(*authorization))
    return caught.value


async def test_a_persons_own_token_names_them(tmp_path: Path) -> None:
    identity = Identity(settings(PEOPLE, tmp_path), None)
    for header in (f"Bearer {TOKEN}", f"bearer  {TOKEN} "):
        assert await identity.of(asking(header)) == Principal(person="ana", method=Method.TOKEN)


async def test_what_proves_nothing_is_refused_with_a_challenge(tmp_path: Path) -> None:
    identity = Identity(settings(PEOPLE, tmp_path), None)
    for given in ((), ("",), ("Bearer",), (f"Basic {TOKEN}",), (TOKEN,), (f"Bearer {TOKEN}", f"Bearer {TOKEN}")):
        refusal = await refused(identity, *given)
        assert (refusal.status, refusal.headers["WWW-Authenticate"]) == (401, 'Bearer realm="halon"')
    for wrong in (TOKEN[:-1], TOKEN + "x", new_token(), hash_of(TOKEN), PREFIX, PREFIX + "ü", "a.b.c"):
        refusal = await refused(identity, f"Bearer {wrong}")
        assert refusal.status == 401
        assert wrong not in refusal.detail


def test_a_token_is_one_persons(tmp_path: Path) -> None:
    shared = f"people: {{ana: {{tokens: ['{hash_of(TOKEN)}']}}, ben: {{tokens: ['{hash_of(TOKEN)}']}}}}"
    with pytest.raises(InvalidInput) as caught:
        settings(shared, tmp_path)
    assert "`people.ben` and `people.ana` share a token" in caught.value.problems[0]


async def test_whoever_runs_an_installation_without_people_has_a_token_of_their_own(tmp_path: Path) -> None:
    given = settings("", tmp_path)
    token = operator_of(given)
    assert token == operator_of(given)
    assert token
    file = operator_token_file(given.data_dir)
    assert file.stat().st_mode & 0o777 == 0o600
    principal = await Identity(given, token).of(asking(f"Bearer {token}"))
    assert principal.method is Method.OPERATOR
    assert (await refused(Identity(given, token), f"Bearer {new_token()}")).status == 401


@pytest.mark.parametrize("text", [PEOPLE, OIDC])
async def test_the_operators_token_counts_no_more_once_somebody_is_named(tmp_path: Path, text: str) -> None:
    token = operator_token(tmp_path / "data")
    given = settings(text, tmp_path)
    assert operator_of(given) is None
    assert (await refused(Identity(given, operator_of(given)), f"Bearer {token}")).status == 401


def test_an_operators_token_that_others_can_read_counts_for_nothing(tmp_path: Path) -> None:
    operator_token(tmp_path)
    operator_token_file(tmp_path).chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        operator_token(tmp_path)


def test_a_gateway_that_cannot_keep_a_token_takes_alerts_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the directory should be")
    assert operator_of(settings("", tmp_path)) is None


@pytest.mark.parametrize(
    ("claims", "person", "groups"),
    [
        ({"email": "Ana@example.com", "email_verified": True}, "ana", ()),
        ({"email": "ana@example.com", "email_verified": False}, "sub-1", ()),
        ({"email": "ana@example.com"}, "sub-1", ()),
        ({"email": "ana@example.com", "email_verified": "true"}, "sub-1", ()),
        ({"sub": "u-17"}, "ana", ()),
        ({"email": "eve@example.com", "email_verified": True}, "eve@example.com", ()),
        ({"groups": ["sre", "lead", "unknown", 7, "sre"]}, "sub-1", ("lead", "sre")),
        ({"groups": "sre"}, "sub-1", ("sre",)),
        ({"groups": {"sre": True}}, "sub-1", ()),
    ],
    ids=str,
)
def test_the_claims_of_a_token_name_a_person_and_groups(
    tmp_path: Path, claims: Mapping[str, Any], person: str, groups: tuple[str, ...]
) -> None:
    given = settings(PEOPLE + OIDC, tmp_path)
    assert given.auth.oidc
    found = principal_of({"sub": "sub-1", **claims}, given.auth.oidc, directory_of(given))
    assert found == Principal(person=person, method=Method.OIDC, groups=groups)


def test_groups_of_the_provider_go_by_the_names_that_halon_yaml_gives_them(tmp_path: Path) -> None:
    text = OIDC.replace("audience: [halon]", "audience: [halon], groups: {/oncall: sre}")
    given = settings(PEOPLE + text, tmp_path)
    assert given.auth.oidc
    found = principal_of({"sub": "x", "groups": ["/oncall", "lead"]}, given.auth.oidc, directory_of(given))
    assert found.groups == ("sre",)
    with pytest.raises(InvalidInput) as caught:
        settings(text, tmp_path)
    assert "`auth.oidc.groups` names sre, which is not under `groups`" in caught.value.problems[0]


@pytest.mark.parametrize("subject", ["", "x" * 321, "a\nb", 7, None])
def test_a_token_that_names_nobody_is_refused(tmp_path: Path, subject: object) -> None:
    given = settings(PEOPLE + OIDC, tmp_path)
    assert given.auth.oidc
    with pytest.raises(InvalidInput, match="names nobody"):
        principal_of({"sub": subject}, given.auth.oidc, directory_of(given))
