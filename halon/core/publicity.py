"""What the status page says of an incident: when, in which words, and whether a person must release them. Pure."""

from typing import Literal

from halon.contracts.communication import StatusRule
from halon.contracts.coordination import PublishRequest, StatusPageState, Wanted

Word = Literal["investigating", "identified", "monitoring", "resolved"]
_ORDER: tuple[Word, ...] = ("investigating", "identified", "monitoring", "resolved")


class Publicity:
    """One incident and the status page."""

    def __init__(self, incident: str, rule: StatusRule, state: StatusPageState | None) -> None:
        self._incident = incident
        self._rule = rule
        self.state = state or StatusPageState(state="held" if rule.release else "open")
        self._under_way = False

    @property
    def held(self) -> bool:
        """Whether the words wait for a person."""
        return self.state.state == "held"

    @property
    def settled(self) -> bool:
        """Whether the page says what it shall say, and the incident is over there or was never on it."""
        idle = not self._under_way and self._wanted is None
        return idle and (self.state.state == "resolved" or (self.held and not self.state.said))

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way to the page."""
        return not self._under_way and (self._wanted is None or self.held)

    def advance(self, wanted: Wanted) -> bool:
        """The run came further. False when the page says so much already; it never goes back by itself."""
        if self.state.state == "resolved" or self._rank(wanted.status) <= self._rank(self._latest):
            return False
        if self.held and wanted.status == "resolved":  # over before anybody released it: the public need not know
            self.state = self.state.model_copy(update={"state": "resolved", "wanted": None})
            return False
        self.state = self.state.model_copy(update={"wanted": wanted})
        return True

    def say(self, wanted: Wanted) -> None:
        """A person says it, which also releases what waits."""
        state = "open" if self.state.state == "held" else self.state.state
        state = "open" if wanted.status != "resolved" else state
        self.state = self.state.model_copy(update={"state": state, "wanted": wanted})

    def release(self) -> bool:
        """A person releases the words that wait. False when none do."""
        if not self.held or self._wanted is None:
            return False
        self.state = self.state.model_copy(update={"state": "open"})
        return True

    def due(self) -> PublishRequest | None:
        """What is to be written now, if anything. Until `written` or `failed` nothing else is."""
        if self._wanted is None or self._under_way or self.held:
            return None
        self._under_way = True
        wanted, number = self._wanted, self.state.said + 1
        self.state = self.state.model_copy(update={"said": number, "status": wanted.status, "wanted": None})
        return PublishRequest(
            incident=self._incident,
            mark=f"{self._incident}/{number}",
            page_incident=self.state.page_incident,
            name=wanted.name,
            status=wanted.status,
            body=wanted.body,
            impact=self._rule.impact,
            components=self._rule.components,
        )

    def written(self, page_incident: str, url: str) -> None:
        """The page says it."""
        self._under_way = False
        changed = {"page_incident": page_incident, "url": url, "problem": ""}
        over = {"state": "resolved"} if self.state.status == "resolved" and self._wanted is None else {}
        self.state = self.state.model_copy(update={**changed, **over})

    def failed(self, problem: str) -> None:
        """The page does not say it, and will not by trying again."""
        self._under_way = False
        over = {"state": "resolved"} if self.state.status == "resolved" and self._wanted is None else {}
        self.state = self.state.model_copy(update={"problem": problem, **over})

    @property
    def _wanted(self) -> Wanted | None:
        return self.state.wanted

    @property
    def _latest(self) -> str:
        return self._wanted.status if self._wanted else self.state.status

    @staticmethod
    def _rank(status: str) -> int:
        return _ORDER.index(status) if status in _ORDER else -1  # pyright: ignore[reportArgumentType]  # checked
