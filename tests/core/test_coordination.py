"""Whatever happens in whatever order: people are told a bounded number of times, and what is kept is all there is."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.audit import AuditKind
from halon.contracts.communication import Communication
from halon.contracts.coordination import CoordinationInput, CoordinationState, News, PublishInput
from halon.contracts.playbook import Metadata
from halon.core.coordination import Coordinator, Refused

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
SPEC = Communication.model_validate(
    {
        "threads": ["stage"],
        "tickets": ["tickets"],
        "page": [
            {
                "severities": ["critical"],
                "to": ["ana"],
                "acknowledge": {"within": "5m", "then": [{"to": ["ben"], "within": "5m"}]},
            }
        ],
        "deadlines": [
            {"name": "d", "title": "D", "severities": ["*"], "within": "3h", "remind": ["1h"], "to": ["eve"]}
        ],
        "status_page": [{"severities": ["critical"]}],
        "gather": "10s",
        "patience": "1m",
        "keep_trying": "1d",
    }
)


def alert(severity: str) -> Alert:
    return Alert(
        source="test", name="Bright", fingerprint="1", status=AlertStatus.FIRING, severity=severity, starts_at=NOW
    )


def start(severity: str = "warning", state: CoordinationState | None = None) -> CoordinationInput:
    return CoordinationInput(
        incident="dim-1",
        communication=SPEC,
        metadata=Metadata(name="dim", title="Dim", owner="light"),
        alerts=(alert(severity),),
        opened_at=NOW,
        state=state,
    )


def news(number: int, kind: AuditKind, **more: Any) -> News:
    return News(id=str(number), kind=kind, at=NOW, message=kind.value, run="r", step="s", **more)


def act(one: Coordinator, number: int, what: str, now: datetime) -> None:
    """Let one of the things happen that can."""
    say = {"by": "ana", "authenticated": "claimed", "now": now}
    try:
        match what:
            case "critical":
                one.hear(news(number, AuditKind.ALERT_RECEIVED, alert=alert("critical")), now)
            case "ask":
                one.hear(news(number, AuditKind.APPROVAL_ASKED, data={"from": ["ben"], "plan": "ab"}), now)
            case "ack":
                one.acknowledge(comment="", **say)
            case "role":
                one.take_part("commander", to="ben" if number % 2 else "-", **say)
            case "done":
                one.done("d", comment="", **say)
            case "publish":
                one.publish(PublishInput(by="ana"), "ana", now)
            case "good" | "failed":
                outcome = "remediated" if what == "good" else "failed"
                one.hear(news(number, AuditKind.INCIDENT_CLOSED, data={"outcome": outcome, "left": []}), now)
            case "glass":
                one.hear(news(number, AuditKind.GLASS_BROKEN), now)
            case _:
                one.hear(news(number, AuditKind(what)), now)
    except Refused:
        pass


ACTS = ("critical", "ask", "ack", "role", "done", "publish", "good", "failed", "glass")
KINDS = ("applied", "approval.reminded", "approval.escalated", "denied", "incident.reopened")
WHAT = st.sampled_from([*ACTS, *KINDS])
STEPS = st.lists(st.tuples(WHAT, st.integers(min_value=0, max_value=4000)), max_size=25)


@settings(deadline=None, max_examples=60)
@given(STEPS)
def test_people_are_told_a_bounded_number_of_times_and_time_always_goes_on(steps: list[tuple[str, int]]) -> None:
    one, now, drafts = Coordinator(start()), NOW, 0
    one.open(now)
    for number, (what, wait) in enumerate(steps):
        act(one, number, what, now)
        end = now + timedelta(seconds=wait)
        while True:
            one.tick(now)
            for channel in one.bulletin.threads.due(now):
                one.bulletin.threads.begin(channel)
                one.bulletin.threads.end(channel, "t", now, SPEC.gather)
            drafts += len(one.bulletin.drain()[1])
            at = one.next_at(now)
            if at is None or at > end:
                break
            assert at > now
            now = at
        now = end
    levels, duty = 2, 3
    assert drafts <= 1 + levels + duty + len(steps)


@settings(deadline=None, max_examples=60)
@given(STEPS)
def test_what_goes_on_anew_goes_on_as_it_was(steps: list[tuple[str, int]]) -> None:
    kept, now = Coordinator(start("critical")), NOW
    kept.open(now)
    for number, (what, wait) in enumerate(steps):
        now += timedelta(seconds=wait)
        kept.tick(now)
        act(kept, number, what, now)
    state = kept.state((), 7)
    anew = Coordinator(start("critical", state=CoordinationState.model_validate_json(state.model_dump_json())))
    assert anew.state((), 7) == state
    assert anew.status(()) == kept.status(())
    later = now + timedelta(hours=4)
    for one in (kept, anew):
        one.bulletin.drain()
        one.tick(later)
        act(one, 1000, "approval.reminded", later)
        act(one, 1001, "publish", later)
    assert kept.bulletin.drain() == anew.bulletin.drain()
    assert kept.publicity is not None
    assert anew.publicity is not None
    assert kept.publicity.due() == anew.publicity.due()
    assert anew.over(later) == kept.over(later)


def test_news_that_come_twice_are_told_once() -> None:
    one = Coordinator(start())
    one.open(NOW)
    one.bulletin.drain()
    for _ in range(3):
        one.hear(news(1, AuditKind.APPROVAL_ASKED, data={"from": ["ben"]}), NOW)
    assert len(one.bulletin.drain()[1]) == 1
    assert sum("approval.asked" in line for line in one.bulletin.threads.lines) == 1


def test_a_ticket_becomes_a_page_when_a_later_alert_threatens_an_objective() -> None:
    one = Coordinator(start())
    one.open(NOW)
    (ticket, duty) = sorted(one.bulletin.drain()[1], key=lambda draft: draft.kind, reverse=True)
    assert (ticket.kind, duty.kind) == ("ticket", "duty")
    one.hear(news(1, AuditKind.ALERT_RECEIVED, alert=alert("critical")), NOW)
    (page,) = one.bulletin.drain()[1]
    assert (page.kind, page.to, page.severity) == ("page", ("ana",), "critical")
    assert one.status(()).urgency == "page"


def test_who_breaks_the_glass_pages_the_owner_whatever_the_rules_say() -> None:
    one = Coordinator(start())
    one.open(NOW)
    one.bulletin.drain()
    one.hear(news(1, AuditKind.GLASS_BROKEN), NOW)
    (page,) = one.bulletin.drain()[1]
    assert (page.kind, page.to) == ("page", ("owner",))


def test_what_failed_calls_those_who_were_called_before_with_what_is_still_in_place() -> None:
    one = Coordinator(start("critical"))
    one.open(NOW)
    one.tick(NOW + timedelta(minutes=5))
    one.bulletin.drain()
    left = ["Set the lamp to 1 on the stage"]
    facts: dict[str, Any] = {"outcome": "failed", "reason": "the lamp is gone", "left": left}
    one.hear(news(1, AuditKind.INCIDENT_CLOSED, data=facts), NOW + timedelta(minutes=6))
    (page,) = one.bulletin.drain()[1]
    assert page.to == ("ana", "ben")
    assert "Still in place: Set the lamp to 1 on the stage" in page.body
    assert "the lamp is gone" in page.body
