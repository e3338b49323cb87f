"""Which actions there are. Found by walking a package, handed down explicitly: no list to keep, nothing global.

`activities/kubernetes/scale_deployment.py` is the action `kubernetes.scale_deployment`. A file that begins with an
underscore holds what a family's actions share and is no action.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from types import ModuleType
from typing import Any, cast

from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema

from halon.contracts.base import format_duration
from halon.contracts.plan import ActionCall, Effect
from halon.contracts.routes import Reach
from halon.errors import InvalidInput, Misconfigured
from halon.kit.action import Action, Change, Notice, Output, Read
from halon.kit.hints import Hints, hints
from halon.playbook.actions import ActionSchema, ActionSchemas
from halon.playbook.field_docs import field_docs

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_CHANGES = frozenset({Effect.CHANGE, Effect.DESTROY})
_REACH: dict[str, Reach] = {"kubernetes": "cluster", "aws": "account"}
"""What an action acts on, by the system whose permissions it needs."""


class Registry:
    """Actions by name."""

    def __init__(self, actions: Mapping[str, type[Action]]) -> None:
        self._actions = dict(sorted(actions.items()))
        self._names = {action: name for name, action in self._actions.items()}
        self._hints = {
            name: hints(output) for name, action in self._actions.items() if (output := output_of(action)) is not None
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Every action's name, sorted."""
        return tuple(self._actions)

    @property
    def effects(self) -> dict[str, Effect]:
        """How far each action reaches, as a remediation's input carries it."""
        return {name: action.effect for name, action in self._actions.items()}

    @property
    def reach(self) -> dict[str, Reach]:
        """By which parameter an action says where it acts, for those that act on a cluster or an account."""
        return {
            name: _REACH[one.system]
            for name, action in self._actions.items()
            for one in action.permissions
            if one.system in _REACH
        }

    def reaching(self) -> "Registry":
        """Give the registry of those that act on a cluster or an account: what a worker of one carries out."""
        return Registry({name: action for name, action in self._actions.items() if name in self.reach})

    @cached_property
    def schemas(self) -> ActionSchemas:
        """Every action as data, by name, for the loader, the linter and the tests of playbooks."""
        return {name: self._schema(name, action, _WrittenDurations) for name, action in self._actions.items()}

    @cached_property
    def documented(self) -> ActionSchemas:
        """The schemas with a description at each field, for those who read about actions."""
        return {name: self._schema(name, action, _Described) for name, action in self._actions.items()}

    def _schema(self, name: str, action: type[Action], generator: type[GenerateJsonSchema]) -> ActionSchema:
        output = output_of(action)
        return ActionSchema(
            name=name,
            effect=action.effect,
            params=action.model_json_schema(schema_generator=generator),
            output=output.model_json_schema(mode="serialization", schema_generator=generator) if output else None,
            hints=self.hints(name),
            undoable=not issubclass(action, Change) or action.undoable,
        )

    def action(self, name: str) -> type[Action]:
        """Give the action of this name.

        Raises:
            InvalidInput: there is none.
        """
        found = self._actions.get(name)
        if found is None:
            raise InvalidInput(f"there is no action {name} in this installation")
        return found

    def name_of(self, action: type[Action]) -> str:
        """Give the name of an action.

        Raises:
            Misconfigured: this registry does not have it.
        """
        name = self._names.get(action)
        if name is None:
            raise Misconfigured(f"{action.__module__}.{action.__qualname__} is not an action of this installation")
        return name

    def hints(self, name: str) -> Hints:
        """Which paths of a read action's output are durations or timestamps."""
        return self._hints.get(name, {})

    def parse(self, call: ActionCall) -> Action:
        """Give the action with its parameters.

        Raises:
            InvalidInput: there is no such action, or a parameter is wrong; `problems` names each field.
        """
        action = self.action(call.action)
        try:
            return action.model_validate(call.params)
        except ValidationError as error:
            problems = [
                _problem(one["loc"], one["msg"]) for one in error.errors(include_url=False, include_input=False)
            ]
            raise InvalidInput(f"{call.action}: {'; '.join(problems[:10])}", problems) from error


