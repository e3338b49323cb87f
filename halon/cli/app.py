"""The `halon` command: which commands there are, and the edge where every error becomes one sentence.

Exit codes: 0 it went well, 1 it did not, 2 the call or its input is wrong, 130 interrupted.
"""

import atexit
import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from temporalio.service import RPCError
from typer.exceptions import TyperException

from halon.cli import audit, coordination, decisions, guards, incidents, keys, playbooks, services, token
from halon.cli.backtest import run_backtest
from halon.cli.coverage import show_coverage
from halon.cli.demo import demo
from halon.cli.explain import explain
from halon.cli.invocation import Invocation
from halon.cli.new import new
from halon.cli.options import flag
from halon.cli.output import clean, note
from halon.cli.people import oncall, people
from halon.cli.permissions import permissions
from halon.cli.postmortem import postmortem
from halon.cli.preflight import preflight
from halon.cli.run import run
from halon.cli.setup import setup
from halon.cli.show import show
from halon.cli.simulate import show_simulation
from halon.cli.up import up
from halon.cli.workers import workers
from halon.errors import HalonError, InvalidInput

FAILED = 1
WRONG_CALL = 2
INTERRUPTED = 130

_PYDANTIC_SAYS = ": Value error, "
"""How Typer passes on what is wrong with the value of an option; the words after it are meant for people."""
_RUNNING, _OPERATING, _WRITING = "Run Halon", "Work with incidents", "Write playbooks"
_GUARDING = "Stop automation, and let it go on"

app = typer.Typer(
    name="halon",
    help="Automatic fire suppression for production: alerts in, verified and undoable remediations out.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(*, wanted: bool) -> None:
    if wanted:
        try:
            number = version_of("halon")
        except PackageNotFoundError:
            number = "(not installed: run from its sources)"
        sys.stdout.write(f"halon {number}\n")
        raise typer.Exit


@app.callback()
def _options(  # pyright: ignore[reportUnusedFunction]  # registered
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


app.command(rich_help_panel=_RUNNING)(demo)
app.command(rich_help_panel=_RUNNING)(up)
app.command(rich_help_panel=_RUNNING)(setup)
app.command(rich_help_panel=_RUNNING)(permissions)
app.command(rich_help_panel=_RUNNING)(preflight)
app.add_typer(keys.app, name="keys", rich_help_panel=_RUNNING)
app.command("worker", rich_help_panel=_RUNNING)(services.run_worker)
app.command(rich_help_panel=_RUNNING)(workers)
app.command("gateway", rich_help_panel=_RUNNING)(services.run_gateway)
app.command(rich_help_panel=_OPERATING)(incidents.incidents)
app.command(rich_help_panel=_OPERATING)(show)
app.command(rich_help_panel=_OPERATING)(postmortem)
app.command(rich_help_panel=_OPERATING)(decisions.approve)
app.command(rich_help_panel=_OPERATING)(decisions.deny)
app.command(rich_help_panel=_OPERATING)(decisions.cancel)
app.command(rich_help_panel=_OPERATING)(coordination.ack)
app.command(rich_help_panel=_OPERATING)(coordination.role)
app.command(rich_help_panel=_OPERATING)(coordination.done)
app.command(rich_help_panel=_OPERATING)(coordination.publish)
app.command(rich_help_panel=_OPERATING)(run)
app.command(rich_help_panel=_OPERATING)(people)
app.command(rich_help_panel=_OPERATING)(oncall)
app.command(rich_help_panel=_GUARDING)(guards.guards)
app.command(rich_help_panel=_GUARDING)(guards.pause)
app.command(rich_help_panel=_GUARDING)(guards.resume)
app.command(rich_help_panel=_GUARDING)(guards.unlock)
app.add_typer(guards.breakers, name="breaker", rich_help_panel=_GUARDING)
app.add_typer(audit.app, name="audit", rich_help_panel=_OPERATING)
app.add_typer(token.app, name="token", rich_help_panel=_RUNNING)
app.command(rich_help_panel=_WRITING)(new)
app.command(rich_help_panel=_WRITING)(explain)
app.command(rich_help_panel=_WRITING)(playbooks.lint)
app.command("test", rich_help_panel=_WRITING)(playbooks.run_playbook_tests)
app.command(rich_help_panel=_WRITING)(playbooks.schema)
app.command("coverage", rich_help_panel=_WRITING)(show_coverage)
app.command("simulate", rich_help_panel=_WRITING)(show_simulation)
app.command("backtest", rich_help_panel=_WRITING)(run_backtest)


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
        code = typer.main.get_command(app).main(list(arguments), prog_name="halon", standalone_mode=False)
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
