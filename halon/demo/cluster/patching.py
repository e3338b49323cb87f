"""JSON patch (RFC 6902) and merge patch (RFC 7386), and the choice among the four kinds of patch."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from halon.demo.cluster.objects import Json, clone, is_list, is_object
from halon.demo.cluster.status import bad_request, patch_failed, unsupported_media_type


class PatchKind(Enum):
    """The kinds of patch, by their media type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch and its kind: a list of operations for a JSON patch, else an object."""

    kind: PatchKind
    body: Json | list[Any]


def read_patch(media_type: str, body: object) -> Patch:
    """Check a patch's form.

    Raises:
        ApiError: the media type is none of the four (415), or the body does not fit it (400).
    """
    try:
        kind = PatchKind(media_type)
    except ValueError:
        raise unsupported_media_type([kind.value for kind in PatchKind]) from None
    if kind is PatchKind.JSON and is_list(body):
        return Patch(kind, body)
    if kind is not PatchKind.JSON and is_object(body):
        return Patch(kind, body)
    wanted = "an array of operations" if kind is PatchKind.JSON else "an object"
    raise bad_request(f"error decoding patch: {kind.value} must be {wanted}")


def merge(target: Any, patch: Any) -> Any:  # RFC 7386 is defined on any JSON value
    """Apply a merge patch and return the result; neither argument is changed."""
    if not is_object(patch):
        return clone(patch)
    merged: Json = dict(target) if is_object(target) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def apply_operations(target: Json, operations: list[Any]) -> Json:
    """Apply a JSON patch and return the result; the target is not changed.

    Raises:
        ApiError: an operation is malformed (400), or its test fails or its path is not there (422).
    """
    document: Any = clone(target)
    for operation in operations:
        if not is_object(operation):
            raise bad_request("error decoding patch: an operation must be an object")
        document = _apply_one(document, operation)
    if not is_object(document):
        raise patch_failed()
    return document


def _apply_one(document: Any, operation: Json) -> Any:  # an operation may replace the whole document
    path, kind = _pointer(operation.get("path")), operation.get("op")
    if kind == "test":
        if not _same(_look_up(document, path), operation.get("value")):
            raise patch_failed()
        return document
    if kind == "remove":
        _look_up(document, path)
        return _remove(document, path)
    if kind == "move":
        source = _pointer(operation.get("from"))
        value = _look_up(document, source)
        return _add(_remove(document, source), path, value)
    if kind == "copy":
        return _add(document, path, clone(_look_up(document, _pointer(operation.get("from")))))
    if kind in {"add", "replace"}:
        if "value" not in operation:
            raise bad_request(f"error decoding patch: {kind} needs a value")
        if kind == "replace":
            _look_up(document, path)
            document = _remove(document, path)
        return _add(document, path, clone(operation["value"]))
    raise bad_request(f"error decoding patch: unknown operation {kind!r}")


def _pointer(text: object) -> list[str]:
    """Split a JSON pointer (RFC 6901)."""
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise bad_request(f"error decoding patch: {text!r} is no JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _look_up(document: Any, path: list[str]) -> Any:  # any JSON value may stand there
    here = document
    for part in path:
        if is_object(here) and part in here:
            here = here[part]
        elif is_list(here) and (index := _index(part, len(here))) < len(here):
            here = here[index]
        else:
            raise patch_failed()
    return here


def _index(part: str, length: int) -> int:
    if part == "-":
        return length
    if not part.isascii() or not part.isdigit() or int(part) > length:
        raise patch_failed()
    return int(part)


def _add(document: Any, path: list[str], value: Any) -> Any:  # an empty path is the whole document
    if not path:
        return value
    parent = _look_up(document, path[:-1])
    if is_object(parent):
        parent[path[-1]] = value
    elif is_list(parent):
        parent.insert(_index(path[-1], len(parent)), value)
    else:
        raise patch_failed()
    return document


def _remove(document: Any, path: list[str]) -> Any:  # an empty path is the whole document
    if not path:
        return None
    parent = _look_up(document, path[:-1])
    if is_object(parent):
        del parent[path[-1]]
    elif is_list(parent):
        del parent[_index(path[-1], len(parent))]
    return document


def _same(left: object, right: object) -> bool:
    """Compare as JSON does: true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if is_object(left) and is_object(right):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if is_list(left) and is_list(right):
        return len(left) == len(right) and all(map(_same, left, right))
    return left == right
