"""Any sender of JSON: `gateway.sources.<name>.map` in halon.yaml says with expressions where an alert's fields are."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from pydantic import ValidationError

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, digest
from halon.core.expressions import EvaluationError, ExpressionError, compile_expression, fill, scan
from halon.errors import InvalidInput, Misconfigured
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource, Parsed, checked, field_problems, refuse_too_many
from halon.gateway.sources._reading import moment
from halon.redaction import cut_text, is_secret_key
from halon.settings import GenericMap, Source

SENDER = Sender("the sender of a source of type generic", ("bearer", "basic", "header", "hmac"))
NAMES = frozenset({"body", "headers", "item"})
_OPEN_HEADERS = frozenset({"user-agent", "content-type"})
_SIGNATURE = re.compile(r"sign|hmac|hash|digest", re.IGNORECASE)
_MAX_HEADERS = 20
_MAX_HEADER = 512
_PATH = re.compile(r"\s*\$\{\{\s*body((?:\.[A-Za-z_][A-Za-z0-9_]*)*)\s*\}\}\s*")
_NUMBER = re.compile(r"\s*-?\d{1,20}(\.\d{1,9})?\s*")


class Generic:
    """A source that the settings describe."""

    def __init__(self, name: str, fields: GenericMap) -> None:
        self.name = name
        self.timeless = "headers" not in fields.model_dump_json()
        self._fields = fields

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alerts that the map finds.

        Raises:
            InvalidInput: `items` gives no list, or too many.
        """
        scope: dict[str, Any] = {"body": body, "headers": shown_headers(headers), "now": now}
        items = self._items(scope)
        refuse_too_many(len(items))
        alerts: list[Alert] = []
        rejected: list[str] = []
        for index, item in enumerate(items):
            where = f"items[{index}]"
            try:
                alerts.append(self._alert(scope | {"item": item}, where))
            except ValidationError as error:
                rejected.extend(field_problems(error, where)[:1])
            except InvalidInput as error:
                rejected.append(str(error))
        return Parsed(tuple(alerts), tuple(rejected))

    def _items(self, scope: Mapping[str, Any]) -> list[Any]:
        if self._fields.items is None:
            return [scope["body"]]
        path = _PATH.fullmatch(self._fields.items)
        try:
            # A plain path is walked, because the result of an expression may not be as large as a body.
            items = _walked(scope["body"], path[1]) if path else fill(self._fields.items, scope)
        except EvaluationError as error:
            raise InvalidInput("`map.items` finds nothing in the body", [f"items: {error}"]) from error
        if not isinstance(items, list):
            raise InvalidInput("`map.items` finds no list in the body", ["items: a list was expected"])
        return items  # pyright: ignore[reportUnknownVariableType]  # any JSON

    def _alert(self, scope: Mapping[str, Any], where: str) -> Alert:
        def value(field: str) -> Any:
            source = getattr(self._fields, field)
            try:
                return None if source is None else fill(source, scope)
            except EvaluationError as error:
                raise InvalidInput(f"{where}: `map.{field}`: {error}") from error

        name, labels = _text(value("name")), _texts(value("labels"), f"{where}: `map.labels`")
        ends_at = value("ends_at")
        alert = Alert.model_construct(
            source=self.name,
            name=name,
            fingerprint=_text(value("fingerprint")) or digest([name, dict(labels)])[:16],
            status=_status(value("status"), where),
            severity=_text(value("severity")),
            labels=labels,
            annotations=_texts(value("annotations"), f"{where}: `map.annotations`"),
            starts_at=_time(value("starts_at"), f"{where}: `map.starts_at`"),
            ends_at=None if ends_at is None or ends_at == "" else _time(ends_at, f"{where}: `map.ends_at`"),
            url=_text(value("url")),
        )
        return Alert.model_validate(checked(alert, where).model_dump())


def build(name: str, settings: Source) -> AlertSource:
    """Build the source, with every expression of its map compiled now.

    Raises:
        Misconfigured: an expression does not compile.
    """
    if settings.map is None:
        raise Misconfigured(f"`gateway.sources.{name}` needs `map`")
    for field, value in settings.map.model_dump(exclude_none=True).items():
        for found in scan(value):
            place = f"`gateway.sources.{name}.map.{'.'.join(map(str, (field, *found.path)))}`"
            if found.problem:
                raise Misconfigured(f"{place}: {found.problem}")
            try:
                compile_expression(found.source, NAMES)
            except ExpressionError as error:
                raise Misconfigured(f"{place}: {error}") from error
    return Generic(name, settings.map)


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Give the headers that expressions may see, in lower case: no credentials, no signatures, few and short."""
    shown = {
        name.lower(): cut_text(value, _MAX_HEADER)
        for name, value in sorted(headers.items())
        if (name.lower() in _OPEN_HEADERS or name.lower().startswith("x-"))
        and not is_secret_key(name)
        and not _SIGNATURE.search(name)
    }
    return dict(list(shown.items())[:_MAX_HEADERS])


def _walked(body: Any, path: str) -> Any:
    for name in path.split(".")[1:]:
        if not isinstance(body, dict) or name not in body:
            raise EvaluationError(f"the body has no `{path[1:]}`")
        body = cast("dict[str, Any]", body)[name]
    return body


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _texts(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{where}: a map was expected")
    return {name: _text(item) for name, item in cast("dict[str, Any]", value).items() if item is not None}


def _status(value: Any, where: str) -> AlertStatus:
    if value is None or value is True:
        return AlertStatus.FIRING
    if value is False:
        return AlertStatus.RESOLVED
    try:
        return AlertStatus(value.lower() if isinstance(value, str) else value)
    except ValueError as error:
        raise InvalidInput(f"{where}: `map.status` must be firing or resolved, or true while it fires") from error


def _time(value: Any, where: str) -> datetime:
    try:
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, int | float) or _NUMBER.fullmatch(str(value)):
            found = moment(value, where)
        else:
            found = datetime.fromisoformat(str(value))
        if found.tzinfo is None:
            raise InvalidInput(f"{where}: a time needs its zone, such as 2026-01-02T03:04:05Z")
        return found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise InvalidInput(f"{where} must be RFC 3339 text or seconds since 1970") from error
