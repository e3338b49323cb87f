"""What fields an object may have, read from the official client's models, so that no schema is kept by hand.

The server drops fields that it does not know and tells the caller of them, or refuses them under strict validation;
values of the wrong type it refuses always. Both happen here, in the one pass that also copies the object.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, cast

from kubernetes.aio import client as models

from halon.demo.cluster.objects import Json, clone, is_list, is_object
from halon.demo.cluster.resources import Resource
from halon.demo.cluster.status import FieldProblem, bad_request

_QUANTITIES = {
    ("V1ResourceRequirements", "limits"),
    ("V1ResourceRequirements", "requests"),
    ("V1VolumeResourceRequirements", "limits"),
    ("V1VolumeResourceRequirements", "requests"),
    ("V1NodeStatus", "allocatable"),
    ("V1NodeStatus", "capacity"),
    ("V1ResourceQuotaSpec", "hard"),
    ("V2MetricTarget", "average_value"),
    ("V2MetricTarget", "value"),
    ("V1EmptyDirVolumeSource", "size_limit"),
}
"""Fields where a number is as good as a string, because they are quantities; the server answers with strings."""

_GO_TYPES = {"str": "string", "int": "int32", "bool": "bool", "float": "float64", "datetime": "time.Time"}


class _Model(Protocol):
    """What is used of a generated class."""

    openapi_types: dict[str, str]
    attribute_map: dict[str, str]
    model_fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Field:
    type: str
    required: bool
    quantity: bool


@dataclass(slots=True)
class Findings:
    """What is wrong with an object: fields that nobody knows, and fields that are missing."""

    unknown: list[str] = field(default_factory=list[str])
    missing: list[FieldProblem] = field(default_factory=list[FieldProblem])


def decode(resource: Resource, value: Json, findings: Findings) -> Json:
    """Copy an object without what its kind does not have, noting the findings.

    Raises:
        ApiError: a value has the wrong type (400).
    """
    reader = _Reader(resource, findings)
    return reader.model(resource.model_name, value, "")


@cache
def _fields(model_name: str) -> dict[str, _Field]:
    """Return a model's fields by their names on the wire."""
    model = cast("_Model", getattr(models, model_name))
    known = {about.alias or name: about for name, about in model.model_fields.items()} | model.model_fields
    return {
        wire: _Field(
            model.openapi_types[attribute],
            bool(known[attribute].is_required()),
            (model_name, attribute) in _QUANTITIES,
        )
        for attribute, wire in model.attribute_map.items()
    }


class _Reader:
    """One pass over one object."""

    def __init__(self, resource: Resource, findings: Findings) -> None:
        self._resource = resource
        self._findings = findings

    def model(self, name: str, value: Json, path: str) -> Json:
        fields = _fields(name)
        known: Json = {}
        for key, item in value.items():
            where = f"{path}.{key}" if path else key
            known_field = fields.get(key)
            if known_field is None:
                self._findings.unknown.append(where)
            elif item is not None:
                known[key] = self._value(known_field.type, item, where, quantity=known_field.quantity)
        for key, known_field in fields.items():
            if known_field.required and key not in known and not path.startswith("status"):
                self._findings.missing.append(FieldProblem.required(f"{path}.{key}" if path else key))
        return known

    def _value(  # any JSON value may stand here
        self, kind: str, value: Any, path: str, *, quantity: bool = False
    ) -> Any:  # and comes out copied
        if kind.startswith("List["):
            if not is_list(value):
                raise self._mistyped(value, path, "[]" + kind[5:-1])
            return [self._value(kind[5:-1], item, f"{path}[{index}]") for index, item in enumerate(value)]
        if kind.startswith("Dict["):
            if not is_object(value):
                raise self._mistyped(value, path, "map[string]" + kind[10:-1])
            inner = kind[10:-1]
            return {
                key: self._value(inner, item, f"{path}.{key}", quantity=quantity)
                for key, item in value.items()
                if item is not None
            }
        if kind == "object":
            return clone(value)
        if kind in _GO_TYPES or kind == "bytes":
            return self._scalar(kind, value, path, quantity=quantity)
        if not is_object(value):
            raise self._mistyped(value, path, kind)
        return self.model(kind, value, path)

    def _scalar(  # any JSON value may stand here
        self, kind: str, value: Any, path: str, *, quantity: bool
    ) -> Any:  # and comes out copied
        is_bool, is_int, is_str = isinstance(value, bool), isinstance(value, int), isinstance(value, str)
        if quantity and is_int and not is_bool:
            return str(value)
        fits = {
            "int": is_int and not is_bool,
            "bool": is_bool,
            "float": (is_int and not is_bool) or isinstance(value, float),
        }.get(kind, is_str)
        if not fits:
            raise self._mistyped(value, path, _GO_TYPES.get(kind, "[]uint8"))
        return value

    def _mistyped(self, value: object, path: str, wanted: str) -> Exception:
        resource = self._resource
        got = {"dict": "object", "list": "array", "str": "string", "bool": "bool"}.get(type(value).__name__, "number")
        return bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"json: cannot unmarshal {got} into Go struct field {resource.kind}.{path} of type {wanted}"
        )
