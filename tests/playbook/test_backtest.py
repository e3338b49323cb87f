"""Alerts of the past come in again: what the playbooks would have done, under shared guards, with time compressed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import worker
from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, JsonObject
from halon.contracts.ledger import StormLimit
from halon.contracts.playbook import Playbook
from halon.documents import Document, parse
from halon.errors import InvalidInput
from halon.playbook.backtest import Arrival, Installation, backtest
from halon.playbook.backtest_incident import Deciders
from halon.playbook.backtest_report import BacktestReport

ACTIONS = worker.registry().schemas
START = datetime(2026, 3, 1, tzinfo=UTC)
CALM = Installation(StormLimit(incidents=1000, within=timedelta(minutes=1)))
RESTART: JsonObject = {
    "id": "restart",
    "uses": "kubernetes.restart_deployment",
    "with": {"namespace": "shop", "name": "${{ alert.labels.deployment }}"},
}
VERIFY: JsonObject = {
    "id": "healthy",
    "verify": {"uses": "http.check", "with": {"url": "https://shop/"}},
    "until": "${{ result.ok }}",
    "within": "1m",
}
HEALTHY: JsonObject = {"http.check": {"ok": True}}


def book(name: str = "restart", steps: Sequence[JsonObject] = (RESTART, VERIFY), **more: Any) -> Playbook:
    trigger = {"alerts": ["Broken"], "group_by": ["deployment"], **more.pop("trigger", {})}
    given = more.pop("given", HEALTHY)
    test = {
        "name": "restarts",
        "alert": {"name": "Broken", "labels": {"deployment": "cart"}},
        "given": given,
        "expect": {"outcome": "remediated"},
    }
    return Playbook.model_validate(
        {
            "apiVersion": "halon/v1",
            "kind": "Playbook",
            "metadata": {"name": name, "title": name, "owner": "team-a"},
            "trigger": trigger,
            "target": "k8s/default/shop/deployment/${{ alert.labels.deployment }}",
            "steps": list(steps),
            "tests": [test],
            **more,
        }
    )


def at(minutes: float, name: str = "Broken", *, ends: float | None = None, **labels: str) -> Arrival:
    """An alert that began so many minutes after the start, or that ended when `ends` is given."""
    labels = {"deployment": "cart", **labels}
    began = START + timedelta(minutes=minutes)
    status = AlertStatus.FIRING if ends is None else AlertStatus.RESOLVED
    alert = Alert(
        source="test", name=name, fingerprint=f"{name}{labels}", status=status, labels=labels, starts_at=began
    )
    return Arrival(began if ends is None else START + timedelta(minutes=ends), alert)


def again(arrival: Arrival, minutes: float) -> Arrival:
    """The same alert, told once more."""
    return Arrival(START + timedelta(minutes=minutes), arrival.alert)


def play(
    playbook: Playbook | Sequence[Playbook],
    arrivals: Sequence[Arrival],
    installation: Installation = CALM,
    **options: Any,
) -> BacktestReport:
    books = [playbook] if isinstance(playbook, Playbook) else playbook
    return backtest({one.metadata.name: one for one in books}, ACTIONS, arrivals, installation, **options)


def outcomes(report: BacktestReport, name: str = "restart") -> Mapping[str, int]:
    return dict(report.by_playbook[name].outcomes)


def notable(report: BacktestReport) -> list[tuple[str, float]]:
    return [(one.what, (one.at - START) / timedelta(minutes=1)) for one in report.timeline]


def document(text: str) -> Document:
    return parse(text, "answers.yaml")


def test_an_alert_starts_a_run_and_what_no_playbook_takes_is_told() -> None:
    odd = at(2, labels_are="x", deployment="basket")
    report = play(book(trigger={"labels": {"deployment": "cart"}}), [at(1), odd, at(3, "Unknown"), at(4, "Unknown")])
    tally = report.by_playbook["restart"]
    assert (report.alerts, report.firing, report.first) == (4, 4, START + timedelta(minutes=1))
    assert (tally.incidents, tally.runs, tally.changes, tally.asked, outcomes(report)) == (
        1,
        1,
        1,
        0,
        {"remediated": 1},
    )
    assert [(one.name, one.count, one.reasons) for one in report.unmatched] == [
        ("Unknown", 2, ()),
        ("Broken", 1, ("restart: label deployment is basket, not cart",)),
    ]
    assert report.timeline == ()


def test_without_alerts_nothing_happens() -> None:
    report = play(book(), [])
    assert (report.alerts, report.by_playbook, report.playbooks) == (0, {}, 1)


def test_repeats_and_alerts_of_an_open_incident_start_nothing() -> None:
    asking = book(steps=[{**RESTART, "approve": {"within": "30m"}}, VERIFY])
    first = at(0)
    report = play(asking, [first, again(first, 0.5), at(1, pod="other"), again(first, 90)])
    tally = report.by_playbook["restart"]
    assert (tally.incidents, tally.runs, tally.repeats, tally.asked) == (1, 1, 2, 1)


@pytest.mark.parametrize(
    ("verdict", "after", "ends", "outcome"),
    [
        ("approve", 2, None, "remediated"),
        ("deny", 2, None, "denied"),
        ("nobody", 2, None, "expired"),
        ("approve", 40, None, "expired"),
        ("approve", 20, 10, "resolved"),
    ],
    ids=["yes", "no", "nobody", "too late", "it clears first"],
)
def test_people_decide_as_they_are_told_to(verdict: Any, after: int, ends: float | None, outcome: str) -> None:
    asking = book(steps=[{**RESTART, "approve": {"within": "30m", "quorum": 2}}, VERIFY])
    deciders = Deciders(verdict, timedelta(minutes=after))
    cleared = [at(0, ends=ends)] if ends is not None else []
    report = play(asking, [at(0), *cleared], deciders=deciders)
    tally = report.by_playbook["restart"]
    assert (outcomes(report), tally.asked, tally.expired) == ({outcome: 1}, 1, int(outcome == "expired"))


def test_incidents_meet_at_a_lock() -> None:
    slow: JsonObject = {"id": "pause", "wait": "10m"}
    locked = book(steps=[slow, RESTART, VERIFY], guard={"lock": "target"}, trigger={"group_by": ["pod"]})
    arrivals = [at(0, pod="a"), at(5, pod="b"), at(30, pod="c"), at(31, pod="d", deployment="web")]
    report = play(locked, arrivals)
    assert outcomes(report) == {"remediated": 3, "refused": 1}
    assert report.by_playbook["restart"].refused_by == {"lock": 1}
    assert notable(report) == [("refused", 5)]


def test_failures_open_the_breaker_for_those_that_follow() -> None:
    guard = {"breaker": {"failures": 2, "within": "1h", "cooldown": "30m"}}
    failing = book(guard=guard, given={"http.check": {"ok": False}}, trigger={"group_by": ["pod"]})
    report = play(failing, [at(10 * number, pod=str(number)) for number in range(6)])
    assert outcomes(report)["refused"] == 3
    assert report.by_playbook["restart"].refused_by == {"breaker": 3}
    assert "breaker.opened" in [what for what, _ in notable(report)]


def test_rates_and_budgets_are_counted_over_all_incidents() -> None:
    rated = book(guard={"rate": {"runs": 2, "per": "1h"}}, trigger={"group_by": ["pod"]})
    report = play(rated, [at(10 * number, pod=str(number)) for number in range(4)])
    assert (outcomes(report), report.by_playbook["restart"].refused_by) == (
        {"remediated": 2, "refused": 2},
        {"rate": 2},
    )
    scarce = book(guard={"budget": {"scope": "shop", "max_targets": 1, "per": "1h"}})
    report = play(scarce, [at(0), at(10, deployment="web"), at(80, deployment="web", pod="x")])
    assert report.by_playbook["restart"].refused_by == {"budget": 1}


def test_freezes_refuse_and_the_policy_asks() -> None:
    def frozen(when: datetime, target: str, playbook: str) -> list[str]:
        assert (target, playbook) == ("k8s/default/shop/deployment/cart", "restart")
        return ["change freeze weekend"] if when < START + timedelta(minutes=30) else []

    report = play(book(), [at(0), at(60, pod="b")], Installation(CALM.storm, frozen=frozen))
    assert report.by_playbook["restart"].refused_by == {"freeze": 1}
    assert outcomes(report) == {"refused": 1, "remediated": 1}


def test_a_storm_asks_people_and_is_told() -> None:
    stormy = Installation(StormLimit(incidents=3, within=timedelta(minutes=10)))
    report = play(book(), [at(number / 10, deployment=f"d{number}") for number in range(6)], stormy)
    assert (report.storms, report.by_playbook["restart"].asked) == (1, 3)
    assert [what for what, _ in notable(report)] == ["storm.began", "storm.ended"]


def test_after_waits_for_more_alerts_and_gives_up() -> None:
    patient = book(trigger={"after": {"count": 2, "within": "10m"}})
    first = at(0)
    assert outcomes(play(patient, [first, again(first, 5)])) == {"remediated": 1}
    report = play(patient, [at(0), at(0, ends=1), at(30), again(at(30), 45)])
    assert (report.by_playbook["restart"].suppressed, report.by_playbook["restart"].runs) == (3, 0)
    assert notable(report) == [("suppressed", 10), ("reopened", 30), ("suppressed", 40), ("suppressed", 55)]


def test_once_holds_back_and_a_return_reopens() -> None:
    seldom = book(trigger={"once": {"within": "1h"}})
    report = play(seldom, [at(0), at(0, ends=5), at(20), at(20, ends=25), at(90)])
    tally = report.by_playbook["restart"]
    assert (tally.runs, tally.suppressed) == (2, 1)
    back = play(book(), [at(0), at(0, ends=5), at(20)])
    tally = back.by_playbook["restart"]
    assert (tally.incidents, tally.reopened, tally.runs) == (1, 1, 2)
    assert notable(back) == [("reopened", 20)]


def test_once_until_resolved_waits_for_the_end() -> None:
    until = book(trigger={"once": "until_resolved", "reopen_within": "0s"})
    report = play(until, [at(0), at(10, pod="b"), at(0, ends=20), at(10, pod="b", ends=21), at(30, pod="c")])
    tally = report.by_playbook["restart"]
    assert (tally.runs, tally.suppressed) == (2, 1)


def test_a_flapping_alert_asks_people() -> None:
    flapping: list[Arrival] = []
    for number in range(4):
        flapping += [at(2 * number), at(2 * number, ends=2 * number + 1)]
    report = play(book(trigger={"reopen_within": "0s"}), flapping)
    tally = report.by_playbook["restart"]
    assert (tally.flapping > 0, tally.asked) == (True, tally.flapping)


def test_what_nobody_answers_is_told_and_answers_may_be_given() -> None:
    empty = book(given={})
    report = play(empty, [at(0)])
    tally = report.by_playbook["restart"]
    assert (tally.unanswered, len(tally.missing)) == (1, 1)
    assert next(iter(tally.missing)).startswith("healthy: the test gives no answer of http.check")
    given = "http.check: {ok: true}\nrestart: {http.check@healthy: [{ok: false}, {ok: true}]}\n"
    assert outcomes(play(empty, [at(0)], answers=document(given))) == {"remediated": 1}


OWNER: JsonObject = {
    "id": "owner",
    "uses": "kubernetes.get_owner",
    "with": {"namespace": "shop", "pod": "${{ alert.labels.pod }}"},
}


def reasons(report: BacktestReport) -> list[str]:
    return [one.message for one in report.timeline]


def test_a_tests_answer_that_is_a_label_follows_the_alert() -> None:
    end: JsonObject = {"stop": {"outcome": "refused", "reason": "${{ steps.owner.output.deployment }}"}}
    steps = [OWNER, end]
    given: dict[str, Json] = {"kubernetes.get_owner": {"deployment": "cart", "kind": "other"}}
    following = book(steps=steps, given=given, trigger={"group_by": ["pod"]})
    report = play(following, [at(0, pod="a"), at(1, pod="b", deployment="web")])
    assert reasons(report) == ["cart", "web"]
    answers = document('kubernetes.get_owner: {deployment: "x-${{ alert.labels.pod }}"}\n')
    report = play(following, [at(0, pod="a"), at(1, pod="b")], answers=answers)
    assert reasons(report) == ["x-a", "x-b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]\n", "answers.yaml:1:1: expected a map"),
        ("restrat: {}\n", "answers.yaml:1:1: `restrat` is neither an action nor a playbook"),
        ("restart: 3\n", "`restart` is neither"),
        ("http.chek: {ok: true}\n", "there is no action http.chek"),
        ("http.check: {error: no, no_data: true}\n", "answers.yaml:1:13: "),
    ],
)
def test_answers_that_are_wrong_are_told_at_their_place(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as error:
        play(book(), [at(0)], answers=document(text))
    assert said in "\n".join(error.value.problems)


def test_an_answer_without_a_value_for_an_alert_is_an_error() -> None:
    answers = document('http.check: {ok: "${{ alert.labels.nothing }}"}\n')
    with pytest.raises(InvalidInput, match="no value for alert Broken"):
        play(book(), [at(0)], answers=answers)


def test_the_same_alerts_give_the_same_answer() -> None:
    guard = {"lock": "target", "breaker": {"failures": 2, "within": "1h", "cooldown": "30m"}}
    books = [book(guard=guard), book("other", guard=guard, trigger={"group_by": ["pod"]})]
    moments = [(number * 1.7, {"pod": str(number % 7), "deployment": f"d{number % 3}"}) for number in range(200)]
    arrivals = [at(moment, **labels) for moment, labels in moments]
    arrivals += [at(moment, ends=moment + 4, **labels) for moment, labels in moments]
    one, other = play(books, arrivals), play(books, list(reversed(arrivals)))
    assert one.to_json() == other.to_json()
    assert one.by_playbook["restart"].incidents > 0
