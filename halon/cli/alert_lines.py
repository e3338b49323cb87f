"""Alerts of the past from a file of JSON lines, each with the time at which it came."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from halon.cli.alert_file import SOURCE, one_alert
from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, is_object
from halon.errors import InvalidInput, NotFound
from halon.gateway.parsing import AlertSource, parse_json
from halon.gateway.sources.alertmanager import Alertmanager
from halon.playbook.backtest import MAX_ALERTS, Arrival

MAX_LINE = 1024 * 1024
"""Bytes."""
MAX_PROBLEMS = 100
_RECORDS = {"alert.received": AlertStatus.FIRING, "alert.resolved": AlertStatus.RESOLVED}
"""Records of the audit that tell of an alert; others are passed over."""
_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


class AlertLines:
    """Reads such a file. `problems` has a line for each line that is no alert."""

    def __init__(self, file: Path, sender: AlertSource | None) -> None:
        self._file = file
        self._sender = sender
        self._alertmanager = Alertmanager(SOURCE)
        self.problems: list[str] = []

    def read(self) -> Iterator[Arrival]:
        """Give what came, in the order of the lines.

        Raises:
            NotFound: the file cannot be read.
            InvalidInput: it holds too much.
        """
        count = 0
        try:
            with self._file.open("rb") as opened:
                for number, raw in enumerate(iter(lambda: opened.readline(MAX_LINE + 1), b""), 1):
                    if len(raw) > MAX_LINE:
                        raise InvalidInput(f"{self._file}:{number}: a line of more than {MAX_LINE} bytes")
                    if not raw.strip():
                        continue
                    for one in self._line(raw, number):
                        count += 1
                        if count > MAX_ALERTS:
                            raise InvalidInput(f"{self._file}:{number}: more than {MAX_ALERTS} alerts")
                        yield one
        except OSError as error:
            raise NotFound(f"{self._file} cannot be read: {error.strerror}") from error

    def _line(self, raw: bytes, number: int) -> list[Arrival]:
        place = f"{self._file}:{number}"
        try:
            return self._arrivals(parse_json(raw), place)
        except InvalidInput as error:
            if len(self.problems) < MAX_PROBLEMS:
                said = str(error)
                self.problems.append(said if said.startswith(place) else f"{place}: {said}")
            return []

    def _arrivals(self, body: Json, place: str) -> list[Arrival]:
        if not is_object(body):
            raise InvalidInput("expected a JSON object: an alert, a webhook, or a record of the audit")
        at = _time(body.get("at"))
        if "kind" in body and is_object(body.get("data")):
            return self._record(body, at, place)
        if at is not None and is_object(body.get("body")):
            return [Arrival(at, one) for one in self._sent(body["body"])]
        if at is not None and is_object(body.get("alert")):
            return [Arrival(at, one_alert(body["alert"], at, place))]
        if self._sender is not None or "alerts" in body:
            return [Arrival(_came(one), one) for one in self._sent(body)]
        if "starts_at" not in body:
            raise InvalidInput("an alert of the past needs `starts_at`")
        alert = one_alert(body, datetime.now(UTC), place)
        return [Arrival(_came(alert), alert)]

    def _record(self, body: dict[str, Any], at: datetime | None, place: str) -> list[Arrival]:
        """An alert as the audit has it."""
        status, data = _RECORDS.get(str(body["kind"])), body["data"]
        if status is None:
            return []
        if at is None:
            raise InvalidInput("a record of the audit needs `at`")
        given: dict[str, Any] = {
            "name": data.get("alert"),
            "status": status.value,
            **{name: data[name] for name in ("labels", "starts_at", "fingerprint", "source") if name in data},
        }
        return [Arrival(at, one_alert(given, at, place))]

    def _sent(self, body: Json) -> tuple[Alert, ...]:
        parsed = (self._sender or self._alertmanager).parse(body, {}, datetime.now(UTC))
        if parsed.rejected:
            raise InvalidInput("; ".join(parsed.rejected[:3]))
        return parsed.alerts


def _came(alert: Alert) -> datetime:
    """When an alert came that does not say so: when it began, or when it ended."""
    resolved = alert.status is AlertStatus.RESOLVED and alert.ends_at is not None
    return alert.ends_at if resolved and alert.ends_at is not None else alert.starts_at


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        return _TIME.validate_python(value)
    except ValidationError as error:
        raise InvalidInput("`at` must be a time with its zone, such as 2026-01-31T10:00:00Z") from error
