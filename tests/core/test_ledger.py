"""The ledger: what it grants, refuses and gives back; with random courses against what must always be true."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halon.contracts.audit import AuditKind
from halon.contracts.ledger import (
    AdmissionRequest,
    BreakerCommand,
    Closed,
    Fence,
    Holder,
    LedgerState,
    Pause,
    Release,
    Resume,
    StormLimit,
    Unlock,
)
from halon.contracts.playbook import Breaker, Budget, Rate
from halon.core.breaker import MAX_BREAKERS, MAX_FAILURES
from halon.core.ledger import MAX_HOLDERS, MAX_PAUSES, MAX_USES, SETTLED_AFTER, Ledger

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BREAKER = Breaker(failures=2, within=timedelta(hours=1), cooldown=timedelta(minutes=30))
RATE = Rate(runs=2, per=timedelta(hours=1), by="target")


def holder(name: str) -> Holder:
    return Holder(workflow=f"{name}-run", run=f"id-{name}")


def asks(name: str, **more: Any) -> AdmissionRequest:
    given_: dict[str, Any] = {
        "holder": holder(name),
        "incident": name,
        "playbook": "rollback",
        "target": "k8s/eu/shop/cart",
        "holds_for": timedelta(hours=4),
        "automatic": True,
    }
    return AdmissionRequest(**(given_ | more))


def ends(name: str, outcome: str = "remediated", **more: Any) -> Release:
    given_: dict[str, Any] = {
        "holder": holder(name),
        "incident": name,
        "playbook": "rollback",
        "outcome": outcome,
        "reason": "as it ended",
        "changed": True,
        "health": {"remediated": "success", "undone": "failure"}.get(outcome, "neutral"),
    }
    return Release(**(given_ | more))


def kinds(ledger: Ledger) -> list[AuditKind]:
    return [event.kind for event in ledger.drain()]


def test_a_refusal_names_every_guard_that_refuses() -> None:
    ledger = Ledger()
    guards: dict[str, Any] = {
        "lock": "k8s/eu/shop/cart",
        "breaker": Breaker(failures=1, within=timedelta(hours=1), cooldown=timedelta(minutes=30)),
        "rate": Rate(runs=1, per=timedelta(hours=1)),
        "budget": Budget(scope="eu", max_targets=1, per=timedelta(hours=1)),
    }
    assert ledger.admit(asks("one", **guards, targets=("cart",)), NOW).granted
    ledger.release(ends("one", "undone", keep_lock="Scale cart to 0: not confirmed"), NOW + MINUTE)
    ledger.pause(Pause(by="ana", reason="the API is down", target="k8s/eu/"), NOW + MINUTE)
    answer = ledger.admit(asks("two", **guards, targets=("web",)), NOW + 2 * MINUTE)
    assert not answer.granted
    assert answer.reasons == (
        "targets under k8s/eu/ is paused by ana since 2026-01-05 09:01:00 UTC: the API is down",
        (
            "the lock k8s/eu/shop/cart is kept since incident one (2026-01-05 09:00:00 UTC) until a person has looked: "
            "Scale cart to 0: not confirmed; then `halon unlock`"
        ),
        (
            "the circuit breaker of rollback is open until 2026-01-05 09:31:00 UTC: 1 failures within 1h; "
            "last: one: undone: as it ended"
        ),
        "the rate of playbook rollback is used up: 1 runs within 1h, at most 1; the next at 2026-01-05 10:00:00 UTC",
        "the budget eu does not cover it: 1 more targets wanted, 0 of 1 left within 1h",
    )


def test_the_same_question_has_the_same_answer() -> None:
    ledger = Ledger()
    question = asks("one", lock="cart", rate=RATE)
    first = ledger.admit(question, NOW)
    assert first.fence == Fence(lock="cart", number=1)
    assert ledger.admit(question, NOW + MINUTE) == first
    assert len(ledger.state.rates["target k8s/eu/shop/cart"].entries) == 1


def test_a_lock_goes_to_the_next_run_with_a_higher_number_and_what_the_last_one_did() -> None:
    ledger = Ledger()
    ledger.admit(asks("one", lock="cart"), NOW)
    refused = ledger.admit(asks("two", lock="cart"), NOW + MINUTE)
    assert refused.reasons == ("the lock cart is held by rollback for incident one since 2026-01-05 09:00:00 UTC",)
    ledger.release(ends("one"), NOW + 2 * MINUTE)
    granted = ledger.admit(asks("two", lock="cart"), NOW + 3 * MINUTE)
    assert granted.fence == Fence(lock="cart", number=2)
    assert granted.earlier == "rollback ended here 1m ago as remediated (incident one): as it ended"


def test_rates_by_target_are_shared_by_playbooks() -> None:
    ledger = Ledger()
    ledger.admit(asks("one", rate=RATE), NOW)
    ledger.admit(asks("two", rate=RATE, playbook="restart"), NOW + MINUTE)
    assert not ledger.admit(asks("three", rate=RATE), NOW + 2 * MINUTE).granted
    assert ledger.admit(asks("three", rate=RATE, target="k8s/eu/shop/web"), NOW + 2 * MINUTE).granted
    assert ledger.admit(asks("four", rate=RATE), NOW + 61 * MINUTE).granted


def test_a_run_that_changed_nothing_gives_its_reservations_back() -> None:
    ledger = Ledger()
    budget = Budget(scope="eu", max_targets=2, per=timedelta(hours=1))
    ledger.admit(asks("one", rate=RATE, budget=budget, targets=("a", "b")), NOW)
    ledger.release(ends("one", "cancelled", changed=False), NOW + MINUTE)
    assert ledger.admit(asks("two", rate=RATE, budget=budget, targets=("c", "d")), NOW + MINUTE).granted
    ledger.release(ends("two", "cancelled"), NOW + MINUTE)
    assert not ledger.admit(asks("three", budget=budget, targets=("e",)), NOW + MINUTE).granted
    assert ledger.admit(asks("three", budget=budget, targets=("c",)), NOW + MINUTE).granted


def test_what_fires_again_after_success_counts_once_as_a_failure() -> None:
    ledger = Ledger()
    again = "the alert fired again 3m after this incident ended as remediated"
    for _ in range(3):  # the answer was lost, and it is asked again
        assert ledger.admit(asks("one", breaker=BREAKER, recurrence=again), NOW).granted
    assert len(ledger.state.breakers["rollback"].failures) == 1
    ledger.release(ends("one", "undone"), NOW + MINUTE)
    assert kinds(ledger) == [AuditKind.BREAKER_OPENED]


def test_a_breaker_by_target_leaves_other_targets_alone() -> None:
    ledger = Ledger()
    one = Breaker(failures=1, within=timedelta(hours=1), cooldown=timedelta(minutes=30), by="target")
    ledger.admit(asks("one", breaker=one), NOW)
    ledger.release(ends("one", "undone"), NOW)
    assert not ledger.admit(asks("two", breaker=one), NOW).granted
    assert ledger.admit(asks("three", breaker=one, target="elsewhere"), NOW).granted


def test_a_tripped_breaker_stops_a_playbook_that_asks_for_none() -> None:
    ledger = Ledger()
    ledger.trip(BreakerCommand(by="ana", reason="it made things worse", key="rollback"), NOW)
    assert ledger.admit(asks("one"), NOW).reasons == (
        "the circuit breaker of rollback is open until a person resets it: tripped by ana: it made things worse",
    )
    ledger.reset(BreakerCommand(by="ana", reason="mended", key="rollback"))
    assert ledger.admit(asks("one"), NOW).granted


def test_a_run_that_closed_without_a_word_loses_its_lock_only_when_nothing_can_write_any_more() -> None:
    ledger = Ledger()
    ledger.admit(asks("one", lock="cart", breaker=BREAKER, rate=RATE), NOW)
    closed_at = NOW + 5 * MINUTE
    ledger.closed([Closed(holder=holder("one"), at=closed_at)], closed_at)
    assert not ledger.admit(asks("two", lock="cart"), closed_at + SETTLED_AFTER - timedelta(seconds=1)).granted
    after = ledger.admit(asks("two", lock="cart"), closed_at + SETTLED_AFTER)
    assert after.granted
    assert "may have left something in place" in after.earlier
    assert kinds(ledger) == [AuditKind.LOCK_FREED]
    assert len(ledger.state.breakers["rollback"].failures) == 1
    assert ledger.state.rates, "nobody knows what it did, so it counts"


def test_a_lock_that_a_person_frees_fences_the_run_that_held_it() -> None:
    ledger = Ledger()
    ledger.admit(asks("one", lock="cart"), NOW)
    answer = ledger.unlock(Unlock(by="ana", reason="it hangs", lock="cart"))
    assert answer.message == "cart is free; the run of incident one refuses its next change"
    assert ledger.permits.numbers == {}
    ledger.admit(asks("two", lock="cart"), NOW)
    ledger.release(ends("one"), NOW)
    assert ledger.permits.numbers == {"cart": 2}, "a late release frees nobody else's lock"


def test_overdue_runs_are_told_from_others() -> None:
    ledger = Ledger()
    ledger.admit(asks("one", lock="a", holds_for=timedelta(hours=1)), NOW)
    ledger.admit(asks("two", lock="b", holds_for=timedelta(hours=9)), NOW)
    assert ledger.inspectable(NOW) == ([], [])
    held, overdue = ledger.inspectable(NOW + timedelta(hours=2))
    assert (len(held), overdue) == (2, ["one-run"])


def test_a_storm_begins_once_and_asks_people_until_it_has_passed() -> None:
    ledger = Ledger()
    limit = StormLimit(incidents=3, within=MINUTE)
    answers = [ledger.admit(asks(f"i{n}", storm=limit), NOW + timedelta(seconds=n)) for n in range(6)]
    assert [bool(one.approvals) for one in answers] == [False, False, False, True, True, True]
    assert not ledger.admit(asks("by-hand", automatic=False), NOW + timedelta(seconds=7)).approvals
    assert kinds(ledger) == [AuditKind.STORM_BEGAN]
    ledger.tick(NOW + timedelta(seconds=58))
    assert ledger.state.storm is not None
    ledger.tick(NOW + timedelta(seconds=65))
    assert (ledger.state.storm, kinds(ledger)) == (None, [AuditKind.STORM_ENDED])
    assert not ledger.admit(asks("after", storm=limit), NOW + timedelta(seconds=70)).approvals


@pytest.mark.parametrize(
    ("pause", "stops"),
    [
        (Pause(by="a", reason="r"), True),
        (Pause(by="a", reason="r", playbook="rollback"), True),
        (Pause(by="a", reason="r", playbook="other"), False),
        (Pause(by="a", reason="r", target="k8s/eu/"), True),
        (Pause(by="a", reason="r", target="k8s/us/"), False),
        (Pause(by="a", reason="r", playbook="rollback", target="k8s/us/"), False),
    ],
)
def test_a_pause_stops_what_lies_in_its_scope(pause: Pause, *, stops: bool) -> None:
    ledger = Ledger()
    ledger.pause(pause, NOW)
    assert ledger.admit(asks("one"), NOW).granted is not stops
    ledger.resume(Resume(by="b", playbook=pause.playbook, target=pause.target))
    assert ledger.admit(asks("one"), NOW).granted


def test_a_pause_is_only_taken_back_by_its_own_scope() -> None:
    ledger = Ledger()
    ledger.pause(Pause(by="ana", reason="down", playbook="rollback"), NOW)
    answer = ledger.resume(Resume(by="ben"))
    assert not answer.done
    assert answer.message == (
        "no pause of everything: playbook rollback is paused by ana since 2026-01-05 09:00:00 UTC: down"
    )
    assert ledger.resume(Resume(by="ben", everything=True)).done


def test_a_dry_run_reserves_nothing() -> None:
    ledger = Ledger()
    assert ledger.admit(asks("one", lock="cart", rate=RATE, dry_run=True), NOW).granted
    assert ledger.state == LedgerState()


def test_a_full_ledger_refuses_and_still_fits_into_a_payload() -> None:
    ledger = Ledger()
    long = "k8s/a-cluster-with-a-long-name/a-namespace-with-a-long-name/a-deployment-with-a-long-name"
    reason = "not healthy: result.value < 0.01 did not hold within 10m; the last answer was 3.0" * 2
    for n in range(MAX_HOLDERS):
        name = f"crashloop-rollback-{n:010d}-5b0c99e1"
        guards: dict[str, Any] = {"lock": f"{long}-{n}", "breaker": BREAKER if n < 300 else None, "rate": RATE}
        answer = ledger.admit(asks(name, target=f"{long}-{n}", playbook=f"playbook-{n % 300}", **guards), NOW)
        assert answer.granted, answer.reason
    assert "the ledger of guards is full" in ledger.admit(asks("more", lock="x"), NOW).reason
    budget = Budget(scope="all", max_targets=1000, per=timedelta(hours=1))
    for start in range(2):
        targets = tuple(f"{long}-{start}-{n}" for n in range(MAX_USES // 3))
        name = f"crashloop-rollback-{start:010d}-5b0c99e1"
        ledger.admit(
            asks(name, ask="loop", budget=budget.model_copy(update={"scope": str(start)}), targets=targets), NOW
        )
    for n in range(300):
        name = f"crashloop-rollback-{n:010d}-5b0c99e1"
        ledger.release(ends(name, "undone", reason=reason, keep_lock=reason), NOW)
    assert len(ledger.state.model_dump_json()) < 1_900_000


def test_a_pause_of_everything_is_always_taken() -> None:
    ledger = Ledger()
    for number in range(MAX_PAUSES):
        assert ledger.pause(Pause(by="ana", reason="r", target=f"k8s/{number}/"), NOW).done
    assert not ledger.pause(Pause(by="ana", reason="r", target="k8s/more/"), NOW).done
    assert ledger.pause(Pause(by="ana", reason="r"), NOW).done


def test_a_run_that_was_reset_waits_until_what_its_first_execution_held_is_free() -> None:
    ledger = Ledger()
    first, second = Holder(workflow="w", run="1"), Holder(workflow="w", run="2")
    ledger.admit(asks("one", holder=first, rate=RATE), NOW)
    ledger.admit(asks("one", holder=first, ask="child", lock="cart"), NOW)
    refused = ledger.admit(asks("one", holder=second, rate=RATE), NOW + MINUTE)
    assert refused.reasons == ("an earlier execution of w still holds what it was granted: wait two minutes",)
    ledger.closed([Closed(holder=first)], NOW + MINUTE)
    assert ledger.admit(asks("one", holder=second, lock="cart"), NOW + MINUTE + SETTLED_AFTER).granted


def test_a_target_stays_counted_when_a_later_run_on_it_changed_nothing() -> None:
    ledger = Ledger()
    budget = Budget(scope="eu", max_targets=1, per=timedelta(hours=1))
    ledger.admit(asks("one", budget=budget, targets=("cart",)), NOW)
    ledger.release(ends("one"), NOW)
    assert ledger.admit(asks("two", budget=budget, targets=("cart",)), NOW + MINUTE).granted
    ledger.release(ends("two", "denied", changed=False), NOW + MINUTE)
    assert not ledger.admit(asks("three", budget=budget, targets=("web",)), NOW + MINUTE).granted


def test_a_step_that_asks_again_for_other_targets_is_asked_about_them() -> None:
    ledger = Ledger()
    budget = Budget(scope="eu", max_targets=2, per=timedelta(hours=1))
    assert ledger.admit(asks("one", ask="drain", budget=budget, targets=("a", "b")), NOW).granted
    assert not ledger.admit(asks("one", ask="drain", budget=budget, targets=("c", "d")), NOW).granted


def test_the_lock_of_a_run_that_is_being_given_up_is_its_own_no_more_before_it_is_free() -> None:
    ledger = Ledger()
    ledger.admit(asks("one", lock="cart"), NOW)
    ledger.closed([Closed(holder=holder("one"))], NOW + MINUTE)
    assert ledger.permits.numbers == {}
    assert not ledger.admit(asks("two", lock="cart"), NOW + MINUTE).granted


BY_TARGET = Breaker(failures=1, within=timedelta(hours=1), cooldown=MINUTE, by="target")


def test_breakers_of_targets_that_are_gone_make_room() -> None:
    ledger, now = Ledger(), NOW
    for number in range(MAX_BREAKERS):
        assert ledger.admit(asks(f"run-{number}", target=f"pod-{number}", breaker=BY_TARGET), now).granted
        ledger.release(ends(f"run-{number}", "undone"), now)
    other = asks("other", playbook="restart", breaker=BREAKER)
    assert not ledger.admit(other, now + timedelta(hours=23)).granted
    assert ledger.admit(other, now + timedelta(hours=25)).granted


def test_a_breaker_that_a_run_goes_through_is_not_forgotten_when_another_is_tripped() -> None:
    ledger = Ledger()
    for number in range(MAX_BREAKERS):
        ledger.admit(asks(f"run-{number}", target=f"pod-{number}", breaker=BY_TARGET), NOW)
    assert not ledger.trip(BreakerCommand(by="ana", reason="r", key="other"), NOW).done
    for number in range(MAX_BREAKERS):
        ledger.release(ends(f"run-{number}", "undone"), NOW)
    assert {one.state for one in ledger.state.breakers.values()} == {"open"}


def test_many_failures_and_many_questions_fit_into_a_payload() -> None:
    ledger = Ledger()
    patient = BY_TARGET.model_copy(update={"failures": 100})
    for number in range(30 * MAX_BREAKERS):
        name, target = f"run-{number}", f"pod-{number % MAX_BREAKERS}"
        if ledger.admit(asks(name, target=target, breaker=patient), NOW).granted:
            ledger.release(ends(name, "undone", reason="x" * 300), NOW)
    for number in range(1000):
        assert ledger.admit(asks("one", ask=f"nodes[{number}].drain", lock="cart"), NOW).granted
    assert sum(len(one.failures) for one in ledger.state.breakers.values()) <= MAX_FAILURES
    assert len(ledger.state.model_dump_json()) < 1_900_000


moves = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "ask", "end", "end", "lost", "unlock", "wait"]),
        st.integers(0, 5),
        st.integers(0, 2),
        st.integers(0, 400),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(moves)
def test_whatever_happens_a_lock_has_one_holder_and_nothing_is_used_twice(
    course: list[tuple[str, int, int, int]],
) -> None:
    ledger, now = Ledger(), NOW
    rate = Rate(runs=3, per=timedelta(minutes=10), by="target")
    budget = Budget(scope="all", max_targets=2, per=timedelta(minutes=10))
    numbers: list[int] = []
    granted: dict[str, Fence] = {}
    ran: list[tuple[str, datetime]] = []
    for what, run, target, seconds in course:
        now += timedelta(seconds=seconds)
        name, lock = f"run-{run}", f"target-{target}"
        if what == "ask" and name not in granted:
            answer = ledger.admit(asks(name, target=lock, lock=lock, rate=rate, budget=budget, targets=(lock,)), now)
            if answer.granted:
                assert answer.fence is not None
                assert answer.fence.number not in numbers
                assert answer.fence.number > max(numbers, default=0)
                numbers.append(answer.fence.number)
                granted[name] = answer.fence
                ran.append((lock, now))
                window = [one for one in ran if one[1] > now - timedelta(minutes=10)]
                assert sum(one[0] == lock for one in window) <= rate.runs
                assert len({one[0] for one in window}) <= budget.max_targets
        elif what == "end":
            ledger.release(ends(name), now)
            granted.pop(name, None)
        elif what == "lost":
            ledger.closed([Closed(holder=holder(name), at=now)], now)
        elif what == "unlock":
            ledger.unlock(Unlock(by="ana", reason="r", lock=lock))
        ledger.tick(now)
        holders = {one.workflow for one in ledger.inspectable(now)[0]} | set(ledger.state.holders)
        granted = {one: fence for one, fence in granted.items() if f"{one}-run" in holders}
        assert Ledger(ledger.state).state == ledger.state
        assert set(ledger.permits.numbers.values()) <= set(numbers)
