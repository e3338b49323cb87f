"""Values on their way into the CEL binding and out of it: pruned, converted, measured, sorted.

The binding refuses `datetime` and `timedelta` inside maps and lists, but takes protobuf's messages for them anywhere.
It cuts text at NUL and fails on lone surrogates, so both become U+FFFD on the way in.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from google.protobuf import duration_pb2, timestamp_pb2

from halon.contracts.base import Json, format_duration, is_list, is_mapping, is_object, is_row
from halon.core.budget import EvaluationError, Size

Trie: TypeAlias = dict[str, "Trie"]

MAX_INPUT = 512 * 1024
MAX_RESULT = 256 * 1024
MAX_DEPTH = 64
MAX_INTEGER = 2**53 - 1
"""The largest integer that canonical JSON carries (RFC 8785)."""

_CELL = 16
UNFIT = re.compile("[\x00\ud800-\udfff]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def prune(
    scope: Mapping[str, Any], path: tuple[str, ...], trie: Trie, sizes: dict[tuple[str, ...], Size]
) -> tuple[Any] | None:
    """Give the value at `path` with only the parts in `trie`, converted; None when it does not exist.

    Raises:
        EvaluationError: it is too large or nested too deep.
    """
    value: Any = scope
    for part in path:
        if not is_mapping(value) or part not in value:
            return None
        value = value[part]
    return (_pruned(value, trie, path, sizes),)


def _pruned(value: Any, trie: Trie, path: tuple[str, ...], sizes: dict[tuple[str, ...], Size]) -> Any:
    if trie and is_mapping(value):
        return {name: _pruned(value[name], rest, (*path, name), sizes) for name, rest in trie.items() if name in value}
    meter = _Meter()
    result = meter.convert(value, 0)
    sizes[path] = meter.size(value)
    return result


def to_cel(value: Any) -> Any:
    """Convert a whole value.

    Raises:
        EvaluationError: it is too large or nested too deep.
    """
    return _Meter().convert(value, 0)


class _Meter:
    """Converts a value and counts its bytes on the way."""

    def __init__(self) -> None:
        self.bytes = 0
        self._largest = 0

    def size(self, value: Any) -> Size:
        """What was counted."""
        length = len(value) if is_row(value) or is_mapping(value) or isinstance(value, str) else 0
        return Size(self.bytes, length, self._largest)

    def convert(self, value: Any, depth: int) -> Any:
        """Convert, and count."""
        if isinstance(value, str):
            self._count(_CELL + len(value))
            # A cheap look first: nearly all text is plain ASCII without NUL.
            return value if value.isascii() and "\0" not in value else UNFIT.sub("\ufffd", value)
        self._count(_CELL)
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth > MAX_DEPTH:
            raise EvaluationError(f"a value that it uses is nested more than {MAX_DEPTH} deep")
        if is_mapping(value):
            fields: dict[Any, Any] = {}
            for key, inner in value.items():
                before = self.bytes
                fields[self.convert(str(key), depth + 1)] = self.convert(inner, depth + 1)
                self._note(before, depth)
            return fields
        if is_row(value):
            items: list[Any] = []
            for inner in value:
                before = self.bytes
                items.append(self.convert(inner, depth + 1))
                self._note(before, depth)
            return items
        if isinstance(value, timedelta):
            return _duration(value)
        if isinstance(value, datetime):
            return _timestamp(value)
        raise EvaluationError(f"a value of type {type(value).__name__} cannot be used in an expression")

    def _count(self, amount: int) -> None:
        self.bytes += amount
        if self.bytes > MAX_INPUT:
            raise EvaluationError(f"a value that it uses is larger than {MAX_INPUT // 1024} kB")

    def _note(self, before: int, depth: int) -> None:
        if depth == 0:
            self._largest = max(self._largest, self.bytes - before)


def _duration(value: timedelta) -> duration_pb2.Duration:
    micros = value // _MICROSECOND
    sign = -1 if micros < 0 else 1
    seconds, rest = divmod(abs(micros), 1_000_000)
    return duration_pb2.Duration(seconds=sign * seconds, nanos=sign * rest * 1000)


def _timestamp(value: datetime) -> timestamp_pb2.Timestamp:
    since = (value if value.tzinfo is not None else value.replace(tzinfo=UTC)) - _EPOCH
    return timestamp_pb2.Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def to_scope(value: Any) -> Any:
    """Take a result: sorted, finite, and with text for keys.

    Raises:
        EvaluationError: it cannot be said in JSON, or is larger than 256 kB.
    """
    if measured(value) > MAX_RESULT:
        raise EvaluationError(f"the result is larger than {MAX_RESULT // 1024} kB")
    return _sorted(value)


def _sorted(value: Any) -> Any:
    if is_object(value):
        for key in value:
            if not _is_text(key):
                raise EvaluationError(f"the key {key!r} of a map in the result is no text")
        return {key: _sorted(value[key]) for key in sorted(value)}
    if is_list(value):
        return [_sorted(inner) for inner in value]
    return _fit(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _fit(value: Any) -> Any:
    """Take a single value of a result as JSON can carry it."""
    if isinstance(value, str) and not (value.isascii() and "\0" not in value):
        return UNFIT.sub("\ufffd", value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise EvaluationError(f"the result {value} is larger than JSON can carry: turn it into text with string(…)")
    if isinstance(value, float) and not math.isfinite(value):
        raise EvaluationError(f"the result is {value}, which is no number")
    if value is None or isinstance(value, bool | int | float | str | datetime | timedelta):
        return value
    raise EvaluationError("the result is neither JSON nor a time nor a duration")


def measured(value: Any) -> int:
    """About how many bytes of JSON a value is."""
    total = 0
    waiting = [value]
    while waiting and total <= MAX_RESULT:
        one = waiting.pop()
        if isinstance(one, str):
            total += len(one) + 2
        elif is_object(one):
            total += sum(len(str(key)) + 4 for key in one) + 2
            waiting.extend(one.values())
        elif is_row(one):
            total += len(one) + 2
            waiting.extend(one)
        else:
            total += 8
    return total


def wire(value: Any) -> Json:
    """Write durations as `10m` and times as RFC 3339, anywhere in a value."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, datetime):
        return _rfc3339(value)
    if is_object(value):
        return {key: wire(inner) for key, inner in value.items()}
    if is_list(value):
        return [wire(inner) for inner in value]
    result: Json = value
    return result


def text_of(value: Any, source: str) -> str:
    """Write a value inside text.

    Raises:
        EvaluationError: it is null: `orValue` says what to write instead.
    """
    if value is None:
        hint = "say what to write instead, with .orValue(…) or a condition"
        raise EvaluationError(f"`{source.strip()}` is null inside text: {hint}")
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) <= MAX_INTEGER else repr(value)
    if isinstance(value, dict | list):
        return json.dumps(wire(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return str(wire(value))


def _rfc3339(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
