"""Concurrency without chance: what is cancelled, what is carried to its end, and who wins."""

import asyncio

import pytest

from halon.core.flow import first, together, uninterrupted


class Log(list[str]):
    async def work(self, name: str, turns: int) -> str:
        self.append(f"{name} begins")
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.append(f"{name} cancelled")
            raise
        self.append(f"{name} ends")
        return name

    async def fail(self, turns: int) -> str:
        for _ in range(turns):
            await asyncio.sleep(0)
        raise ValueError("failed")


async def test_uninterrupted_work_ends_before_the_cancellation_is_raised() -> None:
    log = Log()
    task = asyncio.create_task(uninterrupted(log.work("apply", 10)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["apply begins", "apply ends"]


async def test_uninterrupted_work_hands_on_its_result_and_its_error() -> None:
    log = Log()
    assert await uninterrupted(log.work("apply", 1)) == "apply"
    with pytest.raises(ValueError, match="failed"):
        await uninterrupted(log.fail(1))


async def test_the_first_to_end_wins_and_the_others_are_cancelled() -> None:
    log = Log()
    assert await first(log.work("slow", 50), log.work("quick", 2)) == (1, "quick")
    assert log == ["slow begins", "quick begins", "quick ends", "slow cancelled"]


async def test_of_two_that_end_at_once_the_earlier_argument_wins() -> None:
    log = Log()
    assert await first(log.work("one", 2), log.work("other", 2)) == (0, "one")


async def test_an_error_of_the_first_to_end_is_raised_after_the_others_have_stopped() -> None:
    log = Log()
    with pytest.raises(ValueError, match="failed"):
        await first(log.work("slow", 50), log.fail(1))
    assert log == ["slow begins", "slow cancelled"]


async def test_cancelling_first_cancels_all_that_runs() -> None:
    log = Log()
    task = asyncio.create_task(first(log.work("one", 50), log.work("other", 50)))
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log[-2:] == ["one cancelled", "other cancelled"]


async def test_together_gives_all_results_in_order() -> None:
    log = Log()
    assert await together([log.work("slow", 5), log.work("quick", 1)]) == ["slow", "quick"]


async def test_the_first_failure_cancels_the_rest_before_it_is_raised() -> None:
    log = Log()
    works = [log.work("one", 50), log.fail(1), log.work("three", 50)]
    with pytest.raises(ValueError, match="failed"):
        await together(works)
    assert sorted(log[-2:]) == ["one cancelled", "three cancelled"]


async def test_nothing_together_is_nothing() -> None:
    assert await together([]) == []
