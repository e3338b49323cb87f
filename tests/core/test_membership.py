"""Which alerts belong to an incident."""

from datetime import UTC, datetime, timedelta

from halon.contracts.alert import Alert, AlertStatus
from halon.core.membership import MAX_MEMBERS, OTHERS, Members

START = datetime(2026, 1, 1, tzinfo=UTC)


def alert(fingerprint: str = "f", status: AlertStatus = AlertStatus.FIRING, minutes: int = 0, **labels: str) -> Alert:
    starts = START + timedelta(minutes=minutes)
    return Alert(source="am", name="Down", fingerprint=fingerprint, status=status, labels=labels, starts_at=starts)


def test_a_repeat_is_counted_and_not_new() -> None:
    members, one = Members(), alert()
    assert members.new_episodes([one, one]) == (one.episode,)
    assert [news for _, news in members.take([one, one], frozenset({one.episode}))] == ["new", ""]
    assert (members.firings, members.repeats, len(members.alerts)) == (2, 1, 1)
    assert members.new_episodes([one]) == ()


def test_the_same_condition_that_starts_again_is_another_episode() -> None:
    members = Members()
    assert len(members.new_episodes([alert(), alert(minutes=5)])) == 2


def test_an_incident_is_cleared_when_all_of_its_alerts_are() -> None:
    members, one, other = Members(), alert("one"), alert("other")
    members.take([one, other], frozenset({one.episode, other.episode}))
    members.take([alert("one", AlertStatus.RESOLVED)], frozenset())
    assert not members.cleared
    members.take([alert("other", AlertStatus.RESOLVED)], frozenset())
    assert members.cleared
    members.take([other], frozenset())
    assert not members.cleared


def test_an_episode_that_another_incident_handled_stays_out() -> None:
    members, one = Members(), alert()
    assert [news for _, news in members.take([one, one], frozenset())] == ["taken", ""]
    assert members.alerts == ()
    assert not members.cleared


def test_a_resolution_of_an_unknown_alert_changes_nothing() -> None:
    members = Members()
    members.take([alert(status=AlertStatus.RESOLVED)], frozenset())
    assert members.alerts == ()


def test_an_end_without_a_start_of_its_own_ends_every_episode_of_its_condition() -> None:
    members, one, again, other = Members(), alert(), alert(minutes=5), alert("other")
    members.take([one, again, other], frozenset({one.episode, again.episode, other.episode}))
    end = alert(status=AlertStatus.RESOLVED, minutes=9).model_copy(update={"undated": True, "ends_at": START})
    assert [news for _, news in members.take([end, end], frozenset())] == ["resolved", ""]
    assert [(alert.fingerprint, alert.status.value) for alert in members.alerts] == [
        ("f", "resolved"),
        ("f", "resolved"),
        ("other", "firing"),
    ]
    assert [alert.episode for alert in members.alerts[:2]] == [one.episode, again.episode]
    assert {alert.ends_at for alert in members.alerts[:2]} == {START}


def test_a_cycle_names_the_episode_instead_of_the_start() -> None:
    first, later = (alert(minutes=minutes).model_copy(update={"cycle": "c1"}) for minutes in (0, 5))
    assert first.episode == later.episode != alert().episode


def test_repeats_are_told_by_alert_however_they_came_and_each_once() -> None:
    members, one, end = Members(), alert(), alert(status=AlertStatus.RESOLVED)
    members.take([one, one, end, end], frozenset({one.episode}))
    members.count_repeats({one.episode: 5, "other": 2}, {one.episode: 1})
    assert members.told_repeats() == {one.episode: 8, "other": 2}
    assert members.told_repeats() == {}
    assert (members.firings, members.count) == (9, 12)


def test_the_repeats_of_more_alerts_than_are_kept_apart_are_counted_together() -> None:
    members = Members()
    members.count_repeats({f"e{n}": 1 for n in range(MAX_MEMBERS)}, {})
    members.count_repeats({"more": 2, "still more": 3, "e7": 1}, {})
    told = members.told_repeats()
    assert (len(told), told[OTHERS], told["e7"]) == (MAX_MEMBERS + 1, 5, 2)


def test_the_labels_of_an_incident_are_those_that_all_of_its_alerts_agree_on() -> None:
    members = Members()
    assert members.labels == {}
    one, other = alert("one", team="shop", pod="a"), alert("other", team="shop", pod="b", zone="1")
    members.take([one], frozenset({one.episode}))
    assert members.labels == {"team": "shop", "pod": "a"}
    members.take([other], frozenset({other.episode}))
    assert members.labels == {"team": "shop"}
