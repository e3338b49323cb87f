"""Reading and naming API objects, which are plain JSON here as they are on the wire.

Objects in the store are shared and never changed in place: whoever wants to change one clones it first.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeGuard, TypeVar
from uuid import UUID

Json: TypeAlias = dict[str, Any]
"""A JSON object: what a Kubernetes resource is made of."""

Clock: TypeAlias = Callable[[], datetime]
"""Tells the present time, with its zone."""

_T = TypeVar("_T")
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' own letters for random names: no vowels, so that no words come out."""
_EMPTY: Json = {}


def system_clock() -> datetime:
    """Tell the machine's time."""
    return datetime.now(UTC)  # a server has a clock of its own; nothing decides by it in Halon


def is_object(value: object) -> TypeGuard[Json]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a JSON value is a list."""
    return isinstance(value, list)


def clone(value: _T) -> _T:
    """Copy a JSON value in depth; several times faster than copy.deepcopy, because JSON has no cycles."""
    copied: Any = value
    if is_object(value):
        copied = {key: clone(item) for key, item in value.items()}
    elif is_list(value):
        copied = [clone(item) for item in value]
    return copied  # type: ignore[no-any-return]  # a copy has the type of its original


def child(obj: Mapping[str, Any], *path: str) -> Json:
    """Return the object at a path, or an empty one that must not be changed."""
    here: Any = obj
    for key in path:
        here = here.get(key) if is_object(here) else None
    return here if is_object(here) else _EMPTY


def objects(obj: Mapping[str, Any], *path: str) -> list[Json]:
    """Return the objects in the list at a path; nothing there is an empty list."""
    found: Any = child(obj, *path[:-1]).get(path[-1])
    return [item for item in found if is_object(item)] if is_list(found) else []


def strings(obj: Mapping[str, Any], *path: str) -> dict[str, str]:
    """Return the map of strings at a path, such as labels."""
    return {key: value for key, value in child(obj, *path).items() if isinstance(value, str)}


def ensure(obj: Json, *path: str) -> Json:
    """Return the object at a path of an object that is being built, made where it is missing."""
    for key in path:
        obj = obj.setdefault(key, {})
    return obj


def name_of(obj: Json) -> str:
    """Return metadata.name, empty when there is none yet."""
    return str(child(obj, "metadata").get("name") or "")


def namespace_of(obj: Json) -> str:
    """Return metadata.namespace, empty for what belongs to the whole cluster."""
    return str(child(obj, "metadata").get("namespace") or "")


def uid_of(obj: Json) -> str:
    """Return metadata.uid, empty before the server gave one."""
    return str(child(obj, "metadata").get("uid") or "")


def labels_of(obj: Json) -> dict[str, str]:
    """Return metadata.labels."""
    return strings(obj, "metadata", "labels")


def annotations_of(obj: Json) -> dict[str, str]:
    """Return metadata.annotations."""
    return strings(obj, "metadata", "annotations")


def is_deleting(obj: Json) -> bool:
    """Whether somebody deleted the object, and it only waits to be gone."""
    return bool(child(obj, "metadata").get("deletionTimestamp"))


def controller_of(obj: Json) -> str:
    """Return the uid of the object that controls this one, empty when none does."""
    for owner in objects(obj, "metadata", "ownerReferences"):
        if owner.get("controller"):
            return str(owner.get("uid") or "")
    return ""


def condition_of(obj: Json, kind: str) -> Json:
    """Return a condition of the status by its type, empty when it is not there."""
    for condition in objects(obj, "status", "conditions"):
        if condition.get("type") == kind:
            return condition
    return _EMPTY


def is_pod_ready(pod: Json) -> bool:
    """Whether the pod's own condition says that it serves."""
    return condition_of(pod, "Ready").get("status") == "True"


def canonical(value: object) -> str:
    """Write JSON with one spelling for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def new_uid() -> str:
    """Make a uid, as a server does for each object that it accepts."""
    return str(UUID(bytes=secrets.token_bytes(16), version=4))


def random_suffix(length: int = 5) -> str:
    """Make the random end of a generated name."""
    return "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(length))


def timestamp(moment: datetime) -> str:
    """Write a time as Kubernetes does: whole seconds, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> datetime:
    """Read a time that `timestamp` or a client wrote.

    Raises:
        ValueError: it is no RFC 3339 time.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
