"""The one playbook that a command is about: by its name in the catalogue, or by its file."""

from dataclasses import dataclass
from pathlib import Path

from halon.cli.installed import Installation, installation, repertoire_of
from halon.contracts.playbook import Playbook
from halon.errors import InvalidInput
from halon.settings import Settings

_SUFFIXES = {".yaml", ".yml"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A playbook, and the installation that it belongs to."""

    installed: Installation
    playbook: Playbook
    file: str


def chosen(settings: Settings, playbook: str) -> Chosen:
    """Give the playbook of this name, or in this file; one in a file may call those of the catalogue.

    Raises:
        InvalidInput: there is none, or its file is wrong; `problems` says where and how.
        NotFound: there is no such file.
        Misconfigured: an action's file is wrong.
    """
    path = Path(playbook)
    if path.suffix not in _SUFFIXES:
        installed = installation(settings)
        found = repertoire_of(installed, settings).playbook(playbook)
        return Chosen(installed, found, installed.catalogue.files[found.metadata.name])
    installed = installation(settings, [path, *(one for one in settings.playbooks if one.exists())])
    catalogue = installed.catalogue
    name = next((name for name, file in catalogue.files.items() if file == str(path)), "")
    if not name:
        problems = [str(one) for one in catalogue.problems if one.file == str(path)]
        raise InvalidInput(f"{path} holds no playbook that can be used", problems)
    return Chosen(installed, catalogue.playbooks[name], str(path))
