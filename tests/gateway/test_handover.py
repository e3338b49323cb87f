"""In a storm an incident gets a signal at a time, and none for what it has; nobody is forgotten or told too early."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gateway_doubles import RememberingDispatcher, playbook

from halon.contracts.alert import Alert
from halon.contracts.incident import MAX_BATCH
from halon.contracts.playbook import Playbook
from halon.core.grouping import AlertGroup
from halon.errors import PermanentError, TransientError
from halon.gateway.handover import KNOWN_FOR, MAX_WAITING, MAX_WAITING_GROUP, Handed, Handover, Parcel
from halon.gateway.repeats import FIRST_REPORT, Report

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NEW, REPEATED = Handed(taken=True, repeated=False), Handed(taken=True, repeated=True)
COUNTED = playbook("counted", after={"count": 3, "within": "5m"})


def alert(number: int = 1, status: str = "firing") -> Alert:
    return Alert.model_validate(
        {"source": "lab", "name": "Down", "fingerprint": str(number), "status": status, "starts_at": NOW}
    )


def parcel(*alerts: Alert, group: str = "g", book: Playbook | None = None) -> Parcel:
    return Parcel.of(AlertGroup(group, book or playbook(), alerts))


@dataclass
class Bench:
    dispatcher: RememberingDispatcher = field(default_factory=RememberingDispatcher)
    closed: list[Report] = field(default_factory=list)
    now: float = 1000.0
    timeout: timedelta = timedelta(seconds=20)

    def __post_init__(self) -> None:
        self.handover = Handover(self.dispatcher, self.timeout, self.closed.append, lambda: self.now)

    async def give(self, *alerts: Alert, **more: Any) -> list[Handed]:
        one = parcel(*alerts, **more)
        handed = await self.handover.hand_over(one)
        self.handover.count(one, handed)
        return handed

    @property
    def signals(self) -> list[list[str]]:
        return [[f"{one.fingerprint} {one.status.value}" for one in group.alerts] for group in self.dispatcher.groups]


async def settled(look: Callable[[], Awaitable[object] | object]) -> None:
    async with asyncio.timeout(5):
        while not look():  # noqa: ASYNC110  # what changes is the state of what is tested
            await asyncio.sleep(0)


async def test_what_temporal_has_is_not_sent_again() -> None:
    bench = Bench()
    assert await bench.give(alert()) == [NEW]
    assert [await bench.give(alert()) for _ in range(3)] == [[REPEATED]] * 3
    assert await bench.give(alert(), alert(2), alert(2)) == [REPEATED, NEW, REPEATED]
    assert bench.signals == [["1 firing"], ["2 firing"]]


async def test_every_change_of_an_alert_passes() -> None:
    bench = Bench()
    for status in ("firing", "resolved", "resolved", "firing", "firing"):
        await bench.give(alert(status=status))
    assert bench.signals == [["1 firing"], ["1 resolved"], ["1 firing"]]


async def test_a_repeat_reaches_temporal_again_when_it_has_been_silent_long_enough() -> None:
    bench = Bench()
    await bench.give(alert())
    bench.now += KNOWN_FOR.total_seconds() - 1
    assert await bench.give(alert()) == [REPEATED]
    bench.now += 2
    assert await bench.give(alert()) == [NEW]


async def test_an_incident_that_stays_open_is_not_sent_its_alerts_again_and_again() -> None:
    bench = Bench()
    for _ in range(6 * 60):
        await bench.give(alert(), alert(2))
        await bench.handover.report()
        bench.now += 60
    assert bench.signals == [["1 firing", "2 firing"]]
    assert len(bench.dispatcher.reports) < 45
    bench.dispatcher.open = False
    for _ in range(16):
        await bench.give(alert())
        await bench.handover.report()
        bench.now += 60
    assert 1 <= len(bench.signals[1:]) <= 16 / 2


async def test_alerts_that_come_while_a_signal_is_on_its_way_go_together_with_the_next() -> None:
    bench = Bench()
    gate = bench.dispatcher.gate = asyncio.Event()
    waiting = [asyncio.create_task(bench.give(alert(number))) for number in range(MAX_BATCH + 50)]
    await settled(bench.dispatcher.entered.is_set)
    assert not any(task.done() for task in waiting)
    gate.set()
    assert await asyncio.gather(*waiting) == [[NEW]] * (MAX_BATCH + 50)
    assert max(len(signal) for signal in bench.signals) == MAX_BATCH
    assert [name for signal in bench.signals for name in signal] == [f"{n} firing" for n in range(MAX_BATCH + 50)]
    assert len(bench.signals) <= 3


async def test_a_repeat_of_what_is_on_its_way_is_answered_with_it_and_not_before() -> None:
    bench = Bench()
    gate = bench.dispatcher.gate = asyncio.Event()
    first, second = [asyncio.create_task(bench.give(alert())) for _ in range(2)]
    await settled(bench.dispatcher.entered.is_set)
    assert not first.done()
    assert not second.done()
    gate.set()
    assert await asyncio.gather(first, second) == [[NEW], [REPEATED]]
    assert bench.signals == [["1 firing"]]


async def test_incidents_do_not_wait_for_each_other() -> None:
    bench = Bench()
    gate = bench.dispatcher.gate = asyncio.Event()
    stuck = asyncio.create_task(bench.give(alert(), group="stuck"))
    await settled(bench.dispatcher.entered.is_set)
    bench.dispatcher.gate = None
    assert await bench.give(alert(), group="other") == [NEW]
    assert not stuck.done()
    gate.set()
    assert await stuck == [NEW]


async def test_a_request_that_goes_away_takes_nobody_with_it() -> None:
    bench = Bench()
    gate = bench.dispatcher.gate = asyncio.Event()
    first = asyncio.create_task(bench.give(alert()))
    await settled(bench.dispatcher.entered.is_set)
    second = asyncio.create_task(bench.give(alert()))
    third = asyncio.create_task(bench.give(alert(2)))
    lonely = asyncio.create_task(bench.give(alert(3)))
    await asyncio.sleep(0)
    first.cancel()
    lonely.cancel()
    await asyncio.gather(first, lonely, return_exceptions=True)
    gate.set()
    assert await asyncio.gather(second, third) == [[REPEATED], [NEW]]
    assert bench.signals == [["1 firing"], ["2 firing"]]


@pytest.mark.parametrize("error", [TransientError("down", retry_after=timedelta(seconds=7)), PermanentError("never")])
async def test_what_temporal_did_not_accept_is_told_to_all_who_wait_and_is_sent_again(error: Exception) -> None:
    bench = Bench()
    bench.dispatcher.error = error
    gate = bench.dispatcher.gate = asyncio.Event()
    waiting = [asyncio.create_task(bench.give(alert())) for _ in range(2)]
    await settled(bench.dispatcher.entered.is_set)
    gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [(type(one), str(one)) for one in results] == [(type(error), str(error))] * 2
    bench.dispatcher.error = None
    assert await bench.give(alert()) == [NEW]


async def test_nobody_waits_longer_than_a_sender_would() -> None:
    bench = Bench(timeout=timedelta(milliseconds=20))
    gate = bench.dispatcher.gate = asyncio.Event()
    for number in (1, 2):
        with pytest.raises(TransientError, match="in time") as caught:
            await bench.give(alert(number))
        assert caught.value.retry_after is not None
    gate.set()
    await settled(lambda: bench.signals)
    assert bench.signals == [["1 firing"]]  # what nobody waits for any more is not sent


async def test_one_incident_cannot_take_all_the_room() -> None:
    bench = Bench()
    gate = bench.dispatcher.gate = asyncio.Event()
    waiting = [asyncio.create_task(bench.give(*map(alert, range(MAX_WAITING_GROUP + MAX_BATCH))))]
    await settled(bench.dispatcher.entered.is_set)
    with pytest.raises(TransientError, match="one incident") as caught:
        await bench.give(alert(-1))
    assert caught.value.retry_after is not None
    waiting.append(asyncio.create_task(bench.give(alert(), group="other")))
    gate.set()
    assert len(await asyncio.gather(*waiting)) == 2
    assert await bench.give(alert(-1)) == [NEW]


async def test_what_waits_in_all_is_bounded_and_repeats_still_find_their_place() -> None:
    bench = Bench()
    await bench.give(alert(), group="known")
    gate = bench.dispatcher.gate = asyncio.Event()
    bench.dispatcher.entered.clear()
    many = [alert(number) for number in range(MAX_WAITING_GROUP + MAX_BATCH)]
    waiting: list[asyncio.Task[list[Handed]]] = []
    for number in range(MAX_WAITING // MAX_WAITING_GROUP):
        waiting.append(asyncio.create_task(bench.give(*many, group=f"g{number}")))
        await settled(lambda: bench.handover._waiting == MAX_WAITING_GROUP * len(waiting))
    with pytest.raises(TransientError, match="too many alerts wait"):
        await bench.give(alert(), group="new")
    assert await bench.give(alert(), group="known") == [REPEATED]
    gate.set()
    await asyncio.gather(*waiting)
    assert await bench.give(alert(), group="new") == [NEW]


async def test_an_end_that_no_incident_waits_for_is_asked_once() -> None:
    bench = Bench()
    bench.dispatcher.open = False
    nothing = Handed(taken=False, repeated=False)
    assert await bench.give(alert(status="resolved")) == [nothing]
    bench.dispatcher.open = True
    assert await bench.give(alert(status="resolved")) == [Handed(taken=False, repeated=True)]
    assert bench.signals == []


async def test_counts_reach_the_incident_in_reports() -> None:
    bench = Bench()
    await bench.give(alert(), alert(2, "resolved"))
    for _ in range(3):
        await bench.give(alert(), alert(2, "resolved"))
    await bench.handover.report()
    assert bench.dispatcher.reports == []
    bench.now += FIRST_REPORT.total_seconds()
    await bench.handover.report()
    assert bench.dispatcher.reports == [Report("g", {alert().episode: 3}, {alert(2).episode: 3})]
    await bench.give(alert())
    bench.now += FIRST_REPORT.total_seconds()
    await bench.handover.report()
    assert len(bench.dispatcher.reports) == 1
    bench.now += FIRST_REPORT.total_seconds()
    await bench.handover.report()
    assert bench.dispatcher.reports[1:] == [Report("g", {alert().episode: 1}, {})]


async def test_counts_that_cannot_be_told_now_are_told_later() -> None:
    bench = Bench()
    for _ in range(3):
        await bench.give(alert())
    bench.dispatcher.error = TransientError("down")
    bench.now += 60
    await bench.handover.report()
    bench.dispatcher.error = None
    bench.now += 60
    await bench.handover.report()
    assert bench.dispatcher.reports == [Report("g", {alert().episode: 2}, {})]


@pytest.mark.parametrize("error", [None, PermanentError("too many signals")])
async def test_counts_that_no_incident_takes_are_handed_on(error: Exception | None) -> None:
    bench = Bench()
    for _ in range(3):
        await bench.give(alert())
    bench.dispatcher.open, bench.dispatcher.error = False, error
    bench.now += 60
    await bench.handover.report()
    assert bench.closed == [Report("g", {alert().episode: 2}, {})]
    assert bench.dispatcher.reports == []


async def test_the_end_of_the_gateway_loses_no_count() -> None:
    bench = Bench()
    for _ in range(3):
        await bench.give(alert())
    await bench.handover.close()
    assert bench.dispatcher.reports == [Report("g", {alert().episode: 2}, {})]
    await bench.give(alert())
    bench.dispatcher.error = TransientError("down")
    await bench.handover.close()
    assert bench.closed == [Report("g", {alert().episode: 1}, {})]


async def test_a_report_that_hangs_at_the_end_is_handed_on_like_those_behind_it() -> None:
    class Hanging(RememberingDispatcher):
        async def tell_repeats(self, report: Report) -> bool:
            if report.account == "hangs":
                await asyncio.Event().wait()
            return await super().tell_repeats(report)

    bench = Bench(Hanging())
    for group in ("hangs", "other"):
        for _ in range(3):
            await bench.give(alert(), group=group)
    await bench.handover.close()
    assert [report.account for report in bench.dispatcher.reports] == ["other"]
    assert bench.closed == [Report("hangs", {alert().episode: 2}, {})]


async def test_a_trigger_that_counts_gets_its_repeats_at_once() -> None:
    bench = Bench()
    assert [await bench.give(alert(), book=COUNTED) for _ in range(4)] == [[NEW]] * 3 + [[REPEATED]]
    assert len(bench.signals) == 3
    bench.now += 301
    assert await bench.give(alert(), book=COUNTED) == [NEW]


async def test_a_trigger_that_counts_gets_its_repeats_again_when_its_incident_has_closed() -> None:
    bench = Bench()
    for _ in range(4):
        await bench.give(alert(), book=COUNTED)
    bench.dispatcher.open = False
    bench.now += 60
    await bench.handover.report()
    assert await bench.give(alert(), book=COUNTED) == [NEW]


async def test_the_reports_of_a_trigger_that_counts_come_within_its_time() -> None:
    bench = Bench()
    for _ in range(30):
        await bench.give(alert(), book=COUNTED)
        bench.now += 10
        await bench.handover.report()
    assert len(bench.dispatcher.reports) >= 4


async def test_a_defect_leaves_nobody_waiting() -> None:
    class Broken(RememberingDispatcher):
        async def dispatch(self, group: AlertGroup) -> bool:
            raise ZeroDivisionError

    bench = Bench(Broken())
    seen: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context["exception"]))
    with pytest.raises(TransientError):
        await bench.give(alert())
    assert bench.handover._lines == {}
