"""Strategic merge patch: a merge patch that knows which lists are keyed, so that one container can be changed alone."""

from collections.abc import Sequence
from typing import Any

from halon.demo.cluster.objects import Json, clone, is_list, is_object
from halon.demo.cluster.status import bad_request

_KEYS: dict[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "podIPs": ("ip",),
    "ports": ("containerPort", "port"),
    "resourceClaims": ("name",),
    "secrets": ("name",),
    "topologySpreadConstraints": ("topologyKey",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
    "addresses": ("type",),
}
"""Merge keys by the list's field, from the `patchMergeKey` tags of k8s.io/api; `ports` has one for containers and one
for services."""

_SETS = {"finalizers"}
"""Lists of plain values that merge as sets."""

_ORDER, _DELETE, _RETAIN = "$setElementOrder/", "$deleteFromPrimitiveList/", "$retainKeys"
_DIRECTIVE = "$patch"


def merge_key(field: str, items: Sequence[Any]) -> str | None:
    """Return the key that identifies the elements of a list, or None where the list is replaced as a whole."""
    for key in _KEYS.get(field, ()):
        if items and all(is_object(item) and key in item for item in items):
            return key
    return None


def strategic_merge(target: Json, patch: Json) -> Json:
    """Apply a strategic merge patch and return the result; neither argument is changed.

    Raises:
        ApiError: a directive is unknown, or an element lacks its list's key (400).
    """
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {key: clone(value) for key, value in patch.items() if key != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in {None, "merge"}:
        raise bad_request(f"unknown patch directive: {directive}")
    merged = _merge_fields(target, patch)
    for key, order in patch.items():
        field = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and field not in patch and is_list(merged.get(field)) and is_list(order):
            merged[field] = _ordered(field, merged[field], order)
    return merged


def _merge_fields(target: Json, patch: Json) -> Json:
    merged = dict(target)
    retained = patch.get(_RETAIN)
    if is_list(retained):
        merged = {key: value for key, value in merged.items() if key in retained}
    for key, value in patch.items():
        if key in {_DIRECTIVE, _RETAIN} or key.startswith(_ORDER):
            continue
        if key.startswith(_DELETE):
            _delete_from_set(merged, key.removeprefix(_DELETE), value)
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge_value(key, merged.get(key), value, patch.get(_ORDER + key))
    return merged


def _delete_from_set(merged: Json, field: str, gone: Any) -> None:  # comes from the caller
    present = merged.get(field)
    if is_list(present) and is_list(gone):
        merged[field] = [item for item in present if item not in gone]


def _merge_value(field: str, before: Any, value: Any, order: Any) -> Any:  # any JSON value may be patched
    if is_object(value):
        return strategic_merge(before if is_object(before) else {}, value)
    if not is_list(value):
        return value
    present = before if is_list(before) else []
    if field in _SETS:
        merged = [*present, *(item for item in value if item not in present)]
    elif field in _KEYS:
        merged = _merge_list(field, present, value)
    else:
        return clone(value)
    return _ordered(field, merged, order) if is_list(order) else merged


def _merge_list(field: str, present: list[Any], patch: list[Any]) -> list[Any]:
    """Merge a keyed list: elements with the same key merge, new ones go to the end."""
    changes = [item for item in patch if not (is_object(item) and item.keys() == {_DIRECTIVE})]
    if any(item.get(_DIRECTIVE) == "replace" for item in patch if is_object(item)):
        return [clone(item) for item in changes if item.get(_DIRECTIVE) != "replace" or len(item) > 1]
    key = merge_key(field, changes)
    if key is None:
        if changes:
            raise bad_request(f"map: {changes[0]} does not contain declared merge key: {_KEYS[field][0]}")
        return present
    merged = list(present)
    for change in changes:
        place = next((i for i, item in enumerate(merged) if is_object(item) and item.get(key) == change[key]), None)
        if change.get(_DIRECTIVE) == "delete":
            if place is not None:
                del merged[place]
        elif place is None:
            merged.append(strategic_merge({}, change))
        else:
            merged[place] = strategic_merge(merged[place], change)
    return merged


def _ordered(field: str, items: list[Any], order: list[Any]) -> list[Any]:
    """Bring elements into the order that the patch wants; those that it does not name stay in front of the rest."""
    key = merge_key(field, order)
    names = [item[key] for item in order] if key else order

    def rank(item: Any) -> int:  # an element, or a plain value of a set
        name = item.get(key) if key and is_object(item) else item
        return names.index(name) if name in names else -1

    return sorted(items, key=rank)
