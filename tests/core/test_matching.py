"""Whether a trigger takes an alert, and the reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halon.contracts.alert import Alert
from halon.contracts.playbook import Playbook
from halon.core.matching import label_matches, match

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def playbook(name: str = "crashloop", **trigger: Any) -> Playbook:
    return Playbook.model_validate(
        {
            "apiVersion": "halon/v1",
            "kind": "Playbook",
            "metadata": {"name": name, "title": "A title", "owner": "team-platform"},
            "trigger": {"alerts": ["KubePod*", "Other"]} | trigger,
            "steps": [{"stop": {"outcome": "unnecessary", "reason": "a test"}}],
        }
    )


def alert(**changes: Any) -> Alert:
    given: dict[str, Any] = {
        "source": "alertmanager",
        "name": "KubePodCrashLooping",
        "fingerprint": "0123456789abcdef",
        "status": "firing",
        "severity": "critical",
        "labels": {"alertname": "KubePodCrashLooping", "namespace": "shop", "severity": "critical"},
        "starts_at": NOW - timedelta(minutes=5),
    }
    return Alert(**(given | changes))


@pytest.mark.parametrize(
    ("trigger", "matched", "reason"),
    [
        ({}, True, "playbook crashloop takes it"),
        ({"alerts": "KubePodCrashLooping"}, True, "takes it"),
        ({"alerts": ["Kube?odCrash*"]}, True, "takes it"),
        ({"alerts": ["kubepod*"]}, False, "alert KubePodCrashLooping is none of kubepod*"),
        ({"sources": ["alert*"]}, True, "takes it"),
        ({"sources": ["pager*"]}, False, "source alertmanager is none of pager*"),
        ({"labels": {"severity": ["critical", "warning"]}}, True, "takes it"),
        ({"labels": {"severity": "warning"}}, False, "label severity is critical, not warning"),
        ({"labels": {"namespace": "!kube-*"}}, True, "takes it"),
        ({"labels": {"namespace": ["!sh*"]}}, False, "label namespace is shop, not !sh*"),
        ({"labels": {"cluster": "!kube-*"}}, True, "takes it"),
        ({"labels": {"cluster": "*"}}, False, "label cluster is missing, not *"),
        ({"if": "${{ alert.age < duration('6m') }}"}, True, "takes it"),
        ({"if": "${{ alert.age < duration('5m') }}"}, False, "its `if` is false: ${{ alert.age"),
        ({"if": "${{ alert.labels.namespace == 'shop' && metadata.owner == 'team-platform' }}"}, True, "takes it"),
        ({"if": "${{ alert.starts_at < now }}"}, True, "takes it"),
        ({"if": "${{ alert.labels.cluster == 'eu-1' }}"}, False, "its `if` cannot be answered for this alert: "),
    ],
)
def test_a_trigger_says_whether_it_takes_an_alert_and_why(trigger: dict[str, Any], matched: bool, reason: str) -> None:  # noqa: FBT001  # a table
    answer = match(playbook(**trigger), alert(), NOW)
    assert answer.matched is matched
    assert reason in answer.reason


@pytest.mark.parametrize(
    ("patterns", "value", "matched"),
    [
        (["a"], "a", True),
        (["a"], "A", False),
        (["a*", "b"], "abc", True),
        (["a", "!ab"], "ab", False),
        (["a*", "!ab"], "abc", True),
        (["a*", "!ab"], "ab", False),
        (["!a", "!b"], "b", False),
        (["!a", "!b"], "c", True),
        (["!x"], "", True),
        (["!*"], "", True),
        (["!*"], "a", False),
        (["*"], "", False),
        (["*"], "a", True),
        ([""], "", True),
        (["!"], "", False),
        (["!"], "a", True),
        (["[ab]"], "b", True),
        ([], "anything", True),
    ],
)
def test_labels_match_by_value_list_glob_and_not(patterns: list[str], value: str, matched: bool) -> None:  # noqa: FBT001  # a table
    assert label_matches(patterns, value) is matched


@given(st.text(alphabet="ab*?![]", min_size=1, max_size=8), st.text(alphabet="ab", max_size=6))
def test_not_is_the_opposite(pattern: str, value: str) -> None:
    assert label_matches([f"!{pattern}"], value) is not label_matches([pattern], value) or pattern.startswith("!")


def test_a_playbook_without_a_trigger_takes_nothing() -> None:
    by_hand = playbook().model_copy(update={"trigger": None})
    assert match(by_hand, alert(), NOW).reason == "the playbook has no trigger"


def test_a_resolved_alert_reaches_its_incident_however_old_it_is() -> None:
    only_new = playbook(**{"if": "${{ alert.age < duration('1m') }}"})
    assert not match(only_new, alert(), NOW).matched
    assert match(only_new, alert(status="resolved"), NOW).matched


def test_a_reason_repeats_only_the_beginning_of_a_long_label() -> None:
    answer = match(playbook(labels={"namespace": "x"}), alert(labels={"namespace": "y" * 2000}), NOW)
    assert len(answer.reason) < 200


def test_an_alert_from_a_clock_that_is_ahead_has_no_negative_age() -> None:
    ahead = alert(starts_at=NOW + timedelta(minutes=1))
    assert match(playbook(**{"if": "${{ alert.age == duration('0s') }}"}), ahead, NOW).matched
