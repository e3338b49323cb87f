"""Which conditions come and go so often that nobody should trust them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.past import ConditionState
from halon.core.flapping import Conditions, flaps, heard, recent_changes, sighting

START = datetime(2026, 1, 1, tzinfo=UTC)


def alert(status: str, episode: int = 0, fingerprint: str = "f") -> Alert:
    return Alert(
        source="am",
        name="Down",
        fingerprint=fingerprint,
        status=AlertStatus(status),
        starts_at=START + timedelta(seconds=episode),
    )


def after(*events: tuple[float, str, int]) -> ConditionState:
    """How a condition stands after events: minutes, status, and which episode."""
    state = None
    for minutes, status, episode in events:
        state = heard(state, sighting(alert(status, episode), START + timedelta(minutes=minutes)))
    assert state is not None
    return state


def test_a_condition_that_comes_for_the_third_time_within_a_quarter_of_an_hour_flaps() -> None:
    events = [(0, "firing", 0), (2, "resolved", 0), (4, "firing", 1), (6, "resolved", 1), (8, "firing", 2)]
    now = START + timedelta(minutes=8)
    assert not flaps(after(*events[:-1]), now)
    assert flaps(after(*events), now)
    assert recent_changes(after(*events), now) == 4
    assert not flaps(after(*events), START + timedelta(minutes=17, seconds=1))


def test_repeats_are_no_changes() -> None:
    assert after(*((minute, "firing", 0) for minute in range(15))).changes == ()


def test_episodes_that_begin_anew_are_changes_although_nobody_said_that_the_last_one_ended() -> None:
    state = after(*((minute, "firing", minute) for minute in range(5)))
    assert len(state.changes) == 4
    assert state.since == START


def test_a_late_word_about_an_earlier_episode_says_nothing() -> None:
    state = after((0, "firing", 1), (1, "firing", 2), (2, "resolved", 1))
    assert state.firing
    assert len(state.changes) == 1


EVENTS = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=8),
        st.sampled_from(["firing", "resolved"]),
        st.integers(min_value=0, max_value=3),
        st.sampled_from(["one", "other"]),
    ),
    max_size=40,
)


@given(EVENTS)
def test_an_incident_tells_what_flaps_as_counting_the_list_of_changes_does(
    events: list[tuple[int, str, int, str]],
) -> None:
    conditions, log, now = Conditions(), list[tuple[datetime, Alert]](), START
    for minutes, status, episode, fingerprint in events:
        now += timedelta(minutes=minutes)
        one = alert(status, episode, fingerprint)
        conditions.hear(one, now)
        log.append((now, one))
        expected = [counted(log, name, now) for name in dict.fromkeys(each.fingerprint for _, each in log)]
        assert [count for _, count in conditions.flapping(now)] == [count for count in expected if count >= 4]


def counted(log: list[tuple[datetime, Alert]], fingerprint: str, now: datetime) -> int:
    """Count by walking the whole list: each entry against the newest episode before it. At most 16 are kept."""
    mine = [(at, one) for at, one in log if one.fingerprint == fingerprint]
    times: list[datetime] = []
    for index in range(1, len(mine)):
        newest = max(one.starts_at for _, one in mine[:index])
        at, one = mine[index]
        if one.starts_at < newest:
            continue
        last = next(each for _, each in reversed(mine[:index]) if each.starts_at >= _newest_before(mine, each))
        begins_anew = one.starts_at > newest and one.status is AlertStatus.FIRING
        if one.status is not last.status or begins_anew:
            times.append(at)
    return sum(1 for at in times[-16:] if now - at <= timedelta(minutes=15))


def _newest_before(mine: list[tuple[datetime, Alert]], one: Alert) -> datetime:
    index = next(place for place, (_, each) in enumerate(mine) if each is one)
    return max((each.starts_at for _, each in mine[:index]), default=one.starts_at)


@pytest.mark.parametrize("known", [True, False])
def test_what_the_store_remembers_is_counted_on(known: bool) -> None:  # noqa: FBT001  # a parameter of the test
    remembered = after((0, "firing", 0), (1, "resolved", 0), (2, "firing", 1), (3, "resolved", 1))
    conditions = Conditions()
    if known:
        conditions.recall([remembered])
    now = START + timedelta(minutes=4)
    conditions.hear(alert("firing", 2), now)
    assert [count for _, count in conditions.flapping(now)] == ([4] if known else [])
    states, _ = conditions.unsaved()
    assert [len(state.changes) for state in states] == [4 if known else 0]
    assert conditions.unsaved() == ((), ())


def test_the_end_of_what_an_earlier_incident_took_up_is_kept_for_the_store() -> None:
    conditions = Conditions()
    one = alert("resolved")
    conditions.hear_resolved(one, START)
    assert conditions.has_resolved(one.condition)
    assert conditions.unsaved() == ((), (sighting(one, START),))
    assert conditions.unsaved() == ((), ())
    assert conditions.has_resolved(one.condition)


def test_a_later_word_without_a_start_is_no_new_episode_and_its_end_counts_however_old() -> None:
    def told(status: str, second: int) -> ConditionState:
        said = sighting(alert(status, second).model_copy(update={"undated": True}), START + timedelta(minutes=1))
        return heard(after((0, "firing", 10)), said)

    assert told("firing", 20).changes == ()
    assert not told("resolved", 5).firing
