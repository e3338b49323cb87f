"""The binding's messages in words for people: operators as they are written, names that exist, what is missing."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from halon.contracts.base import is_mapping
from halon.core.binding import FUNCTIONS
from halon.core.references import Reference

_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_CODE = re.compile(r"^(?:INVALID_ARGUMENT|NOT_FOUND|UNKNOWN|OUT_OF_RANGE|INTERNAL|CANCELLED|FAILED_PRECONDITION): ")
_TYPES = {
    "google.protobuf.Duration": "duration",
    "google.protobuf.Timestamp": "timestamp",
    "null_type": "null",
    "int64": "int",
    "uint64": "uint",
    "*error*": "error",
}
_SAID = {
    "Iteration budget exceeded": "its loops run more than 10,000 times for these values",
    "String to Duration conversion failed": "duration(…) got text that is no duration: "
    "the units are h, m, s, ms, us and ns",
    "optional.none() dereference": "value() of something that is not there: use .orValue(…)",
    "Unable to convert function return value": "the result may be nothing: end it with .orValue(…)",
}
"""What the binding says of some values, and what it means."""
_TAKING = frozenset({"double", "duration", "dyn", "has", "int", "keys", "list", "string", "timestamp"})
"""Functions that are not called on a value."""
_MAX_NAMES = 20
_MAX_MESSAGE = 300


def nearest(name: str, known: Iterable[str]) -> str:
    """Give `; did you mean …?` for a misspelt name, or what there is."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; it has {_listed(names)}" if names else "; it is empty"


def compile_reason(message: str, names: Iterable[str]) -> tuple[str, int, int, str]:
    """Give what is wrong with an expression that does not compile, line and column from 1, and the name it is about."""
    match = _ERROR.search(message)
    if "recursion" in message:
        return "nested too deep: compute parts of it in `set` steps", 1, 1, ""
    if match is None:
        return _tidied(_CODE.sub("", message.splitlines()[0] if message else "not CEL")), 1, 1, ""
    said = match[3]
    undeclared = re.match(r"undeclared reference to '([^'.]*).*?'", said)
    reason = _undeclared(undeclared[1], names) if undeclared else _miscompiled(said)
    return reason, max(int(match[1]), 1), max(int(match[2]), 1), undeclared[1] if undeclared else ""


def _undeclared(name: str, names: Iterable[str]) -> str:
    if name in FUNCTIONS:
        way = f"takes a value, as in {name}(value)" if name in _TAKING else f"follows a value, as in value.{name}(…)"
        return f"`{name}` {way}"
    close = difflib.get_close_matches(name, sorted({*names, *FUNCTIONS}), n=1, cutoff=0.6)
    hint = f"; did you mean `{close[0]}`?" if close else f"; known: {', '.join(sorted(names))}"
    return f"unknown name `{name}`{hint}"


def _miscompiled(said: str) -> str:
    overload = re.match(r"found no matching overload for '(.*)' applied to '(.*)'", said)
    if overload:
        return f"{_function(overload[1])} cannot be used with {_operands(overload[2])}"
    syntax = re.match(r"Syntax error: (.*)", said)
    if syntax:
        said = re.sub(r" expecting .*", "", syntax[1]).replace("'<EOF>'", "the end")
        said = said.replace("mismatched input", "unexpected").replace("extraneous input", "unexpected")
        return f"syntax error: {_tidied(said)}"
    return _tidied(said)


def evaluation_reason(uses: Sequence[Reference], scope: Mapping[str, Any], message: str) -> str:
    """Give why an expression has no answer, with the value that is missing or does not fit."""
    said = _CODE.sub("", message.splitlines()[0] if message else "no answer")
    missing = re.match(r'Key not found in map : "?(.*?)"?$', said)
    if missing or "No value with name" in said or "non-message" in said or "container type" in said:
        for use in uses:
            reason = _dead_end(use, scope, missing[1] if missing else None)
            if reason:
                return reason
        if missing:
            return f"a map has no `{_short(missing[1])}`"
        return "a field is asked for of a value that has none"
    overload = re.match(r"No matching overloads found : (.*)", said)
    if overload:
        return _mismatch(uses, scope, overload[1])
    return next((ours for theirs, ours in _SAID.items() if theirs in said), None) or _tidied(said)


