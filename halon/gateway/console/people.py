"""What people say to an incident beside deciding: that they look after it, their part, a duty, words for the public."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import quote

from pydantic import ValidationError
from starlette.responses import Response

from halon.contracts.coordination import AcknowledgeInput, DoneInput, PublishInput, RoleInput
from halon.errors import Conflict, InvalidInput, NotFound
from halon.gateway.console.desk import Desk
from halon.gateway.console.incidents import Incidents
from halon.gateway.console.visits import Handler, Visit, Visits
from halon.operations.coordination import Word

WORDS: Mapping[str, tuple[type[Word], tuple[str, ...]]] = {
    "acknowledge": (AcknowledgeInput, ("comment",)),
    "role": (RoleInput, ("role", "to")),
    "done": (DoneInput, ("deadline", "comment")),
    "publish": (PublishInput, ("status", "message")),
}
"""Each form, with what it says and the fields that it has."""


class People:
    """Answers the forms of those who look after an incident."""

    def __init__(self, desk: Desk, visits: Visits, incidents: Incidents) -> None:
        self._desk = desk
        self._visits = visits
        self._incidents = incidents

    def form(self, name: str) -> Handler:
        """Make the handler of a form."""
        kind, fields = WORDS[name]

        async def handler(visit: Visit) -> Response:
            incident = str(visit.request.path_params["incident"])
            word = _word(kind, {one: visit.fields[one] for one in fields if one in visit.fields}, visit)
            try:
                answer = await self._desk.say(visit.principal, incident, word)
            except (Conflict, NotFound) as error:
                return await self._incidents.refused(visit, f"It was not taken: {error}", HTTPStatus.CONFLICT)
            visit.say(answer)
            return self._visits.to(visit, f"/console/incidents/{quote(incident)}")

        return handler


def _word(kind: Callable[..., Word], fields: Mapping[str, str], visit: Visit) -> Word:
    who = visit.principal
    try:
        return kind(by=who.person, authenticated=who.method.value, **fields)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
        raise InvalidInput("the form is not as the page has it", problems) from error
