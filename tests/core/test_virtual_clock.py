"""The clock that tests of playbooks run on: time jumps, the order is fixed, and what cannot end is told."""

import asyncio
from datetime import datetime, timedelta

import pytest

from halon.contracts.decision import Decision, Verdict
from halon.contracts.ledger import Admission, AdmissionRequest, Release
from halon.contracts.outcome import Outcome
from halon.contracts.people import Electorate, ElectorateRequest
from halon.contracts.plan import ActionCall, Applied, Effect, Plan, ReadResult, Settlement, Undo
from halon.contracts.playbook import Playbook
from halon.contracts.run import RunSpec
from halon.core.virtual import START, Answer, Course, run_virtually
from halon.core.virtual_loop import Stuck, VirtualLoop, virtual_loop

SET = Plan(
    kind="change",
    action="world.set",
    params={},
    effect=Effect.CHANGE,
    target="there",
    summary="Set it",
    undo=Undo(call=ActionCall(action="world.set")),
)


class SlowWorld:
    """Applies within two minutes."""

    def admit(self, request: AdmissionRequest, now: datetime) -> Answer[Admission]:
        return Answer(Admission(granted=True))

    def release(self, report: Release, now: datetime) -> None:
        pass

    def electorate(self, request: ElectorateRequest) -> Answer[Electorate]:
        return Answer(Electorate(anyone=True))

    def clearance(self, plan: Plan, step: str) -> Answer[None]:
        return Answer(None)

    def read(self, call: ActionCall, step: str) -> Answer[ReadResult]:
        return Answer(ReadResult(output={}))

    def plan(self, call: ActionCall, step: str, undoing: Plan | None) -> Answer[Plan]:
        return Answer(SET)

    def apply(self, plan: Plan, step: str, key: str) -> Answer[Applied]:
        return Answer(Applied(status="applied"), timedelta(minutes=2))

    def confirm(self, plan: Plan, step: str) -> Answer[Settlement]:
        return Answer(Settlement(state="settled"))


def spec(*steps: dict[str, object]) -> RunSpec:
    head = {"apiVersion": "halon/v1", "kind": "Playbook", "metadata": {"name": "any", "title": "Any", "owner": "team"}}
    return RunSpec(
        incident="any", playbook=Playbook.model_validate(head | {"steps": steps}), effects={"world.set": Effect.CHANGE}
    )


def minutes(*numbers: int) -> list[timedelta]:
    return [timedelta(minutes=one) for one in numbers]


async def nothing(log: list[str], name: str, seconds: float) -> None:
    await asyncio.sleep(seconds)
    log.append(name)


def test_a_day_passes_at_once_and_timers_of_one_time_keep_their_order() -> None:
    log: list[str] = []
    loop = virtual_loop()

    async def main() -> float:
        waits = [loop.create_task(nothing(log, name, seconds)) for name, seconds in (("b", 60), ("a", 30), ("c", 60))]
        for wait in waits:
            await wait
        await asyncio.sleep(86_400)
        return loop.time()

    assert loop.run(main()) == 86_460
    assert log == ["a", "b", "c"]


def test_a_run_that_nothing_can_wake_is_told() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck, match=r"nothing can happen any more: 1 tasks wait"):
        virtual_loop().run(main())


def test_a_run_that_goes_in_circles_is_told() -> None:
    async def main() -> None:
        while loop.time() < 1:  # noqa: ASYNC110  # the circle is the point
            await asyncio.sleep(0)

    loop = VirtualLoop(max_calls=1000)  # type: ignore[abstract]  # what it lacks touches the outside
    with pytest.raises(Stuck, match="more than 1000 steps"):
        loop.run(main())


def test_what_outlives_the_run_is_named() -> None:
    loop = virtual_loop()

    async def main() -> None:
        task = loop.create_task(nothing([], "late", 60))
        task.set_name("forgotten")

    loop.run(main())
    assert loop.left_over == ("forgotten",)


async def test_it_does_not_run_inside_another_loop() -> None:
    with pytest.raises(RuntimeError, match="use a thread"):
        run_virtually(spec({"wait": "1m"}), SlowWorld())


def test_a_second_cancellation_changes_nothing() -> None:
    ran = run_virtually(spec({"id": "one", "uses": "world.set"}), SlowWorld(), Course(cancels=minutes(1, 1, 3)))
    assert ran.result is not None
    assert (ran.result.outcome, ran.result.applied, ran.result.undone) == (Outcome.CANCELLED, ("one",), ("one",))
    assert ran.left_over == ()


def test_a_decision_that_comes_by_itself_meets_the_question_that_is_open() -> None:
    yes = Decision(verdict=Verdict.APPROVE, by="ana@example.com", at=START, via="signal")
    course = Course(arrivals=[(minutes(4)[0], yes)])
    ran = run_virtually(spec({"id": "one", "uses": "world.set", "approve": {"within": "10m"}}), SlowWorld(), course)
    assert ran.result is not None
    assert ran.result.applied == ("one",)
    assert ran.took == minutes(6)[0]
