"""Which decisions count, whose word each of them is, and when there are enough."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halon.contracts.decision import Cause, Decision, Objection, Verdict, Vote
from halon.contracts.people import Deputy, Elector, Electorate
from halon.contracts.steps import Approve, Escalate
from halon.core.approval import consider, count, tally, unanswerable, widened
from halon.core.runtime import Gate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DIGEST = "0123456789abcdef" * 4
ANYONE = Electorate(anyone=True)
ANA = Elector(
    person="ana",
    names=("ana@example.com",),
    asked_as=("group:sre",),
    deputies=(Deputy(person="dan", names=("dan@example.com",), until=NOW + DAY),),
)
BEN = Elector(person="ben", names=("ben@example.com",), asked_as=("group:sre", "ben"))
CYD = Elector(person="cyd", names=("cyd@example.com",))
TEAM = Electorate(electors=(ANA, BEN), breakers=(CYD,))


def gate(asked: Electorate = ANYONE, *, quorum: int = 1, started_by: str = "", self_approval: bool = False) -> Gate:
    approve = Approve(from_=("group:sre",), quorum=quorum, self_approval=self_approval)
    return Gate("rollback", approve, (), (), DIGEST, NOW, started_by, asked)


def decision(by: str, verdict: Verdict = Verdict.APPROVE, plan: str = "", **more: object) -> Decision:
    return Decision(verdict=verdict, by=by, at=NOW, plan=plan, authenticated="claimed").model_copy(update=more)


def votes(where: Gate, *decisions: Decision) -> list[str]:
    return [one.told for one in count(where, decisions)]


def cause(where: Gate, *decisions: Decision) -> Cause | None:
    """Why the last one of these does not count."""
    *before, last = decisions
    found = consider(where, last, count(where, before))
    return found.cause if isinstance(found, Objection) else None


@pytest.mark.parametrize("plan", ["", DIGEST[:8], DIGEST[:12], DIGEST])
def test_a_decision_on_the_shown_plan_counts(plan: str) -> None:
    assert votes(gate(), decision("ana", plan=plan)) == ["ana"]


@pytest.mark.parametrize(("plan", "word"), [("0123456", "at least 8 digits"), ("f" * 12, "read it again")])
def test_a_decision_on_another_plan_does_not_count(plan: str, word: str) -> None:
    found = consider(gate(), decision("ana", plan=plan), [])
    assert isinstance(found, Objection)
    assert found.cause is Cause.OTHER_PLAN
    assert word in found.reason


def test_who_started_a_run_cannot_approve_it_but_can_deny_it() -> None:
    own = gate(started_by="Ana@example.com")
    assert cause(own, decision(" ana@EXAMPLE.com ")) is Cause.OWN_RUN
    assert cause(own, decision("ana@example.com", Verdict.DENY)) is None


def test_self_approval_can_be_allowed_by_the_playbook() -> None:
    assert cause(gate(started_by="ana", self_approval=True), decision("ana")) is None


def test_the_same_person_counts_once_towards_the_quorum() -> None:
    assert cause(gate(quorum=2), decision("ana"), decision("ANA")) is Cause.TWICE


def test_however_they_spell_it_somebody_who_is_known_counts_once() -> None:
    both = decision("ana"), decision(" Ana@Example.com ")
    assert cause(gate(TEAM, quorum=2), *both) is Cause.TWICE
    assert votes(gate(TEAM, quorum=2), *both) == ["ana"]


def test_only_those_who_are_asked_approve() -> None:
    assert cause(gate(TEAM), decision("eve")) is Cause.NOT_ASKED
    assert cause(gate(TEAM), decision("cyd")) is Cause.NOT_ASKED
    assert votes(gate(TEAM), decision("eve"), decision("ben")) == ["ben"]


def test_a_stranger_cannot_stop_a_run_but_those_who_have_a_part_in_it_can() -> None:
    assert cause(gate(TEAM), decision("eve", Verdict.DENY)) is Cause.NOT_ASKED
    for person in ("ana", "dan", "cyd"):
        assert cause(gate(TEAM), decision(person, Verdict.DENY)) is None
    assert cause(gate(TEAM, started_by="eve"), decision("eve", Verdict.DENY)) is None


def test_a_proof_of_membership_counts_in_a_group_that_is_asked() -> None:
    open_team = TEAM.model_copy(update={"groups": ("sre",)})
    proven = decision("fay@example.com", authenticated="oidc", groups=("sre", "all"))
    assert votes(gate(open_team), proven) == ["fay@example.com"]
    assert cause(gate(TEAM), proven) is Cause.NOT_ASKED
    again = proven.model_copy(update={"by": "FAY@example.com"})
    assert cause(gate(open_team, quorum=2), proven, again) is Cause.TWICE


def test_a_deputy_decides_in_an_electors_place_while_it_holds() -> None:
    assert votes(gate(TEAM), decision("dan@example.com")) == ["dan for ana"]
    assert cause(gate(TEAM), decision("dan", at=NOW + DAY)) is Cause.NOT_ASKED


def test_a_word_that_a_deputy_gave_is_not_given_again() -> None:
    where = gate(TEAM, quorum=2)
    assert cause(where, decision("dan"), decision("ana")) is Cause.TWICE
    assert cause(where, decision("ana"), decision("dan")) is Cause.NOT_ASKED
    assert votes(where, decision("dan"), decision("ben")) == ["dan for ana", "ben"]


def test_one_human_is_one_vote_though_two_have_named_them_deputy() -> None:
    shared = BEN.model_copy(update={"deputies": ANA.deputies})
    where = gate(Electorate(electors=(ANA, shared)), quorum=2)
    assert cause(where, decision("dan"), decision("dan@example.com")) is Cause.TWICE


def test_a_deputy_of_the_one_who_started_the_run_does_not_approve_it_for_them() -> None:
    assert cause(gate(TEAM, started_by="ana@example.com"), decision("dan")) is Cause.NOT_ASKED


def test_the_one_who_started_the_run_does_not_approve_it_as_somebodys_deputy() -> None:
    dan = Elector(person="dan", names=("dan@example.com",))
    where = gate(TEAM.model_copy(update={"starter": dan}), started_by="dan@example.com")
    assert cause(where, decision("dan")) is Cause.OWN_RUN


def test_breaking_the_glass_takes_the_right_and_a_reason_and_no_second_word() -> None:
    where = gate(TEAM, quorum=3)
    assert cause(where, decision("ana", break_glass=True, comment="all asleep")) is Cause.NO_RIGHT
    assert cause(where, decision("cyd", break_glass=True, comment="  ")) is Cause.NO_REASON
    broken = tally(where, count(where, [decision("cyd@example.com", break_glass=True, comment="all asleep")]))
    assert broken.verdict is Verdict.APPROVE
    assert broken.broke_glass
    assert broken.approved_by == ("cyd, breaking glass",)


def test_the_glass_can_be_broken_for_ones_own_run_and_never_for_another_plan() -> None:
    own = gate(TEAM, started_by="cyd")
    assert cause(own, decision("cyd", break_glass=True, comment="alone here")) is None
    other = decision("cyd", plan="f" * 64, break_glass=True, comment="alone here")
    assert cause(own, other) is Cause.OTHER_PLAN


def test_a_name_that_is_only_claimed_does_not_count_where_seals_are_asked_for() -> None:
    strict = gate(TEAM.model_copy(update={"trust": "signed"}))
    assert cause(strict, decision("ana")) is Cause.UNSEALED
    assert cause(strict, decision("ana", Verdict.DENY)) is Cause.UNSEALED
    assert cause(strict, decision("cyd", break_glass=True, comment="alone")) is Cause.UNSEALED
    assert cause(strict, decision("ana", authenticated="link")) is None
    nobody_named = gate(Electorate(anyone=True, trust="signed"))
    assert cause(nobody_named, decision("ana")) is Cause.UNSEALED


def test_a_question_that_is_put_to_others_as_well_counts_the_words_of_both() -> None:
    more = Electorate(electors=(CYD.model_copy(update={"asked_as": ("group:leads",)}), BEN), groups=("leads",))
    wider = widened(gate(TEAM, quorum=2), more)
    assert votes(wider, decision("cyd"), decision("ana")) == ["cyd", "ana"]
    assert wider.electorate.groups == ("leads",)
    (ben,) = [one for one in wider.electorate.electors if one.person == "ben"]
    assert ben.asked_as == ("group:sre", "ben")


def test_a_question_that_nobody_can_answer_is_known_as_one() -> None:
    alone = Electorate(electors=(ANA,), missing=("group:oncall: the schedule does not answer",))
    assert "only" not in unanswerable(gate(alone))
    assert unanswerable(gate(alone)) == ""
    assert "the schedule does not answer" in unanswerable(gate(alone, quorum=2))
    assert "nobody can" in unanswerable(gate(alone, started_by="ana@example.com"))
    assert unanswerable(gate(alone, started_by="ana", self_approval=True)) == ""
    assert unanswerable(gate(Electorate(breakers=(CYD,)))) == ""
    escalated = Approve(from_=("group:sre",), escalate=Escalate(after=DAY, to=("cyd",)))
    assert unanswerable(Gate("x", escalated, (), (), DIGEST, NOW, "", Electorate())) == ""


def test_a_quorum_of_distinct_people_approves() -> None:
    where = gate(quorum=2)
    assert tally(where, count(where, [decision("ana")])).verdict is None
    assert tally(where, count(where, [decision("ana"), decision("ben")])).verdict is Verdict.APPROVE


@given(st.lists(st.sampled_from(list(Verdict)), max_size=6), st.integers(1, 4))
def test_one_denial_before_the_quorum_always_denies(verdicts: list[Verdict], quorum: int) -> None:
    decisions = [decision(f"person-{index}", verdict) for index, verdict in enumerate(verdicts)]
    where = gate(quorum=quorum)
    result = tally(where, count(where, decisions))
    approvals_first = next((i for i, v in enumerate(verdicts) if v is Verdict.DENY), len(verdicts))
    if approvals_first >= quorum:
        assert result.verdict is Verdict.APPROVE
    elif Verdict.DENY in verdicts:
        assert result.verdict is Verdict.DENY
    else:
        assert result.verdict is None


NAMES = st.sampled_from(["ana", "Ana@example.com", "ben", "BEN", "cyd", "dan", "dan@example.com", "eve", "fay"])


@given(
    st.lists(st.tuples(NAMES, st.booleans(), st.booleans()), max_size=8),
    st.integers(1, 3),
    st.sampled_from(["", "ana", "ben@example.com", "dan", "eve"]),
)
def test_whatever_comes_a_quorum_is_of_distinct_people_who_were_asked(
    said: list[tuple[str, bool, bool]], quorum: int, started_by: str
) -> None:
    where = gate(TEAM, quorum=quorum, started_by=started_by)
    decisions = [
        decision(name, break_glass=glass, comment="why" if commented else "") for name, glass, commented in said
    ]
    counted = [one for one in count(where, decisions) if not one.decision.break_glass]
    voters = [one.voter for one in counted]
    assert len(set(voters)) == len(voters)
    assert len({one.stands_for for one in counted}) == len(counted)
    assert {one.stands_for for one in counted} <= {"ana", "ben"}
    starter = {"ana": "ana", "ben@example.com": "ben", "dan": "dan"}.get(started_by)
    assert starter not in {*voters, *(one.stands_for for one in counted)}
    assert all(isinstance(one, Vote) for one in counted)
