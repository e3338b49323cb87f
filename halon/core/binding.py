"""Google's CEL binding as Halon uses it: the known names with their types, the extensions, and two functions more."""

from functools import lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_math, ext_optional, ext_strings

from halon.core.values import to_cel

KNOWN_NAMES = frozenset(
    {
        "alert",
        "failure",
        "incident",
        "inputs",
        "item",
        "metadata",
        "now",
        "result",
        "run",
        "steps",
        "target",
        "vars",
    }
)
"""The names that expressions may use. Which of them has a value depends on the place; the loader knows."""

ALERT_FIELDS: dict[str, cel.Type] = {
    "age": cel.Type.DURATION,
    "annotations": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    "fingerprint": cel.Type.STRING,
    "labels": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    "name": cel.Type.STRING,
    "severity": cel.Type.STRING,
    "source": cel.Type.STRING,
    "starts_at": cel.Type.TIMESTAMP,
    "status": cel.Type.STRING,
    "url": cel.Type.STRING,
}
"""Fields of `alert` (see `scope.alert_scope`), so that `alert.age < 5` is an error when the playbook loads."""

FUNCTIONS = frozenset(
    {
        "all",
        "charAt",
        "double",
        "duration",
        "dyn",
        "endsWith",
        "exists",
        "exists_one",
        "filter",
        "format",
        "getDayOfMonth",
        "getDayOfWeek",
        "getFullYear",
        "getHours",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "has",
        "hasValue",
        "indexOf",
        "int",
        "join",
        "keys",
        "lastIndexOf",
        "list",
        "lowerAscii",
        "map",
        "matches",
        "optMap",
        "or",
        "orValue",
        "replace",
        "size",
        "split",
        "startsWith",
        "string",
        "substring",
        "timestamp",
        "trim",
        "upperAscii",
    }
)
"""Functions by name, for suggestions and documentation."""


def _keys(value: dict[Any, Any]) -> list[str]:
    for key in value:
        if not isinstance(key, str):
            raise TypeError("keys(…) needs a map whose keys are text")  # the binding turns it into an error value
    return sorted(value)


def _list(value: list[Any]) -> list[Any]:
    result: list[Any] = to_cel(value)
    return result


@lru_cache(maxsize=64)
def environment(names: frozenset[str]) -> cel.Env:
    """Give the environment that knows `names` besides the usual ones."""
    variables = dict.fromkeys(sorted(KNOWN_NAMES | names), cel.Type.DYN)
    if "now" not in names:
        variables["now"] = cel.Type.TIMESTAMP
    variables["target"] = cel.Type.STRING
    variables |= {f"alert.{name}": kind for name, kind in ALERT_FIELDS.items()}
    return cel.NewEnv(
        variables=variables,
        extensions=[
            ext_optional.ExtOptional(),
            ext_strings.ExtStrings(),
            ext_math.ExtMath(),
            ext_bindings.ExtBindings(),
        ],
        functions=[
            cel.FunctionDecl(
                "keys",
                [
                    cel.Overload(
                        "keys_map",
                        cel.Type.List(cel.Type.STRING),
                        [cel.Type.Map(cel.Type.DYN, cel.Type.DYN)],
                        is_member=False,
                        impl=_keys,
                    )
                ],
            ),
            cel.FunctionDecl(
                "list",
                [
                    cel.Overload(
                        "list_dyn",
                        cel.Type.List(cel.Type.DYN),
                        [cel.Type.List(cel.Type.DYN)],
                        is_member=False,
                        impl=_list,
                    )
                ],
            ),
        ],
    )


@lru_cache(maxsize=1024)
def is_constant_valid(function: str, text: str) -> bool:
    """Whether `duration` or `timestamp` can read `text`."""
    value = _converter(function).eval(data={"target": text})
    return value.type() != cel.Type.ERROR


@lru_cache(maxsize=2)
def _converter(function: str) -> cel.Expression:
    return environment(frozenset()).compile(f"{function}(target)")
