"""Which alerts belong to an incident."""

from datetime import UTC, datetime, timedelta

from halon.contracts.alert import Alert, AlertStatus
from halon.core.membership import Members

START = datetime(2026, 1, 1, tzinfo=UTC)


def alert(fingerprint: str = "f", status: AlertStatus = AlertStatus.FIRING, minutes: int = 0) -> Alert:
    starts = START + timedelta(minutes=minutes)
    return Alert(source="am", name="Down", fingerprint=fingerprint, status=status, starts_at=starts)


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
