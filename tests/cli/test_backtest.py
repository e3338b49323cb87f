"""`halon backtest`: the forms of its lines, and what it writes."""

import json
from pathlib import Path
from typing import Any

import pytest
from command import Shell

WEBHOOK: dict[str, Any] = {
    "version": "4",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "Lab", "namespace": "web"},
            "startsAt": "2026-03-01T10:00:00Z",
            "fingerprint": "f1",
        }
    ],
}
OURS: dict[str, Any] = {"name": "Lab", "labels": {"namespace": "shop"}, "starts_at": "2026-03-02T10:00:00Z"}
RECORD: dict[str, Any] = {
    "kind": "alert.received",
    "at": "2026-03-03T10:00:01Z",
    "incident": "x",
    "data": {
        "alert": "Lab",
        "labels": {"namespace": "pay"},
        "starts_at": "2026-03-03T10:00:00Z",
        "fingerprint": "f3",
        "source": "alertmanager",
    },
}
OTHER: dict[str, Any] = {"kind": "run.started", "at": "2026-03-03T10:00:02Z", "data": {}}


def lines(directory: Path, *bodies: Any) -> str:
    file = directory / "alerts.jsonl"
    file.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in bodies) + "\n\n")
    return str(file)


def test_webhooks_own_alerts_and_records_of_the_audit_are_read(shell: Shell, tmp_path: Path) -> None:
    late = {"at": "2026-03-05T10:00:00Z", "alert": OURS | {"labels": {"namespace": "late"}}}
    fresh = WEBHOOK | {"alerts": [WEBHOOK["alerts"][0] | {"fingerprint": "f9"}]}
    wrapped = {"at": "2026-03-06T10:00:00Z", "body": fresh}
    answer = shell("backtest", "--alerts", lines(tmp_path, WEBHOOK, OURS, RECORD, OTHER, late, wrapped), "--json")
    assert answer.code == 0, answer
    found = answer.json
    assert found["alerts"]["count"] == 5
    assert found["alerts"]["first"] == "2026-03-01T10:00:00+00:00"
    assert found["alerts"]["last"] == "2026-03-06T10:00:00+00:00"
    tally = found["playbooks"]["ask-first"]
    assert (tally["incidents"], tally["runs"], tally["asked"]) == (5, 5, 5)
    assert tally["outcomes"] == {"unnecessary": 5}


def test_a_table_tells_of_each_playbook_and_what_is_worth_knowing(shell: Shell, tmp_path: Path) -> None:
    unknown = OURS | {"name": "Unknown"}
    answer = shell("backtest", "--alerts", lines(tmp_path, WEBHOOK, OURS, unknown), "--decide", "nobody")
    assert answer.code == 0, answer
    rows = [line.split() for line in answer.out.splitlines()]
    assert "3 alerts, 3 of them firing, from 2026-03-01 10:00 to 2026-03-02 10:00 UTC (1 days)" in answer.out
    assert ["ask-first", "2", "2", "0", "2", "0", "0", "2", "expired"] in rows
    assert ["Unknown", "1"] in rows
    assert "2026-03-01 10:10:00  expired  ask-first" in answer.out
    assert answer.out.endswith("0 storms; 1 playbook had nothing to do\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "alerts.jsonl:2: the body is not JSON"),
        ("[]", "alerts.jsonl:2: expected a JSON object"),
        ('{"name": "Lab"}', "alerts.jsonl:2: an alert of the past needs `starts_at`"),
        ('{"version": "4", "alerts": [{"status": "firing"}]}', "alerts.jsonl:2: alerts[0]"),
        ('{"at": "today", "alert": {}}', "alerts.jsonl:2: `at` must be a time with its zone"),
        ('{"kind": "alert.received", "data": {}}', "alerts.jsonl:2: a record of the audit needs `at`"),
        ('{"name": "Lab", "starts_at": "2026-03-02T10:00:00Z", "labels": 3}', "alerts.jsonl:2: labels"),
    ],
)
def test_a_line_that_is_no_alert_is_told_and_the_others_count(
    shell: Shell, tmp_path: Path, line: str, said: str
) -> None:
    answer = shell("backtest", "--alerts", lines(tmp_path, OURS, line))
    assert (answer.code, "ask-first" in answer.out) == (2, True)
    assert said in answer.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--after", "soon"], "--after: expected a duration"),
        (["--answers", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["--source", "nobody"], "there is no source nobody"),
        (["--playbooks", "nowhere"], "there is no file or directory nowhere"),
    ],
)
def test_a_wrong_call_is_one_sentence(shell: Shell, tmp_path: Path, options: list[str], said: str) -> None:
    answer = shell("backtest", "--alerts", lines(tmp_path, OURS), *options)
    assert answer.code in {1, 2}
    assert said in answer.err
