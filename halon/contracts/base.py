"""What every contract shares: frozen, closed models, durations as people write them, canonical JSON."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, TypeAlias, TypeGuard

import rfc8785
from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue, PlainSerializer, WithJsonSchema

Json: TypeAlias = JsonValue
"""Anything that JSON can say."""

JsonObject: TypeAlias = dict[str, JsonValue]

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
MAX_DURATION = timedelta(days=366)
"""The longest duration that can be written."""


class Contract(BaseModel):
    """Base of every model that crosses a wire: frozen, and closed to fields that nobody declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


def parse_duration(value: Any) -> timedelta:
    """Read a duration such as `90s`, `10m`, `1h30m` or `2d`.

    Raises:
        ValueError: the text is not such a duration, is zero-length, or is longer than 366 days.
    """
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError("expected a duration such as 90s, 10m, 1h30m or 2d")
    days, hours, minutes, seconds, millis = (float(part or 0) for part in match.groups())
    if days > MAX_DURATION.days:
        raise ValueError(f"a duration may be at most {MAX_DURATION.days} days")
    parsed = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=millis)
    if parsed > MAX_DURATION:
        raise ValueError(f"a duration may be at most {MAX_DURATION.days} days")
    return parsed


def format_duration(value: timedelta) -> str:
    """Write a duration as `parse_duration` reads it: `1h30m`, `90s` becomes `1m30s`, nothing is `0s`."""
    millis = round(value.total_seconds() * 1000)
    if millis < 0:
        return "-" + format_duration(-value)
    parts: list[str] = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, millis = divmod(millis, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


Duration: TypeAlias = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(\d+ms)?$", "examples": ["10m"]}
    ),
]
"""A `timedelta` that is written `10m` or `1h30m` on the wire."""


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value is an object in JSON's sense; type checkers then know its keys."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a value is a list in JSON's sense."""
    return isinstance(value, list)


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value maps names to values, as a JSON object or a scope does."""
    return isinstance(value, Mapping)


def is_row(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether a value is a list, or a tuple that stands for one in a frozen model."""
    return isinstance(value, list | tuple)


def canonical(value: Json) -> bytes:
    """Canonical JSON (RFC 8785): the same value gives the same bytes everywhere."""
    return rfc8785.dumps(value)


def digest(value: Json) -> str:
    """SHA-256 over the canonical JSON of `value`, in lower-case hex."""
    return hashlib.sha256(canonical(value)).hexdigest()
