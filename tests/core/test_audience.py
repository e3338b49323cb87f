"""Whether an objective is threatened is what the rules say, and what a message says is what the templates say."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.communication import Communication, Templates
from halon.contracts.playbook import Metadata
from halon.core.audience import Judge, check_conditions
from halon.core.wording import SHIPPED, Wording, check_templates
from halon.errors import Misconfigured

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
METADATA = Metadata(name="dim", title="Dim the lamp", owner="light")
TIMES = {"gather": "10s", "patience": "1m", "keep_trying": "1d"}


def spec(**more: Any) -> Communication:
    return Communication.model_validate({**TIMES, **more})


def alert(**labels: str) -> Alert:
    return Alert(
        source="test",
        name="TooBright",
        fingerprint="1",
        status=AlertStatus.FIRING,
        severity=labels.pop("severity", "warning"),
        labels=labels,
        starts_at=NOW,
    )


@pytest.mark.parametrize(
    ("when", "labels", "holds"),
    [
        ({"severities": ["critical"]}, {"severity": "critical"}, True),
        ({"severities": ["crit*"]}, {"severity": "CRITICAL"}, True),
        ({"severities": ["critical"]}, {"severity": "warning"}, False),
        ({"labels": {"slo": "*"}}, {"slo": "latency"}, True),
        ({"labels": {"slo": "*"}}, {}, False),
        ({"labels": {"env": ["prod", "live"]}}, {"env": "live"}, True),
        ({"labels": {"env": "!test"}}, {"env": "test"}, False),
        ({"severities": ["critical"], "labels": {"env": "prod"}}, {"severity": "critical", "env": "test"}, False),
        ({"playbooks": ["d*"]}, {}, True),
        ({"playbooks": ["other"]}, {}, False),
        ({"if": "${{ alert.labels.?burn.orValue('0') == '14' }}"}, {"burn": "14"}, True),
        ({"if": "${{ environment == 'elsewhere' }}"}, {}, False),
        ({"if": "${{ metadata.owner == 'light' }}"}, {}, True),
    ],
)
def test_a_rule_holds_when_all_that_it_names_does(
    when: dict[str, Any],
    labels: dict[str, str],
    holds: bool,  # noqa: FBT001  # a row of the table
) -> None:
    judge = Judge(spec(page=[{**when, "to": ["ana"]}]), METADATA)
    found = judge.page([alert(**labels)], NOW)
    assert (found is not None) is holds
    if found is not None:
        assert found.reason.startswith("alert TooBright: ")


def test_what_has_no_answer_calls_people_and_makes_nothing_public() -> None:
    unclear = {"if": "${{ alert.labels.nowhere == 'x' }}"}
    judge = Judge(spec(page=[{**unclear, "to": ["ana"]}], status_page=[unclear]), METADATA)
    found = judge.page([alert()], NOW)
    assert found is not None
    assert "has no answer, so it counts" in found.reason
    assert judge.status_page([alert()], NOW) is None


def test_the_first_rule_that_holds_counts_for_any_of_the_alerts() -> None:
    judge = Judge(spec(page=[{"labels": {"a": "1"}, "to": ["ana"]}, {"labels": {"b": "1"}, "to": ["ben"]}]), METADATA)
    found = judge.page([alert(c="1"), alert(b="1")], NOW)
    assert found is not None
    assert found.rule == 1


def test_a_run_that_a_person_starts_brings_the_duties_of_its_playbook() -> None:
    rule = {"title": "Tell the authority", "within": "72h", "to": ["ana"]}
    given = [
        {**rule, "name": "a", "playbooks": ["d*"]},
        {**rule, "name": "b", "playbooks": ["d*"], "labels": {"x": "1"}},
    ]
    judge = Judge(spec(deadlines=given), METADATA)
    assert [(one.rule, one.reason) for one in judge.duties((), NOW)] == [(0, "playbook dim")]


def test_a_rule_that_names_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="say when it holds"):
        spec(page=[{"to": ["ana"]}])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"page": [{"if": "${{ alert.label }}", "to": ["ana"]}]}, r"communication\.page\[0\]\.if.*has no `label`"),
        ({"page": [{"if": "${{ steps.x }}", "to": ["ana"]}]}, r"no name steps; known: alert, environment"),
        ({"deadlines": [{"if": "${{ 'x' }}", "name": "d", "title": "t", "within": "1h", "to": ["ana"]}]},
         r"communication\.deadlines\[0\]\.if.*must be true or false"),
    ],
)  # fmt: skip
def test_a_condition_that_is_wrong_is_found_when_it_is_loaded(given: dict[str, Any], why: str) -> None:
    with pytest.raises(Misconfigured, match=why):
        check_conditions(spec(**given))


def scope(**incident: str) -> dict[str, Any]:
    facts = dict.fromkeys(("outcome", "reason", "acknowledged_by", "commander", "communication"), "")
    base = {"id": "dim-1", "title": "Dim the lamp", "service": "", "severity": "", "opened": "3:00", "state": "open"}
    return {
        "incident": {**base, "why": "severity", **facts, **incident},
        "news": [],
        "metadata": {"runbook": "", "name": "dim"},
        "environment": "prod",
        "now": NOW,
    }


@pytest.mark.parametrize("name", sorted(SHIPPED))
@pytest.mark.parametrize("news", [[], ["one", "two"]])
def test_the_shipped_words_have_an_answer_for_every_incident(name: str, news: list[str]) -> None:
    for more in ({}, {"service": "stage", "severity": "critical", "commander": "ana", "communication": "ben"}):
        text = Wording(Templates()).text(name, {**scope(**more), "news": news})
        assert text
        assert "${{" not in text


def test_a_template_of_ones_own_is_taken_and_the_shipped_one_when_it_has_no_answer() -> None:
    own = Templates(update_title="Lamp: ${{ incident.state }}", external_title="${{ alert.name }}")
    assert Wording(own).text("update_title", scope(state="dark")) == "Lamp: dark"
    assert Wording(own).text("external_title", scope()) == "Disruption"


@pytest.mark.parametrize(
    ("text", "why"),
    [("${{ incident. }}", "update_title"), ("${{ steps.x }}", "no name steps"), ("${{ 1", "never closed")],
)
def test_a_template_that_is_wrong_is_found_when_it_is_loaded(text: str, why: str) -> None:
    with pytest.raises(Misconfigured, match=why):
        check_templates(Templates(update_title=text))


def test_what_the_shipped_words_use_templates_may_use() -> None:
    check_templates(Templates.model_validate(dict(SHIPPED)))
