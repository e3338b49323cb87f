"""Which alerts have a playbook, which have none, and which triggers no rule can fire."""

from typing import Any

import pytest

from halon.contracts.playbook import Playbook
from halon.playbook.coverage import Coverage, Listener, coverage
from halon.playbook.rule_files import AlertRule


def listener(name: str, **trigger: Any) -> Listener:
    playbook = Playbook.model_validate(
        {
            "apiVersion": "halon/v1",
            "kind": "Playbook",
            "metadata": {"name": name, "title": name, "owner": "team-a"},
            "trigger": trigger,
            "steps": [{"stop": {"outcome": "unnecessary", "reason": "nothing"}}],
        }
    )
    assert playbook.trigger is not None
    lines = tuple(range(7, 7 + len(playbook.trigger.alerts)))
    return Listener(playbook, playbook.trigger, f"{name}.yaml", lines)


def rule(name: str, varying: frozenset[str] = frozenset(), /, **labels: str) -> AlertRule:
    return AlertRule(name, labels, varying, "group", "rules.yaml", 3)


def covered(found: Coverage) -> dict[str, list[str]]:
    return {one.rule.name: [taker.playbook for taker in one.takers] for one in found.rules}


def test_a_playbook_covers_the_alerts_that_its_trigger_names() -> None:
    books = [listener("down", alerts=["*Down"]), listener("slow", alerts=["Slow", "ApiDown"])]
    found = coverage(books, [rule("ApiDown"), rule("Slow"), rule("Full")], [])
    assert covered(found) == {"ApiDown": ["down", "slow"], "Slow": ["slow"], "Full": []}
    assert (found.total.covered, found.total.percent, found.unfired, found.unknown_names) == (2, 66.6, (), ())


@pytest.mark.parametrize(
    ("labels", "when", "refused"),
    [
        ({"severity": ["critical", "warning"]}, [], ""),
        ({"severity": ["crit*"]}, [], "label severity is warning, not crit*"),
        ({"severity": ["!warning"]}, [], "label severity is warning, not !warning"),
        ({"namespace": ["!kube-*"]}, ["namespace is !kube-*"], ""),
        ({"shard": ["a"]}, ["shard is a"], ""),
        ({"alertname": ["Down"]}, [], ""),
        ({"alertname": ["Up"]}, [], "label alertname is Down, not Up"),
        ({"namespace": ["a", "!a"]}, [], "no value of label namespace is a, !a"),
        ({"team": [""]}, [], "label team is shop, not missing"),
    ],
    ids=str,
)
def test_labels_that_are_known_decide_and_others_are_told(
    labels: dict[str, list[str]], when: list[str], refused: str
) -> None:
    known = rule("Down", frozenset({"shard"}), severity="warning", team="shop")
    found = coverage([listener("down", alerts=["Down"], labels=labels)], [known], [])
    one = found.rules[0]
    assert [list(taker.when) for taker in one.takers] == ([] if refused else [when])
    assert list(one.refusals) == ([f"down: {refused}"] if refused else [])
    assert one.certain is (not refused and not when)
    assert bool(found.unfired) is bool(refused)


def test_an_if_may_be_true() -> None:
    found = coverage(
        [listener("down", alerts=["Down"], **{"if": "${{ alert.age < duration('1h') }}"})], [rule("Down")], []
    )
    assert found.rules[0].takers[0].when == ("if ${{ alert.age < duration('1h') }}",)


def test_triggers_that_nothing_can_fire_are_told_with_the_reason() -> None:
    books = [
        listener("never", alerts=["KubePodCrashLoping", "Gone"]),
        listener("severe", alerts=["Down"], labels={"severity": "critical"}),
        listener("some", alerts=["Slow", "Gone*"]),
    ]
    found = coverage(books, [rule("Down", severity="info"), rule("Slow"), rule("KubePodCrashLooping")], [])
    assert [(one.playbook, one.line, one.reason) for one in found.unfired] == [
        ("never", 7, "no rule fires KubePodCrashLoping; did you mean `KubePodCrashLooping`?; no rule fires Gone"),
        ("severe", 7, "rules.yaml:3: label severity is info, not critical"),
    ]
    assert [(one.playbook, one.line, one.alert) for one in found.unknown_names] == [("some", 8, "Gone*")]


def test_playbooks_of_other_sources_are_left_alone() -> None:
    books = [
        listener("keys", alerts=["UnauthorizedAccess:*"], sources=["guardduty"]),
        listener("down", alerts=["Down"]),
    ]
    found = coverage(books, [rule("Down")], ["alertmanager"])
    assert (found.elsewhere, found.unfired) == (("keys",), ())
    theirs = coverage([listener("down", alerts=["Down"], sources=["guardduty"])], [rule("Down")], ["alertmanager"])
    assert theirs.rules[0].refusals == ("down: source alertmanager is none of guardduty",)


def test_severities_are_counted_apart_and_what_is_ignored_is_not() -> None:
    rules = [rule("Down", severity="critical"), rule("Full", severity="critical"), rule("Watchdog", severity="none")]
    found = coverage([listener("down", alerts=["Down", "Watchdog"])], rules, [], ["Watch*"])
    assert {name: (tally.rules, tally.covered) for name, tally in found.by_severity.items()} == {"critical": (2, 1)}
    assert ([one.name for one in found.ignored], found.unknown_names) == (["Watchdog"], ())
    assert coverage([], [], []).total.percent == 100
