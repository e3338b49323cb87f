"""Options that commands share."""

from typing import Any

import typer


def flag(*names: str, help: str) -> Any:  # noqa: A002  # Typer's own word
    """Give an option without a value. Typer's help would show it as if it took one."""
    return typer.Option(*names, metavar="", help=help)
