"""Which playbooks a run must carry with it: those that it calls, and those that they call."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from halon.contracts.playbook import Playbook, PlaybookStep


def called_playbooks(playbook: Playbook) -> frozenset[str]:
    """Give the names in the `playbook:` steps of this one, wherever they stand."""
    return frozenset(_calls([playbook.steps, playbook.on_failure, playbook.finally_]))


def library_of(playbook: Playbook, catalogue: Mapping[str, Playbook]) -> dict[str, Playbook]:
    """Give the playbooks that this one needs, by name. One that the catalogue does not have is left out."""
    found: dict[str, Playbook] = {}
    waiting = sorted(called_playbooks(playbook))
    while waiting:
        name = waiting.pop()
        if name in found or name not in catalogue:
            continue
        found[name] = catalogue[name]
        waiting.extend(sorted(called_playbooks(catalogue[name])))
    return dict(sorted(found.items()))


def _calls(value: object) -> Iterator[str]:
    if isinstance(value, PlaybookStep):
        yield value.playbook
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _calls(getattr(value, name))
    elif isinstance(value, tuple | list):
        for item in value:  # pyright: ignore[reportUnknownVariableType]  # any JSON may stand here
            yield from _calls(item)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, dict):
        for item in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from _calls(item)  # pyright: ignore[reportUnknownArgumentType]
