"""What people read on the console: times, and text from outside."""

from datetime import UTC, datetime, timedelta

import pytest

from halon.gateway.console.shown import MAX_TEXT, line, passage, value
from halon.gateway.console.times import clock_text, distance_text, iso_text

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "now"),
        (-3, "now"),
        (-42, "42 s ago"),
        (90, "in 1 min"),
        (24 * 60, "in 24 min"),
        (-3600, "1 h ago"),
        (5400, "in 1 h 30 min"),
        (-11 * 3600 - 1800, "11 h ago"),
        (-90_000, "1 d 1 h ago"),
        (-86_400 * 30, "30 d ago"),
    ],
)
def test_how_far_a_time_is_is_said_in_the_unit_that_matters(seconds: int, said: str) -> None:
    assert distance_text(NOW + timedelta(seconds=seconds), NOW) == said


def test_a_time_is_in_utc_and_names_another_day() -> None:
    assert clock_text(NOW, NOW) == "03:04:05 UTC"
    assert clock_text(NOW - timedelta(days=1), NOW) == "2026-01-01 03:04:05 UTC"
    assert iso_text(NOW) == "2026-01-02T03:04:05Z"


def test_what_turns_the_direction_of_writing_is_made_visible() -> None:
    assert line("safe \u202egpj.exe\x1b[31m") == "safe �gpj.exe�[31m"


def test_long_text_is_cut_and_says_so() -> None:
    assert passage("x" * 1_000_000) == "x" * MAX_TEXT + "… (998,000 more characters)"
    assert len(line("y" * 1_000_000)) < 400


def test_a_line_is_one_line_and_a_passage_keeps_its_lines() -> None:
    assert (line("a\n\tb"), passage("a\nb")) == ("a b", "a\nb")


def test_values_of_a_plan_are_written_as_people_write_them() -> None:
    assert [value(one) for one in (None, "x", 3, True, ["a"], {"a": [1]})] == [
        "(nothing)",
        "x",
        "3",
        "true",
        '["a"]',
        '{\n  "a": [\n    1\n  ]\n}',
    ]
