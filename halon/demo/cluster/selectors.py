"""Label and field selectors, both as text in a query and as objects in a spec."""

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from halon.demo.cluster.objects import Json, child, is_object, labels_of, objects, strings
from halon.demo.cluster.resources import EVENTS, PODS, Resource
from halon.demo.cluster.status import bad_request

Matcher: TypeAlias = Callable[[Json], bool]
"""Says whether an object is selected."""

_TERM = re.compile(
    r"\s*(?:(?P<absent>!)\s*(?P<missing>[\w./-]+)"
    r"|(?P<key>[\w./-]+)\s*(?:(?P<op>==|=|!=)\s*(?P<value>[\w.-]*)"
    r"|\s(?P<in>in|notin)\s*\((?P<values>[^)]*)\))?)\s*(?:,|$)"
)
_FIELDS: dict[Resource, set[str]] = {
    PODS: {
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    },
    EVENTS: {
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    },
}
"""Fields that can be selected by, besides the name and the namespace that every resource has."""
_PLAIN = {"spec.unschedulable", "status.phase", "status.successful", "type"}


def label_matcher(text: str) -> Matcher:
    """Read a label selector such as `app=web,tier in (a, b),!canary`.

    Raises:
        ApiError: it is malformed (400).
    """
    tests: list[Callable[[Mapping[str, str]], bool]] = []
    place = 0
    while place < len(text.rstrip()):
        term = _TERM.match(text, place)
        if term is None or term.end() == place:
            raise bad_request(f"unable to parse requirement: found {text[place:]!r}")
        tests.append(_label_test(term))
        place = term.end()
    return lambda obj: all(test(labels_of(obj)) for test in tests)


def _label_test(term: re.Match[str]) -> Callable[[Mapping[str, str]], bool]:
    if term["absent"]:
        return _requirement(term["missing"], "DoesNotExist", ())
    if term["op"]:
        return _requirement(term["key"], "NotIn" if term["op"] == "!=" else "In", (term["value"],))
    if term["in"]:
        values = tuple(value.strip() for value in term["values"].split(","))
        return _requirement(term["key"], "In" if term["in"] == "in" else "NotIn", values)
    return _requirement(term["key"], "Exists", ())


def _requirement(key: str, operator: str, values: tuple[str, ...]) -> Callable[[Mapping[str, str]], bool]:
    def holds(labels: Mapping[str, str]) -> bool:
        if operator == "Exists":
            return key in labels
        if operator == "DoesNotExist":
            return key not in labels
        return (labels.get(key) in values) == (operator == "In")

    return holds


def selector_matches(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Apply a LabelSelector of a spec; none selects nothing, an empty one everything."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in strings(selector, "matchLabels").items()):
        return False
    return all(
        _requirement(str(item.get("key")), str(item.get("operator")), tuple(item.get("values") or ()))(labels)
        for item in objects(selector, "matchExpressions")
    )


def selector_text(selector: Json) -> str:
    """Write a LabelSelector as a query has it."""
    terms = [f"{key}={value}" for key, value in sorted(strings(selector, "matchLabels").items())]
    for item in objects(selector, "matchExpressions"):
        key, operator, values = str(item.get("key")), item.get("operator"), ",".join(item.get("values") or ())
        written = {"Exists": key, "DoesNotExist": f"!{key}", "In": f"{key} in ({values})"}
        terms.append(written.get(str(operator), f"{key} notin ({values})"))
    return ",".join(terms)


def field_matcher(resource: Resource, text: str) -> Matcher:
    """Read a field selector such as `spec.nodeName=node-a,status.phase!=Running`.

    Raises:
        ApiError: it is malformed, or the resource cannot be selected by that field (400).
    """
    tests: list[tuple[list[str], str, bool]] = []
    for term in filter(None, text.split(",")):
        parsed = re.fullmatch(r"\s*([\w./-]+?)\s*(==|=|!=)\s*(.*?)\s*", term)
        if parsed is None:
            raise bad_request(f"invalid selector: {term!r}; can't understand {term!r}")
        path, operator, value = parsed.groups()
        if path not in {"metadata.name", "metadata.namespace"} | _PLAIN | _FIELDS.get(resource, set()):
            raise bad_request(f"field label not supported: {path}")
        tests.append((path.split("."), value, operator != "!="))
    return lambda obj: all((_field(obj, path) == value) == wanted for path, value, wanted in tests)


def _field(obj: Json, path: list[str]) -> str:
    if path == ["source"]:
        path = ["source", "component"]
    value = child(obj, *path[:-1]).get(path[-1])
    if is_object(value) or value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
