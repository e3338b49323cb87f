"""From bytes to alerts: strict JSON, what a source gives, and the bounds that every alert is held to."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, Protocol, cast

from pydantic import ValidationError

from halon.contracts.alert import MAX_ANNOTATION_VALUE, MAX_LABEL_VALUE, MAX_LABELS, Alert
from halon.contracts.base import Json
from halon.errors import InvalidInput
from halon.redaction import MASK, cut_text, is_secret_key, redact_text

MAX_ALERTS = 2000
"""Alerts in one request."""
MAX_BODY_DEPTH = 40
MAX_ANNOTATIONS = 64
MAX_ANNOTATION_BYTES = 64_000
"""All annotations of an alert together; what is longer is cut, because annotations are text for people."""
MAX_LABEL_NAME = 512
MAX_URL = 4096
MAX_PROBLEMS = 20
_MAX_PROBLEM = 300


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a body held. `rejected` has one line for each alert that is not fit to act on, naming the field."""

    alerts: tuple[Alert, ...]
    rejected: tuple[str, ...] = ()
    truncated: int = 0
    """Alerts that the sender left out of the body."""
    remarks: tuple[str, ...] = ()
    """What the body was when it was no alert, such as a test of the connection: it is answered with success."""


class AlertSource(Protocol):
    """Reads the bodies of one sender."""

    @property
    def name(self) -> str:
        """The source's name in the settings."""
        ...

    @property
    def timeless(self) -> bool:
        """Whether a body alone says what it holds, whatever the headers and the time."""
        ...

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alerts in a body.

        Raises:
            InvalidInput: the body is not what this source sends; `problems` names the fields.
        """
        ...


class BadJson(InvalidInput):
    """The body is not JSON, or JSON that is not safe to read."""


def parse_json(raw: bytes) -> Json:
    """Read JSON strictly: no duplicate keys, no NaN, no infinity, no text that is not Unicode, bounded depth.

    Raises:
        BadJson: it is none of that.
    """
    try:
        text = raw.decode("utf-8")
        value = cast(
            "Json",
            json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float),
        )
    except UnicodeDecodeError as error:
        raise BadJson("the body is not UTF-8") from error
    except RecursionError as error:
        raise BadJson("the body is nested too deep") from error
    except json.JSONDecodeError as error:
        raise BadJson(f"the body is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    except ValueError as error:
        raise BadJson(f"the body is not JSON that can be read safely: {cut_text(str(error), _MAX_PROBLEM)}") from error
    if "\\u" in text and _has_surrogate(value):
        raise BadJson("the body holds half a surrogate pair, which is not Unicode text")
    _refuse_depth(value)
    return value


def checked(alert: Alert, where: str) -> Alert:
    """Hold an alert to the bounds, and mask what looks like a secret in it: it goes on to histories and people.

    Over-long labels are refused, over-long annotations are cut, and an over-long address is left out.

    Raises:
        InvalidInput: a label is too long or there are too many.
    """
    if len(alert.labels) > MAX_LABELS:
        raise InvalidInput(f"{where}.labels: {len(alert.labels)} labels, at most {MAX_LABELS} are taken")
    for name, value in alert.labels.items():
        shown = cut_text(name, 60)
        if len(name) > MAX_LABEL_NAME:
            raise InvalidInput(f"{where}.labels: a label's name has {len(name)} characters, at most {MAX_LABEL_NAME}")
        if len(value) > MAX_LABEL_VALUE:
            raise InvalidInput(f"{where}.labels.{shown}: {len(value)} characters, at most {MAX_LABEL_VALUE} are taken")
    return alert.model_copy(
        update={
            "name": redact_text(alert.name, len(alert.name)),
            "severity": redact_text(alert.severity, len(alert.severity)),
            # A label's name says nothing: kube-state-metrics has the name of a Secret in `secret`.
            "labels": {name: redact_text(value, MAX_LABEL_VALUE) for name, value in alert.labels.items()},
            "annotations": _cut_annotations(alert.annotations),
            # Prometheus writes the whole expression into the address. One that is cut would lead nowhere.
            "url": redact_text(alert.url, MAX_URL) if len(alert.url) <= MAX_URL else "",
        }
    )


def field_problems(error: ValidationError, where: str = "") -> list[str]:
    """Name the fields that pydantic refused, without repeating what stood there."""
    problems: list[str] = []
    for one in error.errors(include_url=False, include_context=False, include_input=False)[:MAX_PROBLEMS]:
        place = where
        for part in one["loc"]:
            place += f"[{part}]" if isinstance(part, int) else f".{cut_text(str(part), 60)}"
        problems.append(cut_text(f"{place.lstrip('.') or 'body'}: {one['msg']}", _MAX_PROBLEM))
    return problems


def bounded_problems(problems: Sequence[str]) -> list[str]:
    """Give as many problems as an answer may hold."""
    shown = [cut_text(problem, _MAX_PROBLEM) for problem in problems[:MAX_PROBLEMS]]
    return [*shown, f"and {len(problems) - MAX_PROBLEMS} more"] if len(problems) > MAX_PROBLEMS else shown


def refuse_too_many(count: int) -> None:
    """Hold a body to the number of alerts that one request may carry.

    Raises:
        InvalidInput: there are more.
    """
    if count > MAX_ALERTS:
        raise InvalidInput(
            f"{count} alerts in one request; send at most {MAX_ALERTS} (in Alertmanager: `max_alerts`)",
            [f"alerts: {count} items, at most {MAX_ALERTS} are taken"],
        )


def _cut_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    left = MAX_ANNOTATION_BYTES
    kept: dict[str, str] = {}
    for name, value in list(annotations.items())[:MAX_ANNOTATIONS]:
        shown = MASK if is_secret_key(name) else value
        text = redact_text(shown, min(MAX_ANNOTATION_VALUE, left // 4))
        left -= len(text.encode()) + len(name.encode())
        if left <= 0 or len(name) > MAX_LABEL_NAME:
            break
        kept[name] = text
    return kept


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"key '{cut_text(name, 60)}' stands twice in one object")
            seen.add(name)
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _has_surrogate(value: Json) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _refuse_depth(value: Json) -> None:
    level: list[Json] = [value]
    for _ in range(MAX_BODY_DEPTH + 1):
        inner: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        if not inner:
            return
        level = inner
    raise BadJson(f"the body is nested deeper than {MAX_BODY_DEPTH} levels")
