"""One call of the command: what its global options say. Every command finds it in Typer's context."""

from dataclasses import dataclass
from pathlib import Path

import typer

from halon.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Invocation:
    """What stands before the command's name."""

    config: Path | None = None
    verbose: bool = False

    def settings(self) -> Settings:
        """Load halon.yaml.

        Raises:
            Misconfigured: the file that was named cannot be read.
            DocumentError: it is wrong; `problems` says where and how.
        """
        return load_settings(self.config)


def settings_of(context: typer.Context) -> Settings:
    """Give the settings of the call that this context belongs to.

    Raises:
        Misconfigured: the file that was named cannot be read.
        DocumentError: it is wrong; `problems` says where and how.
    """
    return (context.find_object(Invocation) or Invocation()).settings()
