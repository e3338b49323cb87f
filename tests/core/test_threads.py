"""News of an incident reach each channel once, in order, a message at a time; what comes too fast is held together."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from halon.contracts.coordination import DigestLine
from halon.core.damping import Damper, pause_after
from halon.core.digest import digest_text, worst
from halon.core.threads import MAX_SHOWN, Threads

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
GATHER = timedelta(seconds=10)
STEPS = st.lists(st.sampled_from(["news", "wait", "arrive"]), max_size=80)


@given(STEPS)
def test_every_line_is_told_once_in_order_however_slow_the_channel_is(steps: list[str]) -> None:
    threads, now, count = Threads(("stage",), (), (), 0), NOW, 0
    told: list[str] = []
    under_way = False
    for step in [*steps, "arrive", "wait", "wait", "arrive", "wait", "arrive"]:
        if step == "news":
            threads.add(f"line {count}", now, GATHER)
            count += 1
        elif step == "wait":
            now += GATHER
            for channel in threads.due(now):
                assert not under_way
                under_way = True
                _state, lines, left_out = threads.begin(channel)
                assert (bool(lines), left_out) == (True, max(0, count - len(told) - MAX_SHOWN))
                told += [*["(left out)"] * left_out, *lines]
        elif under_way:
            threads.end("stage", "ts-1", now, GATHER)
            under_way = False
    assert len(told) == count
    assert [one for number, one in enumerate(told) if one not in {f"line {number}", "(left out)"}] == []
    assert threads.settled
    assert threads.thread("stage") in {"", "ts-1"}


def test_the_first_news_go_out_soon_and_later_ones_gather() -> None:
    threads = Threads(("stage",), (), (), 0)
    threads.add("opened", NOW, GATHER)
    assert threads.next_at() == NOW + timedelta(seconds=2)
    threads.begin("stage")
    threads.end("stage", "", NOW, GATHER)
    threads.add("applied", NOW, GATHER)
    assert threads.next_at() == NOW + GATHER


@given(st.lists(st.integers(min_value=0, max_value=300), min_size=1, max_size=200), st.integers(1, 20))
def test_no_minute_has_more_messages_than_its_channel_takes(seconds: list[int], most: int) -> None:
    damper = Damper(most)
    times = [NOW + timedelta(seconds=one) for one in sorted(seconds)]
    sent = [one for one in times if damper.allows("stage", one)]
    assert all(sum(timedelta() <= other - one < timedelta(minutes=1) for other in sent) <= most for one in sent)
    assert sent[0] == times[0]


def test_a_message_that_did_not_go_out_does_not_count() -> None:
    damper = Damper(1)
    assert damper.allows("stage", NOW)
    damper.take_back("stage")
    assert damper.allows("stage", NOW)
    assert not damper.allows("stage", NOW)
    assert damper.allows("other", NOW)


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=7)))
def test_a_channel_that_is_back_is_tried_within_minutes(waited: timedelta) -> None:
    pause = pause_after(waited)
    assert timedelta(seconds=15) <= pause <= timedelta(minutes=5 if waited < timedelta(hours=2) else 15)


def test_a_digest_says_what_matters_most_first_and_counts_the_rest() -> None:
    lines = [
        DigestLine(id="a/1", incident="a", title="opened", severity="info"),
        DigestLine(id="b/1", incident="b", title="called", severity="critical"),
        DigestLine(id="a/2", incident="a", title="closed", severity="info"),
    ]
    title, body = digest_text(lines, 2)
    assert title.startswith("5 messages of 2 incidents")
    assert body.splitlines() == [
        "b", "  - called", "a", "  - opened", "  - closed", "and 2 more: see `halon incidents`"
    ]  # fmt: skip
    assert worst(lines) == "critical"
