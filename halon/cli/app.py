"""The `halon` command: which commands there are, and the edge where every error becomes one sentence.

Exit codes: 0 it went well, 1 it did not, 2 the call or its input is wrong, 130 interrupted.
"""

import atexit
import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from temporalio.service import RPCError
from typer.exceptions import TyperException

from halon.cli.invocation import Invocation
from halon.cli.options import flag
from halon.cli.output import clean, note
from halon.errors import HalonError, InvalidInput

FAILED = 1
WRONG_CALL = 2
INTERRUPTED = 130

_PYDANTIC_SAYS = ": Value error, "
"""How Typer passes on what is wrong with the value of an option; the words after it are meant for people."""
_RUNNING, _OPERATING, _WRITING = "Run Halon", "Work with incidents", "Write playbooks"
_GUARDING = "Stop automation, and let it go on"

COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("demo:demo", _RUNNING),
    "up": ("up:up", _RUNNING),
    "setup": ("setup:setup", _RUNNING),
    "permissions": ("permissions:permissions", _RUNNING),
    "preflight": ("preflight:preflight", _RUNNING),
    "keys": ("keys:app", _RUNNING),
    "worker": ("services:run_worker", _RUNNING),
    "workers": ("workers:workers", _RUNNING),
    "gateway": ("services:run_gateway", _RUNNING),
    "incidents": ("incidents:incidents", _OPERATING),
    "show": ("show:show", _OPERATING),
    "postmortem": ("postmortem:postmortem", _OPERATING),
    "approve": ("decisions:approve", _OPERATING),
    "deny": ("decisions:deny", _OPERATING),
    "cancel": ("decisions:cancel", _OPERATING),
    "ack": ("coordination:ack", _OPERATING),
    "role": ("coordination:role", _OPERATING),
    "done": ("coordination:done", _OPERATING),
    "publish": ("coordination:publish", _OPERATING),
    "run": ("run:run", _OPERATING),
    "people": ("people:people", _OPERATING),
    "oncall": ("people:oncall", _OPERATING),
    "guards": ("guards:guards", _GUARDING),
    "pause": ("guards:pause", _GUARDING),
    "resume": ("guards:resume", _GUARDING),
    "unlock": ("guards:unlock", _GUARDING),
    "breaker": ("guards:breakers", _GUARDING),
    "audit": ("audit:app", _OPERATING),
    "token": ("token:app", _RUNNING),
    "new": ("new:new", _WRITING),
    "explain": ("explain:explain", _WRITING),
    "lint": ("playbooks:lint", _WRITING),
    "test": ("playbooks:run_playbook_tests", _WRITING),
    "schema": ("playbooks:schema", _WRITING),
    "coverage": ("coverage:show_coverage", _WRITING),
    "simulate": ("simulate:show_simulation", _WRITING),
    "backtest": ("backtest:run_backtest", _WRITING),
}
"""Every command: the module of this package that holds it with its name there, and under which title help lists it."""


def _version(*, wanted: bool) -> None:
    if wanted:
        try:
            number = version_of("halon")
        except PackageNotFoundError:
            number = "(not installed: run from its sources)"
        sys.stdout.write(f"halon {number}\n")
        raise typer.Exit


def _options(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings; default: $HALON_CONFIG, then ./halon.yaml."),
    ] = None,
    verbose: Annotated[bool, flag("--verbose", "-v", help="Show the trace of an unexpected error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    del version
    context.obj = Invocation(config, verbose)


def application(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Give the command with these commands in it: importing all of them takes longer than most of them run."""
    app = typer.Typer(
        name="halon",
        help="Automatic fire suppression for production: alerts in, verified and undoable remediations out.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_options)
    for name in names:
        place, panel = COMMANDS[name]
        module, _, attribute = place.partition(":")
        found = getattr(importlib.import_module(f"halon.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel)(found)
    return app


def _application(arguments: Sequence[str]) -> typer.Typer:
    """Give it for a command line: with whatever in it may be a command, or with all of them to choose from."""
    if {"-h", "--help"}.isdisjoint(arguments[:1]) and (named := [one for one in COMMANDS if one in arguments]):
        return application(named)
    return application(() if list(arguments) == ["--version"] else COMMANDS)


def main() -> NoReturn:
    """Run the command line of this process, and end it at once.

    Temporal's client keeps threads of its own; one that still holds a Python object while the interpreter is torn down
    aborts the process after everything has gone well.
    """
    code = execute(sys.argv[1:])
    atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # Kubernetes' client keeps certificates and keys in files until then
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def execute(arguments: Sequence[str]) -> int:
    """Run a command line and give its exit code. What goes wrong is one sentence on standard error."""
    try:
        code = typer.main.get_command(_application(arguments)).main(
            list(arguments), prog_name="halon", standalone_mode=False
        )
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except TyperException as error:
        return _usage(error)
    except HalonError as error:
        return _failed(error)
    except (RPCError, OSError) as error:
        note(_plain(error), style="red", label="error")
        return FAILED
    except Exception as error:  # noqa: BLE001  # the edge: nobody is above, and a person must be told
        return _unexpected(error, verbose=not {"--verbose", "-v"}.isdisjoint(arguments))
    return code if isinstance(code, int) else 0


def _usage(error: TyperException) -> int:
    message = error.format_message()
    if message.lstrip().startswith("Usage:"):  # called without a command: the message is the help
        sys.stderr.write(f"{message}\n")
        return WRONG_CALL
    if not message.strip():  # the same of a group: its help is on standard output already
        return WRONG_CALL
    context = getattr(error, "ctx", None)
    note(message.replace(_PYDANTIC_SAYS, ": "), style="red", label="error")
    note(f"see `{context.command_path if context else 'halon'} --help`", style="dim", label="help")
    return error.exit_code


def _failed(error: HalonError) -> int:
    note(str(error), style="red", label="error")
    problems = error.problems if isinstance(error, InvalidInput) else ()
    for problem in problems:
        if problem not in str(error):
            sys.stderr.write(f"  {clean(problem)}\n")
    return WRONG_CALL if isinstance(error, InvalidInput) else FAILED


def _unexpected(error: Exception, *, verbose: bool) -> int:
    if verbose:
        traceback.print_exception(error)
    hint = "" if verbose else "; `halon --verbose …` shows where"
    note(f"{_plain(error)} (unexpected: please report it{hint})", style="red", label="error")
    return FAILED


def _plain(error: Exception) -> str:
    """The first line of what an error says, or its kind when it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
