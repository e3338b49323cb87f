"""The circuit breaker against a model that keeps everything and counts anew each time."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from halon.contracts.ledger import BreakerEntry, Failure
from halon.contracts.playbook import Breaker
from halon.core import breaker

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SPEC = Breaker(failures=3, within=timedelta(minutes=10), cooldown=timedelta(minutes=5))
Event = tuple[Literal["ask", "success", "failure", "nothing", "trip", "reset"], int, int]
events = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "success", "failure", "failure", "nothing", "trip", "reset"]),
        st.integers(0, 3),
        st.integers(0, 240),
    ),
    max_size=60,
)


class Model:
    """A breaker as a person would describe it."""

    def __init__(self) -> None:
        self.failures: list[datetime] = []
        self.opened: datetime | None = None
        self.by_hand = False
        self.trial = ""

    def state(self, now: datetime) -> str:
        if self.opened is None:
            return "closed"
        return "half_open" if not self.by_hand and now >= self.opened + SPEC.cooldown else "open"

    def ask(self, now: datetime, who: str) -> bool:
        state = self.state(now)
        if state == "half_open" and self.trial in {"", who}:
            self.trial = who
            return True
        return state == "closed"

    def ended(self, how: str, now: datetime, who: str) -> None:
        state = self.state(now)
        if how == "failure":
            self.failures.append(now)
            recent = [one for one in self.failures if one > now - SPEC.within]
            if (state == "half_open" and who == self.trial) or (state == "closed" and len(recent) >= SPEC.failures):
                self.opened, self.by_hand, self.trial = now, False, ""
        elif who == self.trial:
            self.trial = ""
            if how == "success":
                self.reset()

    def trip(self, now: datetime) -> None:
        self.opened, self.by_hand, self.trial = now, True, ""

    def reset(self) -> None:
        self.failures, self.opened, self.by_hand, self.trial = [], None, False, ""


@settings(max_examples=400, deadline=None)
@given(events)
def test_it_is_what_the_model_says(course: list[Event]) -> None:
    entry, model, now = BreakerEntry(key="any", spec=SPEC), Model(), START
    for what, number, seconds in course:
        now, who = now + timedelta(seconds=seconds), f"run-{number}"
        entry = breaker.current(entry, now)
        assert entry.state == model.state(now)
        if what == "ask":
            admitted = not breaker.refusal(entry, who)
            assert admitted == model.ask(now, who)
            entry = breaker.entered(entry, SPEC, who) if admitted else entry
            continue
        if what == "failure":
            entry = breaker.failed(entry, Failure(at=now, incident=who, reason="it broke"), who)
        elif what == "success":
            entry = breaker.succeeded(entry, who)
        elif what == "nothing":
            entry = breaker.showed_nothing(entry, who)
        elif what == "trip":
            entry = breaker.tripped(entry, now, "by ana")
            model.trip(now)
        else:
            entry = breaker.reset(entry)
            model.reset()
        if what in {"success", "failure", "nothing"}:
            model.ended(what, now, who)
        assert len(entry.failures) <= SPEC.failures


def test_a_refusal_says_until_when_and_why() -> None:
    entry = BreakerEntry(key="rollback", spec=SPEC)
    for number in range(3):
        failure = Failure(at=START + timedelta(minutes=number), incident=f"inc-{number}", reason="undone: not healthy")
        entry = breaker.failed(breaker.current(entry, failure.at), failure, f"run-{number}")
    assert breaker.refusal(entry, "run-9") == (
        "the circuit breaker of rollback is open until 2026-01-05 09:07:00 UTC: 3 failures within 10m; "
        "last: inc-2: undone: not healthy"
    )
    entry = breaker.current(entry, START + timedelta(minutes=8))
    assert breaker.refusal(entry, "run-9") == ""
    entry = breaker.entered(entry, SPEC, "run-9")
    assert breaker.refusal(entry, "run-10") == (
        "the circuit breaker of rollback is half-open and its one trial is under way: run-9"
    )


def test_a_breaker_that_a_person_tripped_has_no_cool_down() -> None:
    entry = breaker.tripped(BreakerEntry(key="rollback", spec=SPEC), START, "tripped by ana: the API is down")
    later = breaker.current(entry, START + timedelta(days=30))
    assert breaker.refusal(later, "run") == (
        "the circuit breaker of rollback is open until a person resets it: tripped by ana: the API is down"
    )
    assert breaker.refusal(breaker.reset(later), "run") == ""
