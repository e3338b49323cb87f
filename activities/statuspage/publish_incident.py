"""Say on the status page what is wrong, how it goes on, and that it is over."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from halon.clients.statuspage import StatusPage
from halon.contracts.base import JsonObject, digest
from halon.contracts.communication import Impact
from halon.contracts.coordination import PublishRequest
from halon.kit.action import Notice, Output, Permission
from halon.kit.env import Env
from halon.kit.once import Reference, Title, line_of, words_of

_MAX_NAME = 200
_MAX_BODY = 4000


class Shown(Output):
    """Where it stands."""

    id: str
    """The incident's id on the page."""
    url: str
    """Where everybody sees it."""


class PublishIncident(Notice[Shown]):
    """Publish an incident on the status page, update it, and resolve it: one for a `reference`, by what is said of it.

    The first call creates it, further ones with the same reference update it, and `status: resolved` ends it. To say
    the same again says nothing. The page is the one of `communication.status_page` in halon.yaml; an incident that
    Halon publishes there by rules has the id of Halon's incident for a reference. What looks like a secret is masked.
    Errors: a page that halon.yaml does not name is `misconfigured`, a refused key is `permission_denied`; to resolve
    what the page does not show is `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("http", ("GET", "POST", "PATCH"), "/pages/PAGE/incidents", "an API key of the page's organisation"),
    )
    example: ClassVar[JsonObject] = {
        "reference": "i-20260102-cart",
        "name": "Orders fail",
        "status": "investigating",
        "body": "Some orders cannot be placed. We are looking into it.",
        "impact": "major",
        "components": ["8kbf7d35c070"],
    }

    reference: Reference
    """What it is about, such as the incident's id: the same reference is the same incident on the page."""
    name: Title
    """Its title, which stays as it was first; cut to 200 characters."""
    status: Literal["investigating", "identified", "monitoring", "resolved"]
    """How far it has come."""
    body: Title
    """What everybody is told now; cut to 4,000 characters."""
    impact: Impact = Impact.MINOR
    """How bad it is: it makes the state of the components, and the colour of the page."""
    components: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")], ...], Field(max_length=50)
    ] = ()
    """Ids of the components that are affected; they are operational again when it is resolved."""

    def target(self) -> str:
        """Name the incident."""
        return f"statuspage/{self.reference}"

    async def run(self, env: Env) -> Shown:
        """Say it, unless it was said."""
        said = self.model_dump(mode="json", exclude={"reference", "name"})
        request = PublishRequest(
            incident=self.reference,
            mark=f"{self.reference}/{digest(said)[:16]}",
            name=line_of(self.name, _MAX_NAME),
            status=self.status,
            body=words_of(self.body, _MAX_BODY),
            impact=self.impact,
            components=self.components,
        )
        shown = await env.get(StatusPage).publish(request, create=self.status != "resolved")
        return Shown(id=shown.page_incident, url=shown.url)
