"""The incident's group: claims its episodes, knows what came before, and says what follows from that.

Everything that the store knows comes through the claim, an activity, so that a replay decides the same.
"""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from temporalio import workflow

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.bookkeeping import CLAIM, MAX_RESOLVED, ClaimAnswer, ClaimRequest
from halon.contracts.incident import IncidentInput
from halon.contracts.outcome import Outcome, RunResult
from halon.contracts.past import EarlierIncident, GroupPast
from halon.contracts.playbook import After
from halon.core import recurrence
from halon.core.flapping import Conditions, flapping_text, sighting
from workflows.journal import WRITE_RETRY, WRITE_TIMEOUT

MAX_FIRED = 1000
"""Times of firing alerts that are kept to count those that `after` asks for, which are never more."""


class Group:
    """What one incident knows of its group."""

    def __init__(self, given: IncidentInput) -> None:
        self._given = given
        self._trigger = given.playbook.trigger
        self._past = GroupPast()
        self._fired: deque[datetime] = deque(maxlen=MAX_FIRED)
        self.conditions = Conditions()
        self.reopens: EarlierIncident | None = None
        """This incident as it ended before; None when it is a new one."""
        self.runs = 0
        """Runs of this incident so far."""
        self.acted_at: datetime | None = None
        """When the last of them was started that was neither refused nor found that its alerts had cleared."""

    @property
    def after(self) -> After | None:
        """How many alerts the trigger asks for; a person who starts a run is enough."""
        return self._trigger.after if self._trigger and not self._given.started_by else None

    @property
    def began(self) -> bool:
        """Whether a run was started since this incident opened, or opened again."""
        return self.runs > (self.reopens.runs if self.reopens else 0)

    @property
    def acted(self) -> str:
        """The incident of this group that last acted."""
        return self._past.acted.incident if self._past.acted else ""

    @property
    def claimant(self) -> str:
        """Who claims episodes: this execution, the same when it is reset, another one when it was continued as new."""
        turn = f"/{self._given.turn}" if self._given.turn else ""
        return f"{workflow.info().first_execution_run_id}{turn}"

    async def claim(
        self, incident: str, batch: Sequence[Alert], fresh: tuple[str, ...], *, opening: bool
    ) -> tuple[str, ClaimAnswer]:
        """Claim the `fresh` episodes of a batch.

        Gives the incident that they belong to, an earlier one when that is reopened, and the store's answer.
        """
        now = workflow.now()
        resolved = [one for one in batch if one.status is AlertStatus.RESOLVED and one.episode not in fresh]
        request = ClaimRequest(
            incident=incident,
            run=self.claimant,
            episodes=fresh,
            conditions=tuple(dict.fromkeys(one.condition for one in batch if one.episode in fresh)),
            resolved=tuple(sighting(one, now) for one in resolved)[:MAX_RESOLVED],
            opening=opening,
        )
        answer = await _claimed(request)
        self.conditions.recall(answer.conditions)
        by_hand = bool(self._given.started_by) or self._given.dry_run
        if not opening or not answer.mine or self._trigger is None or by_hand:
            return incident, answer
        self._past = past = answer.past
        settled = recurrence.reopens(self._trigger, past, now)
        if settled is None or self.held_back():
            return incident, answer
        self.reopens, self.runs = settled, settled.runs
        if past.acted is not None and past.acted.incident == settled.incident:
            self.acted_at = past.acted.at
        again = request.model_copy(update={"incident": settled.incident, "opening": False})
        return settled.incident, await _claimed(again)

    def heard(self, alerts: Sequence[Alert], firings: int) -> tuple[str, int] | None:
        """Follow the conditions of alerts, `firings` of which fire. Gives an alert that flaps now, and its changes."""
        now = workflow.now()
        self._fired.extend([now] * min(firings, MAX_FIRED))
        for alert in alerts:
            if alert.status is AlertStatus.RESOLVED:
                self.conditions.hear_resolved(alert, now)
            else:
                self.conditions.hear(alert, now)
        return next(iter(self.conditions.flapping(now)), None)

    def enough(self, after: After) -> bool:
        """Whether as many alerts came as the trigger asks for."""
        return recurrence.in_window(after, self._fired, workflow.now()) >= after.count

    def wait_left(self, after: After, opened: datetime) -> timedelta:
        """How long to wait for the others."""
        return recurrence.window_left(after, self._fired, opened, workflow.now())

    def most(self, after: After) -> int:
        """How many of them came within one window."""
        return recurrence.most_in_window(after, tuple(self._fired))

    def held_back(self) -> str:
        """Why `once` lets no run start now; empty when one may."""
        if self._trigger is None:
            return ""
        return recurrence.throttled(self._trigger, self._past, workflow.now(), self.conditions.has_resolved)

    def recurrence(self, incident: str, fired_at: datetime) -> str:
        """That the last remedy did not last, when it did not."""
        return recurrence.recurrence(self._trigger, self._past, fired_at, incident) if self._trigger else ""

    def caution(self) -> str:
        """Why a person must approve each change now, when an alert flaps."""
        flapping = self.conditions.flapping(workflow.now())
        return flapping_text(*flapping[0]) if flapping else ""

    def before(self, opened: datetime) -> tuple[str, str]:
        """The group's incident before this one, when it is not long ago, and the sentence that names it."""
        text = recurrence.predecessor_text(self._past, opened)
        return (self._past.previous.incident, text) if self._past.previous and text else ("", "")

    def since(self, opened: datetime) -> datetime:
        """When the incident opened first, which was before `opened` for one that is open again."""
        return self.reopens.opened_at if self.reopens else opened

    def run_started(self) -> datetime | None:
        """Count a run, which acts unless it is a dry one. Gives when the one before it did."""
        before = self.acted_at
        self.runs += 1
        if not self._given.dry_run:
            self.acted_at = workflow.now()
        return before

    def settled(self, result: RunResult | None, closed: datetime | None) -> tuple[str, datetime | None]:
        """How and when the incident came to an end of its own; one that was refused before any run leaves the last."""
        if result is not None and closed and (self.began or result.outcome is not Outcome.REFUSED):
            return result.outcome.value, closed
        return (self.reopens.outcome, self.reopens.at) if self.reopens else ("", None)


async def _claimed(request: ClaimRequest) -> ClaimAnswer:
    answer: ClaimAnswer = await workflow.execute_local_activity(
        CLAIM,
        request,
        result_type=ClaimAnswer,
        start_to_close_timeout=WRITE_TIMEOUT,
        retry_policy=WRITE_RETRY,
    )
    return answer
