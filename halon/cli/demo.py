"""`halon demo`: the engine on one machine, with a small cluster in which something goes wrong."""

import importlib
from enum import StrEnum
from typing import Annotated, Protocol, cast

import typer

from halon.cli.options import flag
from halon.errors import Misconfigured


class Approval(StrEnum):
    """Who approves."""

    ASK = "ask"
    AUTO = "auto"


class _Story(Protocol):
    def run(self, *, approve: bool, keep: bool, json: bool) -> int: ...


def demo(
    *,
    approve: Annotated[Approval, typer.Option("--approve", help="Who approves: you, or nobody at all.")] = Approval.ASK,
    keep: Annotated[bool, flag("--keep", help="Go on running afterwards, to look around; Ctrl-C ends it.")] = False,
    json: Annotated[bool, flag("--json", help="Write how it ended as JSON.")] = False,
) -> None:
    """Show it: a bad release crash-loops in a demonstration cluster, and you approve that it is rolled back.

    Everything is real but the cluster, and runs on this machine, in a temporary directory: Temporal with its web UI,
    the gateway, a worker, and a small Kubernetes API. Nothing is left afterwards. Exits with 1 unless the outcome is
    `remediated`. With `--json` the story is told on standard error, and its end written to standard output.

    Example: halon demo --approve auto
    """
    code = _story().run(approve=approve is Approval.AUTO, keep=keep, json=json)
    if code:
        raise typer.Exit(code)


def _story() -> _Story:
    """Load it by its name: it stands above the command, and has needs of its own.

    Raises:
        Misconfigured: what it needs is not installed.
    """
    try:
        return cast("_Story", importlib.import_module("halon.demo.story"))
    except ModuleNotFoundError as error:
        raise Misconfigured(f"the demonstration needs {error.name}: pip install 'halon[demo]'") from error
