"""Google's CEL binding as Halon uses it: the known names with their types, the extensions, and two functions more."""

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, Protocol

# Both have no py.typed; `Value`, `Program` and `Environment` below are what is used of them.
from cel_expr_python import cel  # type: ignore[import-untyped]  # see above
from cel_expr_python.ext import ext_bindings, ext_math, ext_optional, ext_strings  # type: ignore[import-untyped]  # same

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

RESERVED_NAMES = frozenset(
    {
        *("as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop"),
        *("namespace", "null", "package", "return", "true", "var", "void", "while"),
        *("bool", "bytes", "double", "dyn", "int", "list", "map", "null_type", "string", "type", "uint"),
    }
)
"""Words of CEL and names of its types, which no variable can have."""

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


class Value(Protocol):
    """What an evaluation gives."""

    def type(self) -> object:
        """Its CEL type; that of an error when there is no answer."""
        ...

    def plain_value(self) -> Any:
        """Give it as Python's own types."""
        ...


class Program(Protocol):
    """A compiled expression."""

    def eval(self, *, data: Mapping[str, Any]) -> Value:
        """Evaluate it."""
        ...

    def serialize(self) -> bytes:
        """Give its checked form (see `checked.decode`)."""
        ...


class Environment(Protocol):
    """The names and functions that expressions are compiled with."""

    def compile(self, expression: str) -> Program:
        """Compile and check."""
        ...


def is_error(value: Value) -> bool:
    """Whether the binding has no answer: it gives its reason as a value, and raises nothing."""
    return bool(value.type() == cel.Type.ERROR)


def _keys(value: dict[Any, Any]) -> list[str]:
    for key in value:
        if not isinstance(key, str):
            raise TypeError("keys(…) needs a map whose keys are text")  # the binding turns it into an error value
    return sorted(value)


def _list(value: list[Any]) -> list[Any]:
    result: list[Any] = to_cel(value)
    return result


@lru_cache(maxsize=64)
def environment(names: frozenset[str]) -> Environment:
    """Give the environment that knows `names` besides the usual ones."""
    variables: dict[str, cel.Type] = dict.fromkeys(sorted(KNOWN_NAMES | names), cel.Type.DYN)
    if "now" not in names:
        variables["now"] = cel.Type.TIMESTAMP
    variables["target"] = cel.Type.STRING
    variables |= {f"alert.{name}": kind for name, kind in ALERT_FIELDS.items()}
    made: Environment = cel.NewEnv(
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
    return made


@lru_cache(maxsize=1024)
def is_constant_valid(function: str, text: str) -> bool:
    """Whether `duration` or `timestamp` can read `text`."""
    return not is_error(_converter(function).eval(data={"target": text}))


@lru_cache(maxsize=2)
def _converter(function: str) -> Program:
    none: frozenset[str] = frozenset()
    return environment(none).compile(f"{function}(target)")


def _begin() -> None:
    """Have the binding import what it imports at its first expression and at its first date, while nobody else asks.

    It holds a lock of its own meanwhile, and whoever waits for that lock holds the interpreter's: two threads that come
    first together would wait for each other for ever.
    """
    none: frozenset[str] = frozenset()
    environment(none).compile("item").eval(data={"item": to_cel(timedelta(seconds=1))}).plain_value()


_begin()
