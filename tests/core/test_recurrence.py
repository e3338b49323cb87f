"""What follows when a group fires that fired before."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halon.contracts.past import EarlierIncident, GroupPast
from halon.contracts.playbook import After, Trigger
from halon.core.ids import MAX_RUNS, group_of, incident_of, run_id
from halon.core.recurrence import (
    MAX_WINDOWS,
    in_window,
    most_in_window,
    predecessor_text,
    recurrence,
    reopened_text,
    reopens,
    throttled,
    window_left,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
AFTER = After(count=3, within=timedelta(minutes=10))


def trigger(**more: Any) -> Trigger:
    return Trigger.model_validate({"alerts": ["Down"], **more})


def earlier(outcome: str = "remediated", **more: Any) -> EarlierIncident:
    given_: dict[str, Any] = {"incident": "dim-1-00000001", "outcome": outcome, "at": START, "opened_at": START}
    return EarlierIncident(**{**given_, "runs": 1, **more})


@pytest.mark.parametrize("outcome", ["remediated", "unnecessary", "resolved"])
def test_what_ended_well_is_reopened_within_the_look_back(outcome: str) -> None:
    past = GroupPast(settled=earlier(outcome))
    assert reopens(trigger(), past, START + timedelta(minutes=29)) == past.settled
    assert reopens(trigger(), past, START + timedelta(minutes=30)) is None
    told = recurrence(trigger(), past, START + timedelta(minutes=3), "dim-1-00000001")
    assert bool(told) is (outcome == "remediated")


@pytest.mark.parametrize("outcome", ["unverified", "refused", "denied", "expired", "undone", "failed", "cancelled"])
def test_what_ended_otherwise_is_not(outcome: str) -> None:
    past = GroupPast(settled=earlier(outcome))
    assert reopens(trigger(), past, START) is None
    assert recurrence(trigger(), past, START, "dim-1-00000001") == ""


def test_an_incident_that_had_its_fill_of_runs_is_not_reopened() -> None:
    assert reopens(trigger(), GroupPast(settled=earlier(runs=MAX_RUNS)), START) is None


def test_each_recurrence_is_told_from_the_one_before() -> None:
    """The breaker counts a sentence once, however often admission is asked."""
    at = START + timedelta(minutes=3)
    said = {recurrence(trigger(), GroupPast(settled=earlier(runs=n)), at, "other") for n in (1, 2)}
    assert len(said) == 2
    assert "the alert fired again 3m after run 1 of incident dim-1-00000001 ended as remediated" in said


@pytest.mark.parametrize(
    ("times", "word"), [(0, "1st"), (1, "2nd"), (2, "3rd"), (3, "4th"), (10, "11th"), (11, "12th"), (20, "21st")]
)
def test_a_reopening_says_how_often_and_how_soon(times: int, word: str) -> None:
    text = reopened_text(earlier(reopened=times), START + timedelta(minutes=3))
    assert text == f"Fires again 3m after it ended as remediated: reopened for the {word} time"


def test_the_incident_before_is_named_for_a_day() -> None:
    past = GroupPast(previous=earlier("failed"))
    named = predecessor_text(past, START + timedelta(hours=2, seconds=5))
    assert named == "; the one before it, dim-1-00000001, ended as failed 2h ago"
    assert predecessor_text(past, START + timedelta(days=2)) == ""


def test_once_within_a_time_counts_from_the_start_of_the_run() -> None:
    hourly = trigger(once={"within": "1h"})
    past = GroupPast(acted=earlier())
    held = throttled(hourly, past, START + timedelta(minutes=59), lambda _: True)
    assert "incident dim-1-00000001 acted 59m ago" in held
    assert "not before 2026-01-01 01:00:00 UTC" in held
    assert throttled(hourly, past, START + timedelta(hours=1), lambda _: False) == ""
    assert throttled(hourly, GroupPast(), START, lambda _: False) == ""
    assert throttled(trigger(), past, START, lambda _: False) == ""


def test_once_until_resolved_asks_for_the_end_of_each_condition() -> None:
    until = trigger(once="until_resolved")
    past = GroupPast(acted=earlier(), unresolved=("a", "b"))
    assert "2 alerts of the group" in throttled(until, past, START, lambda _: False)
    assert "1 alert of the group" in throttled(until, past, START, lambda one: one == "a")
    assert throttled(until, past, START, lambda _: True) == ""


@given(st.lists(st.integers(min_value=0, max_value=900), max_size=30))
def test_alerts_are_counted_in_the_fullest_window(gaps: list[int]) -> None:
    fired, now = list[datetime](), START
    for gap in gaps:
        now += timedelta(seconds=gap)
        fired.append(now)
        left = window_left(AFTER, fired, START, now)
        assert left <= AFTER.within
        assert now + left <= max(now, START + MAX_WINDOWS * AFTER.within)
    in_order = [sum(1 for one in fired[: n + 1] if at - one < AFTER.within) for n, at in enumerate(fired)]
    assert most_in_window(AFTER, fired) == max(in_order, default=0)
    assert in_window(AFTER, fired, now) == (in_order[-1] if in_order else 0)


def test_a_wait_for_more_alerts_ends_when_the_last_one_is_too_old() -> None:
    fired = [START, START + timedelta(minutes=9)]
    assert window_left(AFTER, fired, START, START + timedelta(minutes=9)) == timedelta(minutes=1)
    assert window_left(AFTER, fired, START, START + timedelta(minutes=10)) == timedelta(minutes=9)
    assert window_left(AFTER, fired, START, START + timedelta(minutes=19)) == timedelta()


@pytest.mark.parametrize("incident", ["dim-run-0123456789-01234567", "dim-0123456789-manual"])
@pytest.mark.parametrize("ordinal", [1, 2, 100])
def test_every_run_leads_to_its_incident(incident: str, ordinal: int) -> None:
    run = run_id(incident, ordinal)
    assert incident_of(run) == incident == incident_of(incident)
    assert group_of(run) == incident.rpartition("-")[0]


@pytest.mark.parametrize("typed", ["dim-run", "dim-run-2", "dim-run-0123456789", "dim-run-1"])
def test_the_beginning_of_an_id_is_no_run(typed: str) -> None:
    assert incident_of(typed) == typed
