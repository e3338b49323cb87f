"""The installation's rules over every planned change: what they deny, and whom they add to a question."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from halon.contracts.policy import PolicyRule
from halon.contracts.steps import Approve
from halon.core.policy import Ruling, check_rules, judge, tightened
from halon.errors import Misconfigured

NIGHT = datetime(2026, 7, 1, 20, 0, tzinfo=UTC)
NOON = datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
TWO = {"name": "two for destroy", "if": "${{ step.effect == 'destroy' && environment == 'production' }}"}
KUBE = {"name": "kube-system", "if": "${{ step.target.startsWith('k8s/eu/kube-system/') }}", "deny": "it is not ours"}
HOURS = {"name": "leases at night", "if": "${{ now.getHours('Europe/Berlin') >= 18 }}", "require_lease": "4h"}


def rule(**given: Any) -> PolicyRule:
    return PolicyRule.model_validate(given)


def facts(**more: Any) -> dict[str, Any]:
    step = {"effect": "change", "target": "k8s/eu/shop/cart", "params": {"replicas": 0}, **more}
    return {"step": step, "playbook": {"name": "any"}, "alert": None, "environment": "production", "now": NOON}


def test_a_rule_denies_with_its_name_and_reason() -> None:
    ruling = judge([rule(**KUBE)], facts(target="k8s/eu/kube-system/dns"), None)
    assert ruling.denied == ("policy 'kube-system': it is not ours",)
    assert judge([rule(**KUBE)], facts(), None) == Ruling()


def test_a_rule_without_an_answer_denies() -> None:
    ruling = judge([rule(name="odd", **{"if": "${{ step.params.nothing > 3 }}"}, deny="never")], facts(), None)
    [reason] = ruling.denied
    assert reason.startswith("policy 'odd' has no answer, which denies: ")


@pytest.mark.parametrize(("expires", "denied"), [(None, True), (timedelta(hours=5), True), (timedelta(hours=4), False)])
def test_outside_office_hours_only_leases(expires: timedelta | None, *, denied: bool) -> None:
    night = facts() | {"now": NIGHT}
    assert bool(judge([rule(**HOURS)], night, expires).denied) is denied
    assert not judge([rule(**HOURS)], facts(), expires).denied


def test_rules_add_people_and_never_take_any_away() -> None:
    more = rule(**TWO, require={"quorum": 2, "from": ["group:sre"]})
    ruling = judge([more], facts(effect="destroy"), None)
    assert ruling == Ruling((), 2, ("group:sre",), ("two for destroy",))
    own = Approve.model_validate({"from": ["group:shop"], "quorum": 3})
    asked = tightened(own, ruling)
    assert asked is not None
    assert (asked.quorum, asked.from_) == (3, ("group:sre",)), "a playbook cannot add its own people to the policy's"
    nobody = tightened(None, ruling)
    assert nobody is not None
    assert (nobody.quorum, nobody.from_, nobody.message) == (2, ("group:sre",), "policy two for destroy asks for it")
    assert tightened(own, Ruling()) is own


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("${{ step.effect == }}", "`if`"),
        ("${{ steps.a.output }}", "steps"),
        ("${{ 'text' }}", "must be true or false"),
    ],
)
def test_a_rule_that_is_wrong_stops_the_start(source: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=rf"policy\[0\] \('bad'\) in halon\.yaml.*{said}"):
        check_rules([rule(name="bad", **{"if": source}, deny="x")])