class _WrittenDurations(GenerateJsonSchema):
    """Shows a default that is a duration as playbooks write it; pydantic's own form, `PT5S`, would be refused."""

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


class _Described(_WrittenDurations):
    """Takes the docstrings of fields for their descriptions."""

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        for field, text in field_docs(schema["cls"]).items():
            if field in made.get("properties", {}):
                made["properties"][field].setdefault("description", text)
        return made


def output_of(action: type[Action]) -> type[Output] | None:
    """Give the model of what a read action answers; None for a change."""
    for base in action.__mro__:
        arguments = getattr(base, "__pydantic_generic_metadata__", {}).get("args", ())
        if issubclass(base, Read) and arguments:
            return cast("type[Output]", arguments[0])
    return None


def discover(package: ModuleType) -> Registry:
    """Find every action below `package`.

    Raises:
        Misconfigured: a file is not an action; the message names each such file and what is wrong with it.
    """
    actions: dict[str, type[Action]] = {}
    problems: list[str] = []
    for family in pkgutil.iter_modules(package.__path__):
        where = f"{package.__name__}/{family.name}"
        if not family.ispkg:
            problems.append(f"{where}.py: an action belongs into a family: {package.__name__}/<family>/<verb_noun>.py")
            continue
        paths = importlib.import_module(f"{package.__name__}.{family.name}").__path__
        for file in pkgutil.iter_modules(paths):
            if file.name.startswith("_"):
                continue
            try:
                actions[f"{family.name}.{file.name}"] = _load(f"{package.__name__}.{family.name}.{file.name}")
            except (ImportError, Misconfigured) as error:
                problems.append(f"{where}/{file.name}.py: {error}")
    if problems:
        raise Misconfigured("; ".join(problems))
    return Registry(actions)


def _load(module_name: str) -> type[Action]:
    *_, family, name = module_name.split(".")
    for word in (family, name):
        if _WORD.fullmatch(word) is None:
            raise Misconfigured(f"'{word}' is not a name of lower-case letters, digits and underscores")
    module = importlib.import_module(module_name)
    found = list(_actions_in(module))
    if len(found) != 1:
        names = ", ".join(action.__name__ for action in found) or "none"
        raise Misconfigured(f"a file holds exactly one action, this one holds {names}")
    problem = _wrong_with(found[0])
    if problem:
        raise Misconfigured(f"{found[0].__name__} {problem}")
    return found[0]


def _wrong_with(action: type[Action]) -> str:
    """Say how an action is declared wrongly; empty when it is not."""
    kind = _kind(action)
    if kind is None:
        return "must be a Read, a Notice or a Change"
    if kind is Change and _inherits(action, "undo"):
        return "does not say how it is taken back: define `undo`, and `undoable = False` when it always gives NoUndo"
    if not hasattr(action, "example"):
        return "does not declare `example`, the parameters of a typical call"
    if kind is not Change and output_of(action) is None:
        return "does not say what it answers: Read[SomeOutput]"
    allowed = {Change: _CHANGES, Read: frozenset({Effect.READ}), Notice: frozenset({Effect.NOTIFY})}[kind]
    if action.effect not in allowed:
        return f"has effect `{action.effect}`, but a {kind.__name__} has {' or '.join(sorted(allowed))}"
    return ""


def _inherits(action: type[Action], method: str) -> bool:
    """Whether the method is the kit's own, which only raises."""
    return getattr(action, method) is getattr(Change, method)


def _kind(action: type[Action]) -> type[Any] | None:
    return next((one for one in (Notice, Read, Change) if issubclass(action, one)), None)


def _actions_in(module: ModuleType) -> Iterable[type[Action]]:
    for _, value in inspect.getmembers(module, inspect.isclass):
        if issubclass(value, Action) and value.__module__ == module.__name__ and not _is_parametrised(value):
            yield value


def _is_parametrised(action: type[Action]) -> bool:
    """Whether it is `Read[X]`, which pydantic makes a class of, in the module that wrote it."""
    metadata: Any = action.__pydantic_generic_metadata__
    return bool(metadata["origin"])


def _problem(place: Iterable[int | str], message: str) -> str:
    where = ".".join(str(part) for part in place)
    said = message.removeprefix("Value error, ")
    return f"{where}: {said}" if where else said
