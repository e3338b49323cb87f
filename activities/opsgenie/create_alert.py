"""Call whoever is on call, by an alert in Opsgenie."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from activities.opsgenie._alert import PERMISSIONS, Taken, alias_of
from halon.clients.opsgenie import Opsgenie
from halon.contracts.base import JsonObject
from halon.kit.action import Notice, Permission, State
from halon.kit.env import Env
from halon.kit.once import Reference, Title, Words, line_of, words_of

_MAX_MESSAGE = 130
_MAX_DESCRIPTION = 15_000
_MAX_DETAIL = 1000
_MAX_ENTITY = 512
"""Characters, of which Opsgenie takes no more; all details together may have 8,000."""


class Responder(State):
    """Who is called."""

    type: Literal["team", "user", "escalation", "schedule"] = "team"
    """What the name is one of."""
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    """The name; of a user the user name, which is a mail address."""


class CreateAlert(Notice[Taken]):
    """Open an alert in Opsgenie, or in Jira Service Management: once for a `reference`.

    The reference is the alert's alias. As long as it is open, creating it again only counts it and calls nobody;
    `opsgenie.acknowledge_alert` and `close_alert` take the same reference. What looks like a secret is masked. Errors:
    a refused key is `permission_denied`; what Opsgenie does not take is `invalid_input`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = PERMISSIONS
    example: ClassVar[JsonObject] = {
        "reference": "i-20260102-cart",
        "message": "The rollback of cart failed and could not be put back",
        "priority": "P1",
        "responders": [{"name": "shop"}],
    }

    reference: Reference
    """What it is about, such as the incident's id: the same reference is the same alert."""
    message: Title
    """What is wrong, in a line; cut to 130 characters."""
    description: Words = ""
    """The rest; cut to 15,000 characters."""
    priority: Literal["P1", "P2", "P3", "P4", "P5"] = "P3"
    """How urgent it is, from P1 down."""
    responders: Annotated[tuple[Responder, ...], Field(max_length=50)] = ()
    """Who is called; without any, whom the integration and its policies name."""
    tags: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=50)], ...], Field(max_length=20)
    ] = ()
    """Words to find it by."""
    entity: Words = ""
    """What is affected, such as a service; cut to 512 characters."""
    details: Annotated[
        dict[Annotated[str, StringConstraints(min_length=1, max_length=100)], Words], Field(max_length=7)
    ] = {}
    """Properties, by names; each is cut to 1,000 characters."""

    def target(self) -> str:
        """Name the alert."""
        return f"opsgenie/{self.reference}"

    async def run(self, env: Env) -> Taken:
        """Open it."""
        alert: dict[str, Any] = {
            "message": line_of(self.message, _MAX_MESSAGE),
            "description": words_of(self.description, _MAX_DESCRIPTION),
            "priority": self.priority,
            "responders": [self._responder(one) for one in self.responders],
            "tags": list(self.tags),
            "entity": line_of(self.entity, _MAX_ENTITY),
            "details": {name: words_of(text, _MAX_DETAIL) for name, text in self.details.items()},
            "source": "Halon",
        }
        given = {name: value for name, value in alert.items() if value}
        alias = alias_of(self.reference)
        await env.get(Opsgenie).create(alias, given)
        return Taken(alias=alias, found=True)

    def _responder(self, one: Responder) -> dict[str, str]:
        return {"type": one.type, "username" if one.type == "user" else "name": one.name}
