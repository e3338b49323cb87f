"""The status page says each thing once, however often it is asked, and what it does not take is one sentence."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from halon.clients.statuspage import StatusPage
from halon.contracts.communication import Impact
from halon.contracts.coordination import PublishRequest
from halon.errors import HalonError, Misconfigured, NotFound, PermanentError, PermissionDenied, TransientError
from halon.settings.communication import StatusPageSettings

TOKEN = "planted-page-token"


class Page:
    """A status page, as Atlassian's API has it."""

    def __init__(self) -> None:
        self.incidents: dict[str, dict[str, Any]] = {}
        self.updates: list[tuple[str, str]] = []
        self.losing = 0
        """Answers that get lost after the work was done."""
        self.status = 200
        self.junk = False
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"OAuth {TOKEN}"
        path = request.match_info["path"]
        if self.status != 200:
            return web.Response(status=self.status)
        if self.junk:
            return web.Response(text="<html>")
        if request.method == "GET":
            if path == "incidents/unresolved":
                return web.json_response([one for one in self.incidents.values() if one["status"] != "resolved"])
            found = self.incidents.get(path.removeprefix("incidents/"))
            return web.json_response(found) if found else web.json_response({"error": "not found"}, status=404)
        said = json.loads(await request.read())["incident"]
        number = path.removeprefix("incidents/") if request.method == "PATCH" else f"p{len(self.incidents) + 1}"
        one = self.incidents.setdefault(number, {"id": number, "shortlink": f"https://stspg.io/{number}"})
        one |= said
        self.updates.append((said["status"], said["body"]))
        if self.losing:
            self.losing -= 1
            return web.Response(status=502)
        return web.json_response(one)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    double = Page()
    application = web.Application()
    application.router.add_route("*", "/v1/pages/abc/{path:.*}", double.handle)
    async with TestServer(application) as server:
        double.url = str(server.make_url("/v1"))
        yield double


def client(page: Page, directory: Path) -> StatusPage:
    file = directory / "token"
    file.write_text(TOKEN)
    given = {"url": page.url, "page": "abc", "token": {"file": file}}
    return StatusPage(StatusPageSettings.model_validate(given), lambda: SecretStr(file.read_text()))


def request(number: int = 1, status: str = "investigating", **more: Any) -> PublishRequest:
    return PublishRequest.model_validate(
        {
            "incident": "dim-1",
            "mark": f"dim-1/{number}",
            "name": "Disruption of the stage",
            "status": status,
            "body": f"We say {status}.",
            "impact": Impact.MAJOR,
            "components": ["c1"],
            **more,
        }
    )


async def test_an_incident_is_created_updated_and_resolved_with_its_components(page: Page, tmp_path: Path) -> None:
    asked = client(page, tmp_path)
    made = await asked.publish(request())
    assert (made.page_incident, made.url) == ("p1", "https://stspg.io/p1")
    assert page.incidents["p1"]["impact_override"] == "major"
    assert page.incidents["p1"]["components"] == {"c1": "partial_outage"}
    await asked.publish(request(2, "identified", page_incident="p1"))
    await asked.publish(request(3, "resolved", page_incident="p1"))
    assert [status for status, _ in page.updates] == ["investigating", "identified", "resolved"]
    assert page.incidents["p1"]["components"] == {"c1": "operational"}
    assert page.incidents["p1"]["name"] == "Disruption of the stage"


@pytest.mark.parametrize("known", ["", "p1"])
async def test_an_answer_that_got_lost_does_not_say_it_twice(page: Page, tmp_path: Path, known: str) -> None:
    asked, number = client(page, tmp_path), 1
    if known:
        await asked.publish(request())
        number = 2
    page.losing = 1
    said = request(number, "identified" if known else "investigating", page_incident=known)
    with pytest.raises(TransientError, match="HTTP 502"):
        await asked.publish(said)
    assert (await asked.publish(said)).page_incident == "p1"
    assert (len(page.incidents), len(page.updates)) == (1, number)


async def test_an_incident_that_somebody_removed_is_made_anew(page: Page, tmp_path: Path) -> None:
    assert (await client(page, tmp_path).publish(request(2, page_incident="gone"))).page_incident == "p1"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, PermissionDenied), (404, NotFound), (422, PermanentError), (429, TransientError), (503, TransientError)],
)
async def test_what_the_page_does_not_take_is_one_sentence(
    page: Page, tmp_path: Path, status: int, kind: type[HalonError]
) -> None:
    page.status = status
    with pytest.raises(kind, match="status page") as caught:
        await client(page, tmp_path).publish(request())
    assert TOKEN not in str(caught.value)


async def test_what_is_no_status_page_and_one_that_is_not_configured_say_so(page: Page, tmp_path: Path) -> None:
    page.junk = True
    with pytest.raises(PermanentError, match="not JSON"):
        await client(page, tmp_path).publish(request())
    with pytest.raises(Misconfigured, match=r"communication\.status_page"):
        await StatusPage(StatusPageSettings(), None).publish(request())
