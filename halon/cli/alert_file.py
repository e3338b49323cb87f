"""`--alert FILE`: the alert that a run started by hand acts on, as Alertmanager sends it or as one JSON object."""

from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from halon.contracts.alert import Alert
from halon.contracts.base import digest, is_object
from halon.errors import InvalidInput, NotFound
from halon.gateway.parsing import field_problems, parse_json
from halon.gateway.sources.alertmanager import Alertmanager

SOURCE = "halon run"
MAX_FILE = 1024 * 1024
"""Bytes of a file."""


def read_alerts(file: Path, now: datetime) -> tuple[Alert, ...]:
    """Give the alerts in a file. What one alert leaves out is made up: it fires, and has done so since `now`.

    Raises:
        NotFound: the file cannot be read.
        InvalidInput: what is in it is no alert; the message names the field.
    """
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise NotFound(f"the alert {file} cannot be read: {error.strerror}") from error
    if len(raw) > MAX_FILE:
        raise InvalidInput(f"{file} is larger than an alert of {MAX_FILE} bytes")
    body = parse_json(raw)
    if is_object(body) and "alerts" in body:
        parsed = Alertmanager(SOURCE).parse(body, {}, now)
        if parsed.rejected or not parsed.alerts:
            raise InvalidInput(f"{file}: {'; '.join(parsed.rejected) or 'it holds no alert'}")
        return parsed.alerts
    if not is_object(body):
        raise InvalidInput(f"{file}: expected a JSON object, an alert or Alertmanager's webhook")
    return (_one(file, body, now),)


def _one(file: Path, body: dict[str, Any], now: datetime) -> Alert:
    labels = body.get("labels")
    made_up: dict[str, Any] = {
        "source": SOURCE,
        "status": "firing",
        "starts_at": now,
        "severity": labels.get("severity", "") if is_object(labels) else "",
    }
    given = made_up | body
    given.setdefault("fingerprint", digest({"name": str(given.get("name")), "labels": given.get("labels") or {}})[:16])
    try:
        return Alert.model_validate(given)
    except ValidationError as error:
        raise InvalidInput(f"{file}: {'; '.join(field_problems(error)[:5])}") from error
