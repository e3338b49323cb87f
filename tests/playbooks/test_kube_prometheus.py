"""Every alert that kube-prometheus installs has a playbook, which takes it as it arrives and does not mislead.

The facts about the alerts are in `kube_prometheus.yaml`. A playbook is played through with what it may meet at night:
nothing answers, nothing is known, everything is empty. Then it must say so, or fail with the reason; never end well.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import worker
from halon.cli.app import application
from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome
from halon.contracts.playbook import Playbook, PlaybookTest
from halon.core.matching import match
from halon.core.virtual import START, VirtualRun
from halon.playbook.actions import ActionSchema
from halon.playbook.catalogue import load_catalogue
from halon.playbook.testing import _Bench

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
ACTIONS = worker.registry().schemas
CATALOGUE = load_catalogue([PLAYBOOKS], ACTIONS)
FACTS: Any = yaml.safe_load((Path(__file__).parent / "kube_prometheus.yaml").read_text())
EXPORTER = {
    "kube-state-metrics": {
        "namespace": "exporters",
        "pod": "exporter-0",
        "container": "exporter",
        "service": "exporter",
    },
    "node-exporter": {"namespace": "exporters", "pod": "exporter-0", "container": "exporter", "service": "exporter"},
}
"""Labels that the chart's alerts keep of what was scraped; nothing may be looked up by them."""
VALUES = {
    "container": "cart",
    "pod": "cart-7d9f8c6b5-x2xkp",
    "deployment": "cart",
    "instance": "10.0.0.1:9100",
    "job_name": "nightly-28411200",
    "phase": "Failed",
    "condition": "MemoryPressure",
    "eviction_signal": "memory.available",
    "name": "v1beta1.metrics.k8s.io",
}
"""Values of labels that matter to a playbook; of others any does."""
NOT_SUCCESS = {Outcome.DIAGNOSED, Outcome.FAILED, Outcome.REFUSED}


def _alert(fact: Mapping[str, Any], severity: str, namespace: str) -> PlaybookTest:
    own = {label: VALUES.get(label, f"some-{label.replace('_', '-')}") for label in fact["labels"]}
    labels = (
        {"instance": "10.0.0.9:8443", "job": fact["exporter"], **EXPORTER[fact["exporter"]]}
        if "exporter" in fact
        else {}
    )
    labels |= {**own, "alertname": fact["name"], "severity": severity}
    if "namespace" in fact["labels"]:
        labels["namespace"] = namespace
    return PlaybookTest.model_validate(
        {
            "name": "x",
            "alert": {"name": fact["name"], "severity": severity, "labels": labels},
            "expect": {"outcome": "failed"},
        }
    )


def _as_it_arrives(test: PlaybookTest, age: timedelta) -> Alert:
    assert test.alert is not None
    return Alert(
        source="alertmanager",
        name=test.alert.name,
        fingerprint="f",
        status=AlertStatus.FIRING,
        severity=test.alert.severity,
        labels=test.alert.labels,
        starts_at=START - age,
    )


def _takers(alert: Alert) -> list[str]:
    return [name for name, book in CATALOGUE.playbooks.items() if match(book, alert, START).matched]


def _every() -> Iterator[tuple[Mapping[str, Any], str, str]]:
    for fact in FACTS["alerts"]:
        for severity in fact["severity"]:
            for namespace in ("shop", "kube-system") if "namespace" in fact["labels"] else ("",):
                yield fact, severity, namespace


@pytest.mark.parametrize("age", [timedelta(minutes=15), timedelta(hours=12)], ids=["young", "old"])
def test_each_has_one_playbook_wherever_and_for_however_long_it_fires(age: timedelta) -> None:
    taken = {
        (fact["name"], namespace, severity): _takers(_as_it_arrives(_alert(fact, severity, namespace), age))
        for fact, severity, namespace in _every()
    }
    wanted = {alert: takers for alert, takers in taken.items() if alert[0] not in FACTS["unwanted"]}
    assert {alert: takers for alert, takers in wanted.items() if len(takers) != 1} == {}
    assert {alert: takers for alert, takers in taken.items() if alert[0] in FACTS["unwanted"] and takers} == {}


def test_the_command_says_so_too(tmp_path: Path) -> None:
    rules = [
        {"alert": fact["name"], "expr": "vector(1)", "labels": {"severity": severity}}
        for fact in FACTS["alerts"]
        for severity in fact["severity"]
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "kube-prometheus", "rules": rules}]}))
    ignored = [word for name in FACTS["unwanted"] for word in ("--ignore", name)]
    answer = CliRunner().invoke(
        application(), ["coverage", str(file), "--playbooks", str(PLAYBOOKS), *ignored, "--fail-uncovered", "--json"]
    )
    assert answer.exit_code == 0, answer.output
    said = json.loads(answer.stdout)
    assert said["total"] == {
        "alerts": len(rules) - len(FACTS["unwanted"]),
        "covered": said["total"]["alerts"],
        "percent": 100.0,
    }
    bare = CliRunner().invoke(application(), ["coverage", str(file), "--playbooks", str(PLAYBOOKS), "--json"])
    assert {one["alert"] for one in json.loads(bare.stdout)["alerts"] if not one["covered"]} == set(FACTS["unwanted"])


