"""Which parts of an output are durations or timestamps, read from its model, so that expressions can compare them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

Hint: TypeAlias = Literal["duration", "timestamp"]
Hints: TypeAlias = dict[str, Hint]

_MAX_DEPTH = 8


def hints(model: type[BaseModel]) -> Hints:
    """Give `{"age": "duration", "pods[].started_at": "timestamp"}` for a model; `[]` is every element of a list.

    Values of a map are not reached: expressions do not iterate over maps.
    """
    return dict(_of_model(model, "", 0))


def _of_model(model: type[BaseModel], prefix: str, depth: int) -> Iterator[tuple[str, Hint]]:
    if depth > _MAX_DEPTH:
        return
    for name, field in model.model_fields.items():
        path = field.serialization_alias or field.alias or name
        yield from _of_type(field.annotation, f"{prefix}.{path}" if prefix else path, depth + 1)


def _of_type(kind: Any, path: str, depth: int) -> Iterator[tuple[str, Hint]]:
    origin = get_origin(kind)
    members = [one for one in get_args(kind) if one is not NoneType and one is not Ellipsis]
    if origin is Annotated:
        yield from _of_type(members[0], path, depth)
    elif origin in {Union, UnionType}:
        for one in members:
            yield from _of_type(one, path, depth)
    elif isinstance(origin, type) and issubclass(origin, Sequence):
        for one in members:
            yield from _of_type(one, f"{path}[]", depth)
    elif isinstance(kind, type):
        yield from _of_class(kind, path, depth)


def _of_class(kind: type[Any], path: str, depth: int) -> Iterator[tuple[str, Hint]]:
    if issubclass(kind, BaseModel):
        yield from _of_model(kind, path, depth)
    elif issubclass(kind, timedelta):
        yield path, "duration"
    elif issubclass(kind, datetime):
        yield path, "timestamp"
