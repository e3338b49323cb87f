"""`--alert FILE`: an alert as a source sends it, as Alertmanager does unless a source is named, or one JSON object."""

from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from halon.contracts.alert import Alert
from halon.contracts.base import Json, digest, is_object
from halon.documents import nearest
from halon.errors import InvalidInput, NotFound
from halon.gateway.parsing import AlertSource, field_problems, parse_json
from halon.gateway.sources import build_source, source_types
from halon.gateway.sources.alertmanager import Alertmanager
from halon.settings import Settings, Source

SOURCE = "alertmanager"
"""Whose an alert is when nobody says it. Triggers may ask for `sources`, and this is what they most often mean."""
MAX_FILE = 1024 * 1024
"""Bytes of a file."""


def read_alerts(file: Path, now: datetime, sender: AlertSource | None = None) -> tuple[Alert, ...]:
    """Give the alerts in a file. What one alert leaves out is made up: it fires, and has done so since `now`.

    `sender` reads the bodies of one source; without it, Alertmanager's webhook is known.

    Raises:
        NotFound: the file cannot be read.
        InvalidInput: what is in it is no alert; the message names the field.
    """
    try:
        body = parse_json(_bytes(file))
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error}") from error
    if sender is not None or (is_object(body) and "alerts" in body):
        return _sent(file, body, sender or Alertmanager(SOURCE), now)
    if not is_object(body):
        raise InvalidInput(f"{file}: expected a JSON object, an alert or Alertmanager's webhook")
    return (one_alert(body, now, str(file)),)


def sender_of(settings: Settings, name: str) -> AlertSource:
    """Give what reads the bodies of a source: one of halon.yaml by its name, or one by its type.

    Raises:
        InvalidInput: there is no such source and no such type.
        Misconfigured: its settings are wrong.
    """
    declared, types = settings.gateway.sources, source_types()
    if name in declared:
        return build_source(name, declared[name])
    if name not in types:
        raise InvalidInput(f"there is no source {name}{nearest(name, [*declared, *types])}")
    try:
        return build_source(name, Source.model_validate({"type": name, "auth": {"none": True}}))
    except ValidationError as error:
        said = "; ".join(field_problems(error)[:3])
        raise InvalidInput(f"a source of type {name} needs settings: name one of halon.yaml ({said})") from error


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise NotFound(f"the alert {file} cannot be read: {error.strerror}") from error
    if len(raw) > MAX_FILE:
        raise InvalidInput(f"{file} is larger than an alert of {MAX_FILE} bytes")
    return raw


def _sent(file: Path, body: Json, sender: AlertSource, now: datetime) -> tuple[Alert, ...]:
    try:
        parsed = sender.parse(body, {}, now)
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error}", error.problems) from error
    if parsed.rejected or not parsed.alerts:
        raise InvalidInput(f"{file}: {'; '.join(parsed.rejected) or 'it holds no alert'}")
    return parsed.alerts


def one_alert(body: dict[str, Any], now: datetime, place: str) -> Alert:
    """Give one alert in Halon's own form, with what it leaves out made up.

    Raises:
        InvalidInput: it is none; the message names `place` and the field.
    """
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
        raise InvalidInput(f"{place}: {'; '.join(field_problems(error)[:5])}") from error