class _Overheard(_Bench):
    """Runs a playbook, and keeps what was asked and how it ended."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.ran: VirtualRun | None = None

    def _result(self, *given: Any, ran: VirtualRun | None = None, **more: Any) -> Any:
        self.ran = ran
        return super()._result(*given, ran=ran, **more)


_SIMPLE: Mapping[str, tuple[Any, Any]] = {
    "boolean": (False, True),
    "integer": (0, 1),
    "number": (0.0, 1.0),
    "null": (None, None),
    "string": ("", "something"),
}
"""The emptiest and the fullest value of each type."""
_SPECIAL = {"duration": ("0s", "5m"), "timestamp": ("2026-01-05T08:00:00Z", "2026-01-05T08:00:00Z")}


class _Sampler:
    """Makes the emptiest or the fullest answer that an action may give."""

    def __init__(self, action: ActionSchema, *, full: bool) -> None:
        self._root: Any = action.output or {}
        self._hints = action.hints
        self._full = full

    def answer(self) -> Any:
        return self._of(self._root, "")

    def _of(self, schema: Mapping[str, Any], place: str) -> Any:
        while "$ref" in schema:
            schema = self._root["$defs"][schema["$ref"].rpartition("/")[2]]
        if "anyOf" in schema:
            kinds = [one for one in schema["anyOf"] if (one.get("type") == "null") is not self._full]
            return self._of((kinds or schema["anyOf"])[0], place)
        if place in self._hints:
            return _SPECIAL[self._hints[place]][self._full]
        if "enum" in schema:
            return schema["enum"][-1 if self._full else 0]
        return self._composed(schema, place)

    def _composed(self, schema: Mapping[str, Any], place: str) -> Any:
        kind = schema.get("type", "string")
        if kind == "array":
            return [self._of(schema.get("items", {}), f"{place}[]")] if self._full else []
        if kind == "object":
            below = f"{place}." if place else ""
            return {name: self._of(one, below + name) for name, one in schema.get("properties", {}).items()}
        return _SIMPLE[kind][self._full]


def _answer(action: str, how: str) -> Any:
    schema = ACTIONS[action]
    if how == "nothing answers":
        return {"error": "nobody answers here"}
    if how == "nothing is known" and not action.startswith("prometheus."):
        return {"error": "nobody answers here", "kind": "not_found"}
    if how == "nothing is known":
        return {"no_data": True, "samples": [], "count": 0}
    sample = _Sampler(schema, full=how == "everything is full").answer()
    if action == "prometheus.query" and how == "everything is empty":
        sample["no_data"] = True
    if action == "prometheus.query" and how == "everything is full":
        sample["no_data"] = False
    return {"output": sample}


def _used(value: Any) -> set[str]:
    """Every action that stands anywhere in a part of a playbook."""
    if isinstance(value, Mapping):
        mine = {value["uses"]} if isinstance(value.get("uses"), str) else set()
        return mine.union(*map(_used, value.values()))
    if isinstance(value, (list, tuple)):
        return set().union(*map(_used, value))
    return set()


def _played(book: Playbook, test: PlaybookTest, how: str) -> VirtualRun:
    reads = [one for one in _used(book.model_dump(by_alias=True)) if not ACTIONS[one].changes]
    given = {one: _answer(one, how) for one in reads if not one.startswith("notify.")}
    bench = _Overheard(book, {book.metadata.name: book}, ACTIONS, CATALOGUE.results[0].document)
    result = bench.run(test.model_copy(update={"given": given}), 0)
    assert bench.ran is not None, (book.metadata.name, how, result.problems, result.differences)
    return bench.ran


@pytest.mark.parametrize("how", ["nothing answers", "nothing is known", "everything is empty", "everything is full"])
def test_none_misleads(how: str) -> None:
    wrong: list[tuple[str, ...]] = []
    for fact, severity, namespace in _every():
        if fact["name"] in FACTS["unwanted"] or severity != fact["severity"][0]:
            continue
        test = _alert(fact, severity, namespace)
        for name in _takers(_as_it_arrives(test, timedelta())):
            ran = _played(CATALOGUE.playbooks[name], test, how)
            assert ran.result is not None
            outcome, reason = ran.result.outcome, ran.result.reason
            asked = json.dumps([one.event.data for one in ran.told if one.event.kind is AuditKind.READ], default=str)
            honest = outcome in NOT_SUCCESS if how != "everything is full" else outcome is not Outcome.FAILED
            explained = outcome is not Outcome.FAILED or "nobody answers here" in reason
            if not honest or not explained or "exporter" in asked + reason:
                wrong.append(
                    (fact["name"], name, outcome, reason, *(["asks for the exporter"] if "exporter" in asked else []))
                )
    assert wrong == []
