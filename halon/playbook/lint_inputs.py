"""Values that inputs get in a playbook, their defaults above all: whether a run would take them."""

from collections.abc import Iterator, Sequence

from halon.contracts.base import Json, JsonObject, parse_duration
from halon.contracts.playbook import Input
from halon.contracts.steps import PlaybookStep
from halon.core.expressions import scan
from halon.playbook.lint_rules import Remark
from halon.playbook.lint_steps import Subject
from halon.playbook.params import complaints

_TYPES = {"duration": "string", "list": "array"}
"""What JSON Schema calls the types of inputs, where it is another word."""


def wrong_input(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    """Find values of another type than declared, or none of those that may be."""
    for name, declared in subject.playbook.inputs.items():
        for message in _complaints(declared, declared.default):
            yield Remark(("inputs", name, "default"), f"the default of `{name}` {message}")
    for spot in subject.spots:
        child = subject.served.get(spot.step.playbook) if isinstance(spot.step, PlaybookStep) else None
        if child is None or not isinstance(spot.step, PlaybookStep):
            continue
        for name in spot.step.inputs.keys() & child.inputs.keys():
            for message in _complaints(child.inputs[name], spot.step.inputs[name]):
                yield Remark((*spot.path, "inputs", name), f"`{name}` of playbook `{spot.step.playbook}` {message}")


def _complaints(declared: Input, value: Json) -> Iterator[str]:
    if value is None:
        return
    schema: JsonObject = {"type": _TYPES.get(declared.type, declared.type)}
    if declared.enum:
        schema["enum"] = list(declared.enum)
    found = [message for path, message, _ in complaints(value, schema, frozenset()) if not path]
    if not found and declared.type == "duration" and not list(scan(value)):
        try:
            parse_duration(value)
        except ValueError:
            found = [f"must be a duration such as 10m, not {value!r}"]
    yield from found
