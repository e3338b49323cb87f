"""What this installation can do: its actions and its playbooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from halon.clients.targets import routes_of
from halon.clients.telling import communication_of
from halon.core.library import Arrangements
from halon.kit.registry import Registry
from halon.operations.runs import Repertoire
from halon.playbook.actions import ActionSchemas
from halon.playbook.catalogue import Catalogue, load_catalogue
from halon.settings import Settings


@dataclass(frozen=True, slots=True)
class Installation:
    """What this installation can do: its actions, and its playbooks."""

    registry: Registry
    actions: ActionSchemas
    catalogue: Catalogue


def installation(settings: Settings, paths: Sequence[Path] = ()) -> Installation:
    """Load the actions, and the playbooks in `paths` or where the settings say.

    Raises:
        Misconfigured: an action's file is wrong.
        NotFound: a path does not exist.
    """
    registry = registered()
    actions = registry.schemas
    return Installation(registry, actions, load_catalogue(paths or settings.playbooks, actions))


def repertoire(settings: Settings) -> Repertoire:
    """Give what can be started by hand.

    Raises:
        Misconfigured: an action's file is wrong, or whom to tell.
        NotFound: a path does not exist.
    """
    return repertoire_of(installation(settings), settings)


def repertoire_of(installed: Installation, settings: Settings) -> Repertoire:
    """Give what of it can be started by hand.

    Raises:
        Misconfigured: whom to tell is wrong.
    """
    catalogue = installed.catalogue
    return Repertoire(
        catalogue.playbooks, installed.registry.effects, bool(catalogue.problems), arrangements_of(installed, settings)
    )


def arrangements_of(installed: Installation, settings: Settings) -> Arrangements:
    """Give what incidents carry with them from the settings of now.

    Raises:
        Misconfigured: whom to tell is wrong.
    """
    return Arrangements(communication_of(settings), routes_of(settings, installed.registry))


def registered() -> Registry:
    """Give the actions.

    Raises:
        Misconfigured: an action's file is wrong.
    """
    import worker  # noqa: PLC0415  # a third of a second of imports, which not every command needs

    return worker.registry()
