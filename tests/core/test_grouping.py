"""Which alerts are one incident, and the ids that follow."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halon.contracts.alert import Alert
from halon.contracts.playbook import Playbook
from halon.core.expressions import EvaluationError
from halon.core.grouping import group_id, triage
from halon.core.ids import group_of, incident_id, incident_of, run_id
from halon.core.library import library_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STOP: dict[str, Any] = {"stop": {"outcome": "unnecessary", "reason": "a test"}}


def playbook(name: str = "crashloop", steps: list[dict[str, Any]] | None = None, **trigger: Any) -> Playbook:
    return Playbook.model_validate(
        {
            "apiVersion": "halon/v1",
            "kind": "Playbook",
            "metadata": {"name": name, "title": "A title", "owner": "team-platform"},
            "trigger": {"alerts": ["KubePod*"]} | trigger,
            "steps": steps or [STOP],
        }
    )


def alert(**changes: Any) -> Alert:
    given: dict[str, Any] = {
        "source": "alertmanager",
        "name": "KubePodCrashLooping",
        "fingerprint": "0123456789abcdef",
        "status": "firing",
        "labels": {"namespace": "shop", "pod": "cart-1"},
        "starts_at": NOW - timedelta(minutes=5),
    }
    return Alert(**(given | changes))


def test_alerts_with_the_same_labels_are_one_incident_whatever_else_differs() -> None:
    one = playbook(group_by=["namespace", "cluster"])
    ids = {
        group_id(one, alert(), NOW),
        group_id(one, alert(labels={"namespace": "shop", "pod": "cart-2"}, fingerprint="f"), NOW),
        group_id(one, alert(labels={"namespace": "shop", "cluster": ""}), NOW + timedelta(days=1)),
    }
    assert len(ids) == 1
    assert group_id(one, alert(labels={"namespace": "checkout"}), NOW) not in ids


def test_an_id_is_the_playbook_and_ten_digits_and_stays_the_same_for_ever() -> None:
    assert group_id(playbook(group_by=["namespace"]), alert(), NOW) == "crashloop-6d4c173f22"
    assert group_id(playbook(), alert(), NOW) == "crashloop-d739c86d59"


def test_values_do_not_run_into_each_other() -> None:
    one = playbook(group_by=["a", "b"])
    pairs = [("x", ""), ("", "x"), ("x,", "y"), ("x", ",y"), ('x"', "y")]
    assert len({group_id(one, alert(labels={"a": a, "b": b}), NOW) for a, b in pairs}) == len(pairs)


def test_without_group_by_each_condition_is_its_own_incident() -> None:
    assert group_id(playbook(), alert(), NOW) == group_id(playbook(), alert(labels={}), NOW)
    assert group_id(playbook(), alert(), NOW) != group_id(playbook(), alert(fingerprint="other"), NOW)
    assert group_id(playbook(), alert(), NOW) != group_id(playbook(), alert(source="other"), NOW)


def test_expressions_group_as_well() -> None:
    one = playbook(group_by=["${{ alert.labels.pod.split('-')[0] }}"])
    assert group_id(one, alert(), NOW) == group_id(one, alert(labels={"pod": "cart-2"}), NOW)
    with pytest.raises(EvaluationError):
        group_id(one, alert(labels={}), NOW)


def test_the_ids_of_incident_and_run_lead_back_to_the_group() -> None:
    group = group_id(playbook("crash-loop-run"), alert(), NOW)
    incident = incident_id(group, alert())
    assert incident == f"{group}-{alert().episode[:8]}"
    assert run_id(incident) == f"{incident}-run"
    assert incident_of(run_id(incident)) == incident == incident_of(incident)
    assert group_of(incident) == group == group_of(run_id(incident))


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True), st.text(min_size=1, max_size=20))
def test_every_name_of_a_playbook_leads_back(name: str, fingerprint: str) -> None:
    one = alert(fingerprint=fingerprint)
    group = group_id(playbook(name), one, NOW)
    assert group_of(run_id(incident_id(group, one))) == group


def test_alerts_are_sorted_into_incidents_in_the_order_in_which_they_came() -> None:
    by_namespace, by_pod = playbook("by-namespace", group_by=["namespace"]), playbook("by-pod", group_by=["pod"])
    first = alert()
    second = alert(labels={"namespace": "shop", "pod": "cart-2"}, status="resolved", fingerprint="2")
    sorted_ = triage([by_pod, by_namespace], [first, second], NOW)
    assert [(group.playbook.metadata.name, group.alerts) for group in sorted_.groups] == [
        ("by-namespace", (first, second)),
        ("by-pod", (first,)),
        ("by-pod", (second,)),
    ]
    assert sorted_.unmatched == ()


def test_an_alert_that_nobody_takes_is_told_with_the_reasons_of_those_that_know_its_name() -> None:
    knows = playbook("knows-it", labels={"namespace": "checkout"})
    cannot_group = playbook("cannot-group", group_by=["${{ alert.labels.missing }}"])
    unrelated = playbook("unrelated", alerts=["NodeDown"])
    by_hand = playbook("by-hand").model_copy(update={"trigger": None})
    sorted_ = triage([knows, unrelated, cannot_group, by_hand], [alert()], NOW)
    assert sorted_.groups == ()
    grouping, label = sorted_.unmatched[0].reasons
    assert grouping.startswith("cannot-group: its `group_by` has no value for this alert: ")
    assert label == "knows-it: label namespace is shop, not checkout"


def test_a_run_carries_the_playbooks_that_it_calls_wherever_they_are_called() -> None:
    def call(name: str) -> dict[str, Any]:
        return {"playbook": name}

    other = [call("a")]
    catalogue = {
        one.metadata.name: one
        for one in [
            playbook("a", [call("b"), {"parallel": {"x": {"steps": [call("c")]}}}]),
            playbook("b", [{"switch": {"cases": [{"if": "${{ true }}", "steps": [call("d")]}], "default": other}}]),
            playbook("c", [STOP | {"on_failure": [call("e")]}]),
            playbook("d", [{"for_each": {"in": "${{ [1] }}", "max_items": 1, "steps": [call("not-there")]}}]),
            playbook("e"),
            playbook("f", [call("e")]),
        ]
    }
    assert sorted(library_of(catalogue["a"], catalogue)) == ["a", "b", "c", "d", "e"]
    assert library_of(catalogue["e"], catalogue) == {}
    assert sorted(library_of(catalogue["f"], catalogue)) == ["e"]
    last = playbook("g").model_copy(update={"finally_": playbook("x", [call("e")]).steps})
    assert sorted(library_of(last, catalogue)) == ["e"]
