"""People sign in to the console through their identity provider, and nobody else does in their name."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from console_stage import SETTINGS, Stage, served, telemetry_of_tests
from playwright.async_api import expect
from provider import CLIENT, SECRET, Provider, providing

from halon.clients.embedded import free_port
from halon.contracts.outcome import Outcome

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class World:
    stage: Stage
    provider: Provider

    async def leave(self, http: httpx.AsyncClient, to: str = "/console/guards") -> dict[str, str]:
        """Go to the provider; gives what it was asked."""
        answer = await http.get("/console/sign-in/provider", params={"to": to})
        assert answer.status_code == 303, answer.text
        where = urlsplit(answer.headers["location"])
        assert f"{where.scheme}://{where.netloc}{where.path}" == f"{self.provider.url}/authorize"
        async with httpx.AsyncClient() as browser:
            await browser.get(answer.headers["location"])
        return {name: values[0] for name, values in parse_qs(where.query).items()}

    def back(self, asked: dict[str, str], **changes: str) -> dict[str, str]:
        code = next(one for one, said in self.provider.asked.items() if said["state"] == asked["state"])
        return {"code": code, "state": asked["state"], "iss": self.provider.url} | changes


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    directory = tmp_path_factory.mktemp("console")
    (directory / "secret").write_text(SECRET)
    port = free_port()
    async with providing() as provider:
        oidc = f'{{issuer: "{provider.url}", audience: [api], client_id: "{CLIENT}", client_secret: {{file: secret}}}}'
        gateway = f'gateway: {{port: {port}, public_url: "http://127.0.0.1:{port}"}}'
        settings = SETTINGS.replace("gateway: {port: 0}", f"{gateway}\nauth: {{oidc: {oidc}}}")
        async with served(directory, telemetry_of_tests(), settings) as stage:
            yield World(stage, provider)


@pytest.fixture(autouse=True)
def truthful(world: World) -> None:
    world.provider.claims = {}


async def test_a_person_signs_in_through_the_provider_and_approves(world: World) -> None:
    fired = await world.stage.fire()
    page = await (await world.stage.browser.new_context(java_script_enabled=False)).new_page()
    await page.goto(f"{world.stage.base}{fired.path}")
    await page.get_by_role("link", name="Sign in with your organisation").click()
    await page.get_by_role("link", name="I am Ana").click()
    await expect(page.get_by_role("heading", name="Set the lamp to 1?")).to_be_visible()
    await page.get_by_role("button", name="Approve", exact=True).click()
    assert (await fired.handle.result()).outcome is Outcome.REMEDIATED
    (taken,) = [one for one in await world.stage.engine.store.audit.records(fired.incident) if one.actor == "ana"]
    assert taken.data["authenticated"] == "oidc"


async def test_the_provider_is_asked_with_state_nonce_and_a_challenge(world: World) -> None:
    async with world.stage.http() as http:
        asked = await world.leave(http)
        again = await world.leave(http)
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert set(asked["scope"].split()) == {"openid", "email", "profile"}
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[name]) >= 32
        assert asked[name] != again[name]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "x" * 32}, "belongs to another attempt"),
        ({"state": ""}, "belongs to another attempt"),
        ({"iss": "https://evil.example.com"}, "Another provider sent you back"),
        ({"error": "access_denied"}, "did not sign you in"),
        ({"code": ""}, "without a code"),
        ({"code": "guessed"}, "did not take the code"),
    ],
)
async def test_a_way_back_that_is_not_of_this_attempt_signs_nobody_in(
    world: World, changes: dict[str, str], said: str
) -> None:
    async with world.stage.http() as http:
        answer = await http.get("/oidc/callback", params=world.back(await world.leave(http), **changes))
        assert (answer.status_code, said in answer.text) == (401, True)
        assert (await http.get("/console/")).status_code == 303


async def test_a_way_back_that_somebody_else_began_signs_nobody_in(world: World) -> None:
    async with world.stage.http() as attacker, world.stage.http() as victim:
        back = world.back(await world.leave(attacker))
        await world.leave(victim)
        assert (await victim.get("/oidc/callback", params=back)).status_code == 401
        async with world.stage.http() as stranger:
            assert (await stranger.get("/oidc/callback", params=back)).status_code == 401


async def test_a_way_back_works_once(world: World) -> None:
    async with world.stage.http() as http:
        back = world.back(await world.leave(http))
        answer = await http.get("/oidc/callback", params=back)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/guards")
        assert (await http.get("/oidc/callback", params=back)).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "api"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"iss": "https://evil.example.com"},
        {"exp": 1},
        {"email": None, "sub": ""},
    ],
)
async def test_a_token_that_is_not_for_this_attempt_signs_nobody_in(world: World, claims: dict[str, object]) -> None:
    world.provider.claims = claims
    async with world.stage.http() as http:
        answer = await http.get("/oidc/callback", params=world.back(await world.leave(http)))
        assert answer.status_code == 401, answer.text
        assert (await http.get("/console/")).status_code == 303


async def test_who_is_nobody_here_is_told_so(world: World) -> None:
    world.provider.claims = {"email": "mallory@example.com"}
    async with world.stage.http() as http:
        assert (await http.get("/oidc/callback", params=world.back(await world.leave(http)))).status_code == 303
        answer = await http.get("/console/")
    assert (answer.status_code, "halon.yaml does not know them" in answer.text) == (403, True)
