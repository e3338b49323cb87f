"""Server-side apply: a manager states the fields that it wants, and owns them from then on.

Only what was applied is owned here; the real server also tracks what updates wrote. So a conflict arises between two
appliers, as it does there, and never between an applier and an update.
"""

import json
from typing import Any, TypeAlias

from halon.demo.cluster.objects import Json, canonical, child, clone, ensure, is_list, is_object, objects
from halon.demo.cluster.resources import Resource
from halon.demo.cluster.status import ApiError
from halon.demo.cluster.strategic import merge_key

Path: TypeAlias = tuple[str, ...]
"""Where a field is, in the words of managedFields: `f:spec`, `k:{"name":"a"}`."""

_HEADER = {"apiVersion", "kind"}
_SERVER_FIELDS = {"name", "namespace", "uid", "resourceVersion", "managedFields", "creationTimestamp", "generation"}


def apply_fields(resource: Resource, current: Json, wanted: Json, manager: str, now: str, *, force: bool) -> Json:
    """Merge what a manager wants into an object, take away what it no longer wants, and record its fields.

    Raises:
        ApiError: another manager applied one of the fields with another value, and this one does not force (409).
    """
    owned = _owned(current)
    leaves = _leaves(_stated(wanted))
    disputed = {
        path: other
        for other, paths in owned.items()
        if other != manager
        for path in paths & leaves.keys()
        if _at(current, path) != leaves[path]
    }
    if disputed and not force:
        raise _conflicts(disputed)
    merged = clone(current)
    for path in owned.get(manager, set()) - leaves.keys():
        if not any(path in paths for other, paths in owned.items() if other != manager):
            _remove(merged, path)
    merged = _merge(merged, _stated(wanted))
    owned = {other: paths - disputed.keys() for other, paths in owned.items()} | {manager: set(leaves)}
    entries = objects(merged, "metadata", "managedFields")
    others = [entry for entry in entries if entry.get("operation") != "Apply"]
    known = {str(entry.get("manager")): entry for entry in entries if entry not in others}
    ensure(merged, "metadata")["managedFields"] = others + [
        _entry(resource, name, _tree(paths), now, known.get(name)) for name, paths in owned.items() if paths
    ]
    return merged


def _entry(resource: Resource, manager: str, fields: Json, now: str, before: Json | None) -> Json:
    """Write a manager's entry. One that stays the same keeps its time, so that applying again changes nothing."""
    if before is not None and before.get("fieldsV1") == fields:
        return before
    return {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": resource.api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


def _stated(wanted: Json) -> Json:
    """Return the fields of a body that can be owned."""
    stated = {key: value for key, value in wanted.items() if key not in _HEADER | {"status"}}
    kept = {key: value for key, value in child(wanted, "metadata").items() if key not in _SERVER_FIELDS}
    return {**stated, "metadata": kept}


def _leaves(obj: Json, path: Path = ()) -> dict[Path, Any]:
    found: dict[Path, Any] = {}
    for key, value in obj.items():
        here = (*path, f"f:{key}")
        keyed = merge_key(key, value) if is_list(value) else None
        if is_object(value) and value:
            found |= _leaves(value, here)
        elif keyed and is_list(value):
            for item in value:
                found |= _leaves(item, (*here, "k:" + canonical({keyed: item[keyed]})))
        else:
            found[here] = value
    return found


def _merge(target: Json, wanted: Json) -> Json:
    """Merge like a strategic merge, but without directives: nothing in an applied object means 'delete'."""
    for key, value in wanted.items():
        keyed = merge_key(key, value) if is_list(value) else None
        if is_object(value):
            before = target.get(key)
            target[key] = _merge(before if is_object(before) else {}, value)
        elif keyed and is_list(value):
            present: list[Json] = target.setdefault(key, [])
            for item in value:
                same = next((old for old in present if old.get(keyed) == item[keyed]), None)
                if same is None:
                    present.append(clone(item))
                else:
                    _merge(same, item)
        elif value is not None:
            target[key] = clone(value)
    return target


def _step(here: Any, part: str) -> Any:  # any JSON value may stand there
    if part.startswith("f:"):
        return here.get(part[2:]) if is_object(here) else None
    identity: Json = json.loads(part[2:])
    candidates = here if is_list(here) else []
    return next((item for item in candidates if identity.items() <= item.items()), None)


def _at(obj: Json, path: Path) -> Any:  # any JSON value may stand there
    here: Any = obj
    for part in path:
        here = _step(here, part)
    return here


def _remove(obj: Json, path: Path) -> None:
    """Remove a field; a keyed element goes with its key."""
    parent = _at(obj, path[:-1])
    if not is_object(parent):
        return
    field = path[-1][2:]
    identified = len(path) > 1 and path[-2].startswith("k:") and field in json.loads(path[-2][2:])
    if not identified:
        parent.pop(field, None)
        return
    siblings = _at(obj, path[:-2])
    if is_list(siblings) and parent in siblings:
        siblings.remove(parent)


def _tree(paths: set[Path]) -> Json:
    root: Json = {}
    for path in sorted(paths):
        ensure(root, *path)
    return root


def _owned(obj: Json) -> dict[str, set[Path]]:
    """Read what each manager applied from managedFields."""
    return {
        str(entry.get("manager")): _paths(child(entry, "fieldsV1"))
        for entry in objects(obj, "metadata", "managedFields")
        if entry.get("operation") == "Apply"
    }


def _paths(tree: Json, path: Path = ()) -> set[Path]:
    if not tree:
        return {path} if path else set()
    found: set[Path] = set()
    for part, below in tree.items():
        if part != ".":
            found |= _paths(below, (*path, part))
    return found


def _conflicts(disputed: dict[Path, str]) -> ApiError:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{other}"',
            "field": "".join(f".{part[2:]}" if part.startswith("f:") else f"[{part[2:]}]" for part in path),
        }
        for path, other in sorted(disputed.items())
    ]
    said = ", ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    noun = "conflict" if len(causes) == 1 else "conflicts"
    message = f"Apply failed with {len(causes)} {noun}: {said}"
    return ApiError(409, "Conflict", message, {"causes": causes})
