"""Which alerts Prometheus rule files hold, in the forms in which people keep them."""

import json
from pathlib import Path

import pytest

from halon.errors import NotFound
from halon.playbook import rule_files
from halon.playbook.rule_files import RuleFiles, read_rule_files

PLAIN = """
groups:
- name: apps
  labels: {team: shop, severity: info}
  rules:
  - record: job:errors:rate5m
    expr: sum(rate(errors[5m]))
  - alert: TooManyErrors
    expr: |
      job:errors:rate5m > 1
    for: 5m
    labels: {severity: critical, tier: 1, paged: true, shard: "{{ $labels.shard }}"}
  - alert: Slow
    expr: latency > 1
"""
CUSTOM = """
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: rules, namespace: monitoring}
spec:
  groups:
  - name: kubernetes-apps
    rules:
    - alert: KubePodCrashLooping
      annotations:
        description: 'Pod {{ $labels.namespace }}/{{ $labels.pod }} is in waiting state (reason: "CrashLoopBackOff").'
      expr: max_over_time(kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}[5m]) >= 1
      for: 15m
      labels:
        severity: warning
"""


def read(directory: Path, **files: str) -> RuleFiles:
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(text)
    return read_rule_files([directory / f"{name}.yaml" for name in files])


def names(found: RuleFiles) -> list[str]:
    return [rule.name for rule in found.rules]


def test_a_plain_file_gives_its_alerts_with_what_they_are_sure_to_carry(tmp_path: Path) -> None:
    errors, slow = read(tmp_path, rules=PLAIN).rules
    assert (errors.name, errors.severity, errors.group, errors.line) == ("TooManyErrors", "critical", "apps", 8)
    assert errors.labels == {"team": "shop", "severity": "critical", "tier": "1", "paged": "true"}
    assert errors.varying == {"shard"}
    assert (slow.severity, slow.place) == ("info", f"{tmp_path}/rules.yaml:13")


def test_documents_custom_resources_and_lists_of_them_are_read(tmp_path: Path) -> None:
    listed = "apiVersion: v1\nkind: List\nitems:\n- " + CUSTOM.strip().replace("\n", "\n  ")
    found = read(tmp_path, several=f"{PLAIN}---{CUSTOM}---\nkind: Service\nspec: {{ports: []}}\n", listed=listed)
    assert names(found) == ["TooManyErrors", "Slow", "KubePodCrashLooping", "KubePodCrashLooping"]
    assert [rule.line for rule in found.rules] == [8, 13, 23, 11]
    assert (found.problems, found.files) == ([], 2)


def test_what_prometheus_answers_about_its_rules_is_read(tmp_path: Path) -> None:
    rules = [
        {"type": "recording", "name": "a:b", "query": "1"},
        {"type": "alerting", "name": "Down", "query": "up == 0", "labels": {"severity": "critical"}, "alerts": []},
    ]
    answer = {"status": "success", "data": {"groups": [{"name": "up", "file": "/etc/up.yaml", "rules": rules}]}}
    assert names(read(tmp_path, answer=json.dumps(answer, indent=1))) == ["Down"]


def test_a_directory_may_hold_other_files_and_a_named_file_may_not_be_another(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(CUSTOM)
    (tmp_path / "service.yaml").write_text("kind: Service\nspec: &ports {a: 1}\n")
    (tmp_path / "chart.tpl").write_text("{{ alert }}")
    found = read_rule_files([tmp_path])
    assert (names(found), found.problems, found.files) == (["KubePodCrashLooping"], [], 1)
    (tmp_path / "config.yaml").write_text("kind: ConfigMap\n")
    assert [str(one) for one in read_rule_files([tmp_path / "config.yaml"]).problems] == [
        f"{tmp_path}/config.yaml:1:1: holds no `groups` of rules: expected a rule file or a PrometheusRule"
    ]
    with pytest.raises(NotFound, match="no file or directory"):
        read_rule_files([tmp_path / "nothing.yaml"])


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("groups: {}\n", "1:9", "`groups` must be a list"),
        ("groups:\n- apps\n", "2:3", "a group must have"),
        ("groups:\n- rules: {alert: A}\n", "2:10", "`rules` must be a list"),
        ("groups:\n- rules:\n  - alert\n", "3:5", "a rule must have"),
        ("groups:\n- rules:\n  - expr: up == 0\n", "3:5", "a rule must have `alert` or `record`"),
        ("groups:\n- rules:\n  - {alert: 7, expr: a}\n", "3:13", "`alert` must be the name"),
        ("groups:\n- rules:\n  - {alert: A, labels: [a]}\n", "3:24", "`labels` must map"),
        ("groups:\n- rules:\n  - {alert: A, labels: {a: [b]}}\n", "3:28", "the label `a` must be text"),
        ("groups:\n- rules:\n  - {alert: A, alert: B}\n", "3:16", "`alert` is there already"),
        ("groups:\n- rules:\n  - {alert: {{ .Values.name }}}\n", "3:14", "a key must be text"),
        ("groups:\n- rules: [\n", "3:1", "not YAML"),
    ],
)
def test_what_is_wrong_is_told_at_its_place_and_the_rest_is_read(
    tmp_path: Path, text: str, place: str, said: str
) -> None:
    found = read(tmp_path, good=CUSTOM, wrong=text)
    assert f"{tmp_path}/wrong.yaml:{place}: " in str(found.problems[0])
    assert said in found.problems[0].message
    assert "KubePodCrashLooping" in names(found)


def test_a_large_file_is_read_and_a_larger_one_is_refused(tmp_path: Path) -> None:
    rules = "".join(f"  - {{alert: A{number}, expr: 'up == 0', labels: {{n: a}}}}\n" for number in range(9000))
    assert len(read(tmp_path, many=f"groups:\n- name: a\n  rules:\n{rules}").rules) == 9000
    found = read(tmp_path, larger=f"# alert {'x' * rule_files.LIMITS.bytes}\ngroups: []\n")
    assert [one.message for one in found.problems] == ["larger than 16384 kB"]
