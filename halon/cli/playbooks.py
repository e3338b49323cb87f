"""`halon lint`, `halon test` and `halon schema`: for the people who write playbooks."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from halon.cli.installed import Installation, installation, registered
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import console, counted, note, say_json
from halon.clients.oncall import directory_of
from halon.contracts.base import JsonObject
from halon.core.policy import check_rules
from halon.errors import InvalidInput
from halon.kit.reference import reference
from halon.playbook.actions import ActionSchema
from halon.playbook.lint import exit_code
from halon.playbook.lint import lint as findings_in
from halon.playbook.report import as_github, as_json, as_text
from halon.playbook.results import TestResult, exit_status, format_results
from halon.playbook.schema import schema_text
from halon.playbook.testing import run_tests

Paths = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[PATHS]…", help="Files and directories; by default `playbooks` of halon.yaml."),
]


class Format(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def lint(
    context: typer.Context,
    paths: Paths = None,
    *,
    form: Annotated[
        Format, typer.Option("--format", help="'github' annotates the lines of a pull request.")
    ] = Format.TEXT,
    strict: Annotated[bool, flag("--strict", help="Warnings fail too.")] = False,
    json: Annotated[bool, flag("--json", help="The same as --format json.")] = False,
) -> None:
    """Check playbooks: everything that is wrong with them, and what asks for a second look, at its line and column.

    Exits with 1 when there is an error (with --strict also for a warning).

    Example: halon lint playbooks/ --format github
    """
    settings = settings_of(context)
    check_rules(settings.policy)
    installed = installation(settings, paths or ())
    findings = findings_in(
        installed.catalogue,
        installed.actions,
        settings.policy,
        settings.environment,
        directory_of(settings),
        settings.notify.channels,
    )
    writers = {Format.TEXT: as_text, Format.JSON: as_json, Format.GITHUB: as_github}
    sys.stdout.write(writers[Format.JSON if json else form](findings))
    raise typer.Exit(exit_code(findings, strict=strict))


def run_playbook_tests(
    context: typer.Context,
    paths: Paths = None,
    *,
    only: Annotated[
        str, typer.Option("-k", metavar="TEXT", help="Only tests whose name, or playbook's name, holds TEXT.")
    ] = "",
    json: Annotated[bool, flag("--json", help="Write the results as JSON.")] = False,
) -> None:
    """Run the tests that playbooks carry, on a virtual clock: nothing outside is touched, an hour takes no time.

    Exits with 1 when a test fails, and with 2 when a playbook or a test cannot be run as it is written.

    Example: halon test playbooks/kubernetes -k "rolls back"
    """
    installed = installation(settings_of(context), paths or ())
    results, untested = _tested(installed, only)
    wrong = [str(problem) for problem in installed.catalogue.problems]
    if json:
        say_json({"results": [one.to_json() for one in results], "untested": list(untested), "problems": list(wrong)})
    else:
        colour = console().color_system is not None
        sys.stdout.write(format_results(results, colour=colour, untested=untested) + "\n")
    if wrong:
        raise InvalidInput(f"not every playbook could be tested: {counted(len(wrong), 'problem')}", wrong)
    if only and not results:
        raise InvalidInput(f"no test's name holds '{only}'")
    raise typer.Exit(exit_status(results))


def schema(
    *,
    actions: Annotated[bool, flag("--actions", help="The reference of the installed actions, as Markdown.")] = False,
    json: Annotated[bool, flag("--json", help="JSON of the actions too; the schema always is.")] = False,
) -> None:
    """Write the JSON Schema of playbook files, for editors, or the reference of the actions.

    Example: halon schema > playbooks/schema.json
    """
    if not actions:
        sys.stdout.write(schema_text())
        return
    registry = registered()
    if json:
        say_json([_described(one) for one in registry.documented.values()])
    else:
        sys.stdout.write(reference(registry))


def _described(action: ActionSchema) -> JsonObject:
    return {
        "name": action.name,
        "effect": action.effect.value,
        "params": action.params,
        "output": action.output,
        "undoable": action.undoable,
    }


def _tested(installed: Installation, only: str) -> tuple[Sequence[TestResult], Sequence[str]]:
    """Run the tests. Gives their results, and the playbooks that have none."""
    catalogue, schemas = installed.catalogue, installed.actions
    documents = {one.file: one.document for one in catalogue.results}
    results: list[TestResult] = []
    untested: list[str] = []
    for name, playbook in catalogue.playbooks.items():
        if not playbook.tests and not only:
            untested.append(name)
        wanted = [test for test in playbook.tests if only in test.name or only in name]
        if wanted:
            chosen = {test.name for test in wanted}
            ran = run_tests(playbook, catalogue.playbooks, schemas, documents.get(catalogue.files[name]))
            results += [one for one in ran if one.name in chosen]
    if not catalogue.playbooks and not catalogue.problems:
        note("no playbook found: see `playbooks` in halon.yaml, or name files")
    return results, untested
