"""The page of what stops automation, and a person's hand on it."""

from http import HTTPStatus

from starlette.responses import Response

from halon.errors import Conflict
from halon.gateway.console.desk import Desk
from halon.gateway.console.visits import Handler, Visit, Visits

COMMANDS = ("pause", "resume", "trip", "reset", "unlock")


class Guards:
    """Answers with the page of the guards."""

    def __init__(self, desk: Desk, visits: Visits) -> None:
        self._desk = desk
        self._visits = visits

    async def show(self, visit: Visit) -> Response:
        """What stops automation now."""
        return await self._shown(visit)

    def command(self, name: str) -> Handler:
        """Make the handler of a command's form."""

        async def handler(visit: Visit) -> Response:
            try:
                answer = await self._desk.command(visit.principal, name, visit.fields)
            except Conflict as error:
                return await self._shown(visit, str(error), HTTPStatus.CONFLICT)
            visit.say(answer.message)
            return self._visits.to(visit, "/console/guards")

        return handler

    async def _shown(self, visit: Visit, refusal: str = "", status: int = 200) -> Response:
        now = await self._desk.guards(visit.principal)
        rights = self._desk.rights(visit.principal)
        state = now.state
        uses = [(name, "rate", len(one.entries), one.per) for name, one in state.rates.items()]
        uses += [(name, "budget", len(one.entries), one.per) for name, one in state.budgets.items()]
        return self._visits.pages.page(
            "guards.html",
            self._visits.frame(visit, rights),
            status,
            state=state,
            frozen=now.frozen,
            uses=sorted(uses),
            refusal=refusal,
            open=visit.request.query_params.get("open", ""),
        )