def _dead_end(use: Reference, scope: Mapping[str, Any], key: str | None) -> str | None:
    """Where a way into the scope ends before it should; None when it does not, or at another key."""
    value: Any = scope
    for index, part in enumerate(use.path[: max(use.sure, 1)]):
        so_far = ".".join(use.path[:index])
        if is_mapping(value):
            if part not in value:
                if key is not None and key != part:
                    return None
                if index == 0:
                    return f"`{part}` has no value here"
                return f"{so_far} has no `{_short(part)}`{_contents(value)}"
        elif isinstance(value, list) and part.isdigit():
            return None
        else:
            return _nothing_within(so_far, value, part)
        value = value[part]
    return None


def _nothing_within(so_far: str, value: Any, part: str) -> str:
    if so_far == "alert" and value is None:
        missing = f"alert.{_short(part)}"
        return f"a person started the run without an alert, so there is no {missing}: give it one, or use an input"
    return f"{so_far} is {_kind(value)}, so it has no `{_short(part)}`"


def _contents(value: Mapping[str, Any]) -> str:
    return f"; it has {_listed(sorted(map(str, value)))}" if value else "; it is empty"


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(_short(name) for name in names[:_MAX_NAMES])
    return listed + (f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else "")


def _mismatch(uses: Sequence[Reference], scope: Mapping[str, Any], said: str) -> str:
    call = re.match(r"(?:\((?P<receiver>.*?)\)\.)?(?P<function>[^(]+?)(?:\((?P<args>.*)\))?$", said)
    if call is None:
        return _tidied(said)
    function = call["function"]
    if function in {"list", "keys"}:
        wanted = "a list" if function == "list" else "a map"
        return f"{function}(…) needs {wanted}, not {_operands(call['args'] or '')}{_nulls(uses, scope)}"
    if function in {"<jump_condition>", "_&&_", "_||_", "@not_strictly_false"}:
        return f"a condition must be true or false{_nulls(uses, scope)}"
    asked = _asked_of_null(uses, scope) if function in {"_?._", "_[?_]"} else ""
    if asked:
        return asked
    operands = ", ".join(filter(None, (call["receiver"], call["args"])))
    known = f" with {_operands(operands)}" if operands else " with these values"
    return f"{_function(function)} cannot be used{known}{_nulls(uses, scope)}"


def _asked_of_null(uses: Sequence[Reference], scope: Mapping[str, Any]) -> str:
    """Name the null that a field is asked of by `.?`, which knows only what is missing."""
    for use in uses:
        value: Any = scope
        for index, part in enumerate(use.path):
            if value is None:
                so_far = ".".join(use.path[:index])
                asked = f"{so_far} is null, so it has no `{_short(part)}`"
                return f"{asked}, and `.?` does not help: ask first whether it is null"
            value = value.get(part, {}) if is_mapping(value) else {}
    return ""


def _nulls(uses: Sequence[Reference], scope: Mapping[str, Any]) -> str:
    """Name the values that are null: they are what usually does not fit."""
    found: list[str] = []
    for use in uses:
        value: Any = scope
        for part in use.path:
            value = value.get(part, found) if is_mapping(value) else found
        if value is None:
            found.append(".".join(use.path))
    return f" ({', '.join(dict.fromkeys(found))} is null)" if found else ""


def _function(name: str) -> str:
    if name == "_?_:_":
        return "`? :`"
    if name in {"_[_]", "_[?_]"}:
        return "`[ ]`"
    bare = {"@in": "in", "!_": "!", "-_": "-"}.get(name, name)
    return f"`{bare.removeprefix('_').removesuffix('_')}`"


def _operands(types: str) -> str:
    inner = types.strip()
    inner = inner[1:-1] if inner.startswith("(") and inner.endswith(")") else inner
    for theirs, ours in _TYPES.items():
        inner = inner.replace(theirs, ours)
    return inner.replace(", ", " and ") or "nothing"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names: dict[str, str] = {
        "bool": "true or false",
        "int": "a number",
        "float": "a number",
        "str": "text",
        "list": "a list",
        "timedelta": "a duration",
        "datetime": "a time",
    }
    return names.get(value.__class__.__name__, "something else")


def _tidied(text: str) -> str:
    """Fit for one line: bounded, and without what could be mistaken for formatting."""
    text = re.sub(r"\s+", " ", text).replace("\x00", "").strip()
    text = re.sub(r" ?\[[A-Z_]+\]$", "", text).replace(" (in container '')", "")
    return _short(text, _MAX_MESSAGE)


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
