"""What a run started by hand is given: inputs of the declared type, and alerts from a file."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from halon.cli.alert_file import read_alerts
from halon.cli.inputs import parse_inputs
from halon.contracts.alert import AlertStatus
from halon.contracts.playbook import Playbook
from halon.errors import InvalidInput, NotFound

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TYPES = ("string", "integer", "number", "boolean", "duration", "list", "object")


def playbook(**inputs: Any) -> Playbook:
    return Playbook.model_validate(
        {
            "apiVersion": "halon/v1",
            "kind": "Playbook",
            "metadata": {"name": "p", "title": "P", "owner": "o"},
            "inputs": inputs,
            "steps": [{"stop": {"outcome": "unnecessary", "reason": "a test"}}],
        }
    )


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "42", "42"),
        ("string", "a=b", "a=b"),
        ("integer", "42", 42),
        ("number", "0.5", 0.5),
        ("boolean", "true", True),
        ("duration", "10m", "10m"),
        ("list", '["a"]', ["a"]),
        ("object", '{"a": 1}', {"a": 1}),
    ],
)
def test_a_value_is_read_as_its_declared_type(kind: str, text: str, value: Any) -> None:
    assert parse_inputs(playbook(x={"type": kind}), [f"x={text}"]) == {"x": value}


@pytest.mark.parametrize(
    ("kind", "text"),
    [("integer", "1.5"), ("integer", "true"), ("boolean", "1"), ("duration", "10"), ("list", "a"), ("object", "[]")],
)
def test_a_value_of_another_type_is_refused(kind: str, text: str) -> None:
    with pytest.raises(InvalidInput, match="--input x: "):
        parse_inputs(playbook(x={"type": kind}), [f"x={text}"])


def test_everything_wrong_with_the_inputs_is_said_at_once() -> None:
    book = playbook(namespace={}, size={"type": "integer", "enum": [1, 2]})
    with pytest.raises(InvalidInput) as caught:
        parse_inputs(book, ["namspace=x", "size=3", "loose"])
    said = str(caught.value)
    assert "did you mean `namespace`?" in said
    assert "must be one of 1, 2" in said
    assert "expected NAME=VALUE" in said
    assert "--input namespace=… is missing" in said


def written(directory: Path, value: Any) -> Path:
    file = directory / "alert.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return file


def test_one_alert_needs_only_its_name(tmp_path: Path) -> None:
    given = {"name": "KubePodCrashLooping", "labels": {"namespace": "shop", "severity": "warning"}}
    (alert,) = read_alerts(written(tmp_path, given), NOW)
    assert (alert.status, alert.severity, alert.starts_at) == (AlertStatus.FIRING, "warning", NOW)
    assert alert.fingerprint == read_alerts(written(tmp_path, given), NOW)[0].fingerprint


def test_alertmanagers_own_body_is_taken(tmp_path: Path) -> None:
    alert = {"status": "firing", "labels": {"alertname": "Lab"}, "startsAt": "2026-01-02T03:00:00Z"}
    (read,) = read_alerts(written(tmp_path, {"version": "4", "alerts": [alert]}), NOW)
    assert read.name == "Lab"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "JSON"),
        ("[]", "expected a JSON object"),
        ({"labels": {}}, "name"),
        ({"version": "4", "alerts": []}, "no alert"),
    ],
)
def test_what_is_no_alert_is_refused_with_the_reason(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_alerts(written(tmp_path, content), NOW)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read"):
        read_alerts(tmp_path / "nowhere.json", NOW)
