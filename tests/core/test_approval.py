"""Which decisions count, and when there are enough."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halon.contracts.decision import Decision, Verdict
from halon.contracts.steps import Approve
from halon.core.approval import objection, tally
from halon.core.runtime import Gate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = "0123456789abcdef" * 4


def gate(*, quorum: int = 1, started_by: str = "", self_approval: bool = False) -> Gate:
    approve = Approve(quorum=quorum, self_approval=self_approval)
    return Gate("rollback", approve, (), (), DIGEST, NOW, started_by)


def decision(by: str, verdict: Verdict = Verdict.APPROVE, plan: str = "") -> Decision:
    return Decision(verdict=verdict, by=by, at=NOW, plan=plan)


@pytest.mark.parametrize("plan", ["", DIGEST[:8], DIGEST[:12], DIGEST])
def test_a_decision_on_the_shown_plan_counts(plan: str) -> None:
    assert objection(gate(), decision("ana", plan=plan), []) is None


@pytest.mark.parametrize(("plan", "word"), [("0123456", "at least 8 digits"), ("f" * 12, "read it again")])
def test_a_decision_on_another_plan_does_not_count(plan: str, word: str) -> None:
    assert word in (objection(gate(), decision("ana", plan=plan), []) or "")


def test_who_started_a_run_cannot_approve_it_but_can_deny_it() -> None:
    own = gate(started_by="Ana@example.com")
    assert "cannot approve" in (objection(own, decision(" ana@EXAMPLE.com "), []) or "")
    assert objection(own, decision("ana@example.com", Verdict.DENY), []) is None


def test_self_approval_can_be_allowed_by_the_playbook() -> None:
    assert objection(gate(started_by="ana", self_approval=True), decision("ana"), []) is None


def test_the_same_person_counts_once_towards_the_quorum() -> None:
    assert "already approved" in (objection(gate(quorum=2), decision("ANA"), [decision("ana")]) or "")


def test_a_quorum_of_distinct_people_approves() -> None:
    assert tally(gate(quorum=2), [decision("ana")]).verdict is None
    assert tally(gate(quorum=2), [decision("ana"), decision("ben")]).verdict is Verdict.APPROVE


@given(st.lists(st.sampled_from(list(Verdict)), max_size=6), st.integers(1, 4))
def test_one_denial_before_the_quorum_always_denies(verdicts: list[Verdict], quorum: int) -> None:
    decisions = [decision(f"person-{index}", verdict) for index, verdict in enumerate(verdicts)]
    result = tally(gate(quorum=quorum), decisions)
    approvals_first = next((i for i, v in enumerate(verdicts) if v is Verdict.DENY), len(verdicts))
    if approvals_first >= quorum:
        assert result.verdict is Verdict.APPROVE
    elif Verdict.DENY in verdicts:
        assert result.verdict is Verdict.DENY
    else:
        assert result.verdict is None
