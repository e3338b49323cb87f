"""What is told to whom, and what is asked of people, over the life of one incident. Pure: it decides and keeps.

`workflows/coordination.py` hands in news, people's words and the time, and carries out what comes of it: events for the
audit, drafts of messages to people, the thread's next message, the status page's next words.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject, format_duration, is_list
from halon.contracts.communication import OWNER, DeadlineRule, PageRule
from halon.contracts.coordination import (
    MAX_ALERTS,
    AckState,
    CoordinationInput,
    CoordinationState,
    CoordinationStatus,
    News,
    NoticeState,
    Part,
    PublishInput,
    RoleState,
    Wanted,
)
from halon.contracts.outcome import Outcome
from halon.core import calls, duties
from halon.core.audience import Judge
from halon.core.bulletin import Bulletin, about, long_ago
from halon.core.publicity import Publicity, Word
from halon.core.questions import Questions

MAX_HEARD = 500
PUBLIC_FOR = timedelta(days=30)
"""How long an incident that is over stays with people because the status page still has it open."""
PART_NAMES: Mapping[Part, str] = {"commander": "incident commander", "communication": "communication lead"}
_GOOD = frozenset(one.value for one in Outcome if one.success) | {Outcome.DRY_RUN.value}
_AT_WORK = frozenset({AuditKind.APPLIED, AuditKind.CONFIRMED})


class Refused(Exception):  # noqa: N818  # reads as the fact that it states
    """What somebody said does not count, and why."""


class Coordinator:
    """All that is decided for one incident."""

    def __init__(self, given: CoordinationInput) -> None:
        state = given.state or CoordinationState()
        self._given, self._spec = given, given.communication
        self._judge = Judge(self._spec, given.metadata)
        self._rule, self._why = state.rule, state.reason
        self._ack = state.acknowledgement
        self._roles = dict(state.roles)
        self._duties = {one.name: one for one in state.deadlines}
        self._heard = deque(state.heard, maxlen=MAX_HEARD)
        self._outcome, self._reason, self._closed_at = state.outcome, state.outcome_reason, state.closed_at
        self._at_work = state.at_work
        self.bulletin = Bulletin(given, state, self._facts)
        self._questions = Questions(given.incident, self.bulletin, state.questions)
        self.publicity: Publicity | None = None
        self._status_rule = state.status_rule
        if state.status_rule >= 0:
            rule = self._spec.status_page[state.status_rule]
            self.publicity = Publicity(given.incident, rule, state.status_page)

    def open(self, now: datetime) -> None:
        """The incident has begun: decide whom it is for."""
        by = f" by {self._given.started_by}" if self._given.started_by else ""
        self.bulletin.line(self._given.opened_at, now, f"Incident opened{by}: {self._given.metadata.title}")
        for alert in self.bulletin.alerts:
            self.bulletin.line(now, now, f"Alert {alert.name} from {alert.source}{about(alert)}")
        self._judge_again(now)
        if self._rule < 0:
            message = "Nobody is called: no rule says that an objective is threatened"
            self.bulletin.note(AuditKind.TICKETED, message, {"tickets": list(self._spec.tickets)})
            self.bulletin.ticket(now)

    def hear(self, news: News, now: datetime) -> None:
        """Take something in; what was heard before changes nothing."""
        if news.id in self._heard:
            return
        self._heard.append(news.id)
        actor = f" ({news.actor})" if news.actor not in {"halon", ""} and news.actor not in news.message else ""
        step = f"{news.step}: " if news.step else ""
        said = about(news.alert) if news.alert else ""
        self.bulletin.line(news.at, now, f"{step}{news.message}{said}{actor}")
        if news.alert is not None and len(self.bulletin.alerts) < MAX_ALERTS:
            self.bulletin.alerts.append(news.alert)
            self._judge_again(now)
        self._react(news, now)

    def acknowledge(self, by: str, comment: str, authenticated: str, now: datetime) -> str:
        """Somebody looks after the incident: the clock stands still.

        Raises:
            Refused: somebody did already.
        """
        ack = self._ack or AckState(asked_at=self._given.opened_at)
        if ack.by:
            raise Refused(f"{ack.by} acknowledged it at {ack.at:%H:%M:%S} UTC already")
        self._ack = calls.acknowledged(ack, by, now)
        took = format_duration(long_ago(self._given.opened_at, now))
        facts: JsonObject = {"after": took, "comment": comment, "authenticated": authenticated}
        message = f"Acknowledged by {by} after {took}{f': {comment}' if comment else ''}"
        self.bulletin.tell(now, AuditKind.ACKNOWLEDGED, message, facts, by)
        if "commander" not in self._roles:
            self._give("commander", by, by, authenticated, now)
        return message

    def take_part(self, part: Part, by: str, to: str, authenticated: str, now: datetime) -> str:
        """Somebody takes a part, gives it to another, or gives it up (`to` is `-`).

        Raises:
            Refused: nothing would change.
        """
        holder = self._roles.get(part)
        if to != "-":
            return self._give(part, to or by, by, authenticated, now)
        if holder is None:
            raise Refused(f"nobody is {PART_NAMES[part]}")
        del self._roles[part]
        facts: JsonObject = {"role": part, "from": holder.person, "to": "", "authenticated": authenticated}
        message = f"{holder.person} is no longer {PART_NAMES[part]}"
        self.bulletin.tell(now, AuditKind.ROLE_CHANGED, message, facts, by)
        return message

    def done(self, name: str, by: str, comment: str, authenticated: str, now: datetime) -> str:
        """A duty was done.

        Raises:
            Refused: there is no such duty, or it was done before.
        """
        found = duties.done(tuple(self._duties.values()), name, by, comment, now)
        if isinstance(found, str):
            raise Refused(found)
        self._duties[name] = found
        late = now > found.due
        message = (
            f"{found.title}: done by {by}{' after its deadline' if late else ''}{f': {comment}' if comment else ''}"
        )
        facts: JsonObject = {"deadline": name, "comment": comment, "authenticated": authenticated, "late": late}
        self.bulletin.tell(now, AuditKind.DEADLINE_DONE, message, facts, by)
        return message

    def publish(self, given: PublishInput, by: str, now: datetime) -> str:
        """Somebody releases what waits for the status page, or says something there in their own words.

        Raises:
            Refused: the incident is not for the status page, or nothing waits.
        """
        page = self.publicity
        if page is None:
            raise Refused("no rule of `communication.status_page` is for this incident")
        if given.status or given.message:
            status: Word = given.status or self._public_word()
            body = given.message or self.bulletin.words(status if status != "monitoring" else "identified", now)
            page.say(Wanted(status=status, body=body, name=self.bulletin.words("external_title", now)))
            message = f"{by} says on the status page ({status}): {body}"
        elif page.release():
            message = f"{by} released what waited for the status page"
        else:
            raise Refused("nothing waits to be released; say something with --status and --message")
        facts: JsonObject = {"authenticated": given.authenticated, "status": given.status}
        self.bulletin.tell(now, AuditKind.STATUS_PAGE_RELEASED, message, facts, by)
        return message

    def tick(self, now: datetime) -> None:
        """Do what time asks for."""
        rule = self._page_rule
        while rule is not None and self._ack is not None and calls.overdue(self._ack, now):
            self._ack, rung = calls.climb(rule, self._ack, now)
            if rung is None:
                message = "Nobody acknowledged, and there is nobody further to call"
                self.bulletin.tell(now, AuditKind.ACKNOWLEDGEMENT_MISSED, message, {"level": self._ack.level})
                break
            message = f"Nobody acknowledged: {', '.join(rung.to)} called as well"
            facts: JsonObject = {"to": list(rung.to), "level": rung.level}
            self.bulletin.tell(now, AuditKind.ACKNOWLEDGEMENT_ESCALATED, message, facts)
            self.bulletin.page(rung.to, now, "Nobody has acknowledged yet.")
        for name in sorted(self._duties):
            self._remind(name, now)

    def next_at(self, now: datetime) -> datetime | None:
        """When something is due after now; None while only something from outside can change anything."""
        times = [duties.due_at(rule, self._duties[rule.name]) for rule in self._begun_duties()]
        ack = self._ack.due if self._ack is not None else None
        times += [ack, self.bulletin.threads.next_at(), self._over_at()]
        return calls.earliest([one for one in times if one is not None and one > now])

    def over(self, now: datetime) -> bool:
        """Whether there is nothing left to tell and nothing left to ask."""
        at = self._over_at()
        return at is not None and at <= now and self.bulletin.threads.settled

    @property
    def closed(self) -> bool:
        """Whether the incident is over."""
        return self._closed_at is not None

    def state(self, notices: Sequence[NoticeState], count: int) -> CoordinationState:
        """All of it, for what comes after."""
        threads = self.bulletin.threads
        return CoordinationState(
            rule=self._rule,
            reason=self._why,
            acknowledgement=self._ack,
            roles=dict(self._roles),
            deadlines=tuple(self._duties.values()),
            status_page=self.publicity.state if self.publicity else None,
            status_rule=self._status_rule,
            threads=threads.states,
            lines=threads.lines,
            first_line=threads.first,
            alerts=tuple(self.bulletin.alerts),
            questions=self._questions.asked,
            notices=tuple(notices),
            count=count,
            heard=tuple(self._heard),
            at_work=self._at_work,
            outcome=self._outcome,
            outcome_reason=self._reason,
            closed_at=self._closed_at,
        )

    def status(self, notices: Sequence[NoticeState]) -> CoordinationStatus:
        """What people see of it."""
        return CoordinationStatus(
            incident=self._given.incident,
            urgency="page" if self._rule >= 0 else "ticket",
            reason=self._why,
            closed=self.closed,
            acknowledgement=self._ack,
            roles=dict(self._roles),
            deadlines=tuple(self._duties.values()),
            status_page=self.publicity.state if self.publicity else None,
            notices=tuple(notices),
        )

    @property
    def _page_rule(self) -> PageRule | None:
        return self._spec.page[self._rule] if self._rule >= 0 else None

    def _judge_again(self, now: datetime) -> None:
        """Ask the rules about all alerts so far. What has begun once goes on."""
        alerts = self.bulletin.alerts
        found = self._judge.page(alerts, now) if self._rule < 0 else None
        if found is not None:
            self._rule, self._why = found.rule, found.reason
            rule = self._spec.page[found.rule]
            self._ack = calls.called(rule, now) if self._ack is None else self._ack
            within = f" within {format_duration(rule.acknowledge.within)}" if rule.acknowledge else ""
            message = f"{', '.join(rule.to)} called{within and f', to acknowledge{within}'}: {found.reason}"
            self.bulletin.tell(now, AuditKind.PAGED, message, {"to": list(rule.to), "reason": found.reason})
            self.bulletin.page(rule.to, now)
        for one in self._judge.duties(alerts, now):
            self._begin(self._spec.deadlines[one.rule], one.reason, now)
        public = self._judge.status_page(alerts, now) if self.publicity is None else None
        if public is not None:
            self._status_rule = public.rule
            self.publicity = Publicity(self._given.incident, self._spec.status_page[public.rule], None)
            self._advance("investigating", now)
            if self.publicity.held:
                how = f"halon publish {self._given.incident}"
                message = f"Words for the status page wait for somebody who releases them: {how}"
                self.bulletin.tell(now, AuditKind.STATUS_PAGE_HELD, message, {"reason": public.reason})

    def _begin(self, rule: DeadlineRule, reason: str, now: datetime) -> None:
        if rule.name in self._duties:
            return
        state = self._duties[rule.name] = duties.begun(rule, self._given.opened_at)
        message = f"{rule.title}: due {state.due:%Y-%m-%d %H:%M} UTC, {', '.join(rule.to)} told"
        self.bulletin.tell(now, AuditKind.DEADLINE_BEGAN, message, {"deadline": rule.name, "reason": reason})
        self._tell_duty(rule, "warning", f"{rule.title}: due {state.due:%Y-%m-%d %H:%M} UTC", reason)

    def _remind(self, name: str, now: datetime) -> None:
        rule = next((one for one in self._spec.deadlines if one.name == name), None)
        if rule is None:
            return
        self._duties[name], word = duties.passed(rule, self._duties[name], now)
        if word is None:
            return
        missed = word.what == "missed"
        title = f"{rule.title}: {'the deadline has passed' if missed else f'due in {word.left}'}"
        kind = AuditKind.DEADLINE_MISSED if missed else AuditKind.DEADLINE_REMINDED
        self.bulletin.tell(now, kind, title, {"deadline": name, "to": list(rule.to)})
        self._tell_duty(rule, "critical" if missed else "warning", title, "")

    def _tell_duty(self, rule: DeadlineRule, severity: str, title: str, reason: str) -> None:
        how = f"When it is done: halon done {self._given.incident} {rule.name} --comment 'how'"
        body = f"Incident {self._given.incident}: {self._given.metadata.title}\n{reason}\n{how}"
        self.bulletin.direct("duty", rule.to, title, body, "critical" if severity == "critical" else "warning")

    def _begun_duties(self) -> Sequence[DeadlineRule]:
        return [one for one in self._spec.deadlines if one.name in self._duties]

    def _give(self, part: Part, person: str, by: str, authenticated: str, now: datetime) -> str:
        holder = self._roles.get(part)
        if holder is not None and holder.person == person:
            raise Refused(f"{person} is {PART_NAMES[part]} already")
        self._roles[part] = RoleState(person=person, since=now)
        after = f", after {holder.person}" if holder else ""
        message = f"{person} is {PART_NAMES[part]}{after}"
        before = holder.person if holder else ""
        facts: JsonObject = {"role": part, "from": before, "to": person, "authenticated": authenticated}
        self.bulletin.tell(now, AuditKind.ROLE_CHANGED, message, facts, by)
        if person != by:
            title = f"You are {PART_NAMES[part]} of {self._given.incident}"
            body = f"{by} asked you to be {PART_NAMES[part]}: {self._given.metadata.title}"
            self.bulletin.direct("duty", (person,), title, body, "warning")
        return message

    def _react(self, news: News, now: datetime) -> None:
        """What a piece of news asks for beyond its line in the thread."""
        self._questions.hear(news)
        if news.kind in _AT_WORK:
            self._at_work = True
            self._advance("identified", now)
        elif news.kind is AuditKind.GLASS_BROKEN:
            self.bulletin.direct("page", (OWNER,), f"Break-glass in {self._given.incident}", news.message, "critical")
        elif news.kind is AuditKind.INCIDENT_CLOSED:
            self._close(news, now)
        elif news.kind is AuditKind.INCIDENT_REOPENED:
            self._closed_at, self._outcome, self._at_work = None, "", False

    def _close(self, news: News, now: datetime) -> None:
        self._closed_at = now
        self._outcome, self._reason = str(news.data.get("outcome") or ""), str(news.data.get("reason") or "")
        self._questions.close()
        if self._outcome in _GOOD:
            self._ack = calls.stopped(self._ack)
            self._advance("resolved", now)
            return
        left = news.data.get("left")
        still = [str(one) for one in left] if is_list(left) else []
        for one in still:
            self.bulletin.line(now, now, f"STILL IN PLACE: {one}")
        if self._outcome == Outcome.FAILED.value:
            rule = self._page_rule
            why = f"It failed and people must look after it: {self._reason}" + "".join(
                f"\nStill in place: {x}" for x in still
            )
            if rule is not None:
                self.bulletin.page(calls.people_called(rule, self._ack), now, why)
            else:
                self.bulletin.ticket(now, why)

    def _advance(self, word: Word, now: datetime) -> None:
        if self.publicity is not None:
            words = self.bulletin.words
            self.publicity.advance(Wanted(status=word, body=words(word, now), name=words("external_title", now)))

    def _public_word(self) -> Word:
        said = self.publicity.state.status if self.publicity else ""
        return said if said in {"identified", "monitoring", "resolved"} else "investigating"  # type: ignore[return-value]

    def _over_at(self) -> datetime | None:
        """When everything is over, unless something comes; None while something is open."""
        if self._closed_at is None:
            return None
        if any(one.done_at is None for one in self._duties.values()):
            return None
        if self._ack is not None and self._ack.due is not None:
            return None
        page = self.publicity
        if page is not None and not page.settled:
            return self._closed_at + PUBLIC_FOR
        return self._closed_at + (self._given.linger or timedelta())

    def _facts(self) -> Mapping[str, str]:
        """What templates know of where the incident stands."""
        if self._outcome:
            state = f"{self._outcome}{f', {self._reason}' if self._reason else ''}"
        elif self._at_work:
            state = "being remedied"
        else:
            state = "open"
        holders = {part: self._roles[part].person if part in self._roles else "" for part in PART_NAMES}
        return {
            "state": state,
            "outcome": self._outcome,
            "reason": self._reason,
            "why": self._why,
            "acknowledged_by": self._ack.by if self._ack else "",
            **{str(part): person for part, person in holders.items()},
        }
