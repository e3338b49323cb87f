"""Repeats are counted in bounded memory, and told in few reports."""

from halon.contracts.alert import AlertStatus
from halon.contracts.incident import MAX_COUNTS
from halon.core.membership import OTHERS
from halon.gateway.repeats import FIRST_REPORT, LONGEST_REPORT, MAX_COUNTED, Repeats, Report

FIRING, RESOLVED = AlertStatus.FIRING, AlertStatus.RESOLVED


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_day_of_repeats_is_some_hundred_and_fifty_reports() -> None:
    clock = Clock()
    repeats, reports = Repeats(clock), list[Report]()
    for second in range(24 * 3600):
        clock.now = second
        repeats.count("g", "e", FIRING)
        for account in repeats.due():
            reports += repeats.take(account)
    assert len(reports) <= 24 * 3600 / LONGEST_REPORT.total_seconds() + 8
    told = sum(report.times for report in reports) + sum(report.times for report in repeats.take("g"))
    assert told == 24 * 3600


def test_more_alerts_than_are_counted_apart_are_counted_together() -> None:
    repeats = Repeats(Clock())
    for number in range(MAX_COUNTED + 50):
        repeats.count("g", f"e{number}", FIRING)
    reports = list(repeats.take("g"))
    assert sum(report.times for report in reports) == MAX_COUNTED + 50
    assert max(len(report.firing) for report in reports) <= MAX_COUNTS
    assert [report.firing[OTHERS] for report in reports if OTHERS in report.firing] == [50]
    repeats.count("g", "again", FIRING)
    assert [report.firing for report in repeats.take("g")] == [{"again": 1}]


def test_ends_are_counted_apart() -> None:
    repeats = Repeats(Clock())
    for status in (FIRING, RESOLVED, RESOLVED):
        repeats.count("g", "e", status)
    assert list(repeats.take("g")) == [Report("g", {"e": 1}, {"e": 2})]


def test_quiet_accounts_are_forgotten() -> None:
    clock = Clock()
    repeats = Repeats(clock)
    repeats.count("g", "e", FIRING)
    clock.now += FIRST_REPORT.total_seconds()
    assert repeats.due() == ["g"]
    list(repeats.take("g"))
    clock.now += 3 * FIRST_REPORT.total_seconds()
    assert repeats.due() == []
    clock.now += FIRST_REPORT.total_seconds()
    repeats.due()
    assert repeats._accounts == {}
