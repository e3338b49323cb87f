"""What a run must carry with it: the playbooks that it calls, those that they call, and how far their actions reach."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import BaseModel

from halon.contracts.communication import Communication
from halon.contracts.incident import IncidentInput
from halon.contracts.plan import Effect
from halon.contracts.playbook import Playbook
from halon.contracts.routes import Routes
from halon.contracts.steps import PlaybookStep, StepBase, Steps, UsesStep


@dataclass(frozen=True, slots=True)
class Arrangements:
    """What an installation has arranged for all of its incidents."""

    communication: Communication | None = None
    """Whom they tell; None when nobody is to be told anything."""
    routes: Routes = field(default_factory=Routes)
    """Which clusters and accounts have a worker of their own."""


NOTHING_ARRANGED = Arrangements()


def called_playbooks(playbook: Playbook) -> frozenset[str]:
    """Give the names in the `playbook:` steps of this one, wherever they stand."""
    return frozenset(one.playbook for one in _steps(playbook) if isinstance(one, PlaybookStep))


def longest_lease(playbook: Playbook) -> timedelta:
    """Give the longest `expires` in this playbook's own steps, wherever they stand; zero when nothing is leased."""
    return max((one.expires for one in _steps(playbook) if one.expires is not None), default=timedelta())


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


def touches(steps: Steps, effects: Mapping[str, Effect]) -> bool:
    """Whether anything in these steps may change production; another playbook may."""
    models = list(_models(steps))
    changing = {Effect.CHANGE, Effect.DESTROY}
    return any(
        isinstance(one, PlaybookStep) or (isinstance(one, UsesStep) and effects.get(one.uses) in changing)
        for one in models
    )


def incident_input(
    group: str,
    playbook: Playbook,
    catalogue: Mapping[str, Playbook],
    effects: Mapping[str, Effect],
    arrangements: Arrangements = NOTHING_ARRANGED,
) -> IncidentInput:
    """Give what the Incident workflow of `group` is started with: complete, and without the playbooks' tests.

    `effects` holds every installed action, also those that no step names: a change may be undone by another action.
    """
    return IncidentInput(
        group=group,
        playbook=_untested(playbook),
        library={name: _untested(one) for name, one in library_of(playbook, catalogue).items()},
        effects=dict(effects),
        communication=arrangements.communication,
        routes=arrangements.routes,
    )


def _untested(playbook: Playbook) -> Playbook:
    """Tests would only make the history larger."""
    return playbook.model_copy(update={"tests": ()})


def _steps(playbook: Playbook) -> Iterator[StepBase]:
    models = _models([playbook.steps, playbook.on_failure, playbook.finally_])
    return (one for one in models if isinstance(one, StepBase))


def _models(value: object) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _models(getattr(value, name))
    elif isinstance(value, tuple | list):
        for item in value:  # pyright: ignore[reportUnknownVariableType]  # any JSON may stand here
            yield from _models(item)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, dict):
        for item in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from _models(item)  # pyright: ignore[reportUnknownArgumentType]
