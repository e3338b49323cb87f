"""`halon new`: a first draft of a playbook, which lints and passes its tests, for an author to go on with."""

import os
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from halon.cli.alert_file import read_alerts, sender_of
from halon.cli.installed import registered
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, note, say, say_json
from halon.clients.oncall import directory_of
from halon.contracts.alert import Alert
from halon.contracts.base import Json
from halon.errors import InvalidInput, PermanentError
from halon.playbook.actions import ActionSchemas
from halon.playbook.catalogue import assemble, load_catalogue
from halon.playbook.drafts import Wish, draft
from halon.playbook.lint import Finding, lint
from halon.playbook.lint_rules import Severity
from halon.playbook.loader import load
from halon.playbook.schema import schema_text
from halon.playbook.testing import run_tests
from halon.settings import Settings

_SCHEMA = "schema.json"


class Template(StrEnum):
    """What a draft does about its alert."""

    DIAGNOSE = "diagnose"
    RESTART = "restart"
    ROLLBACK = "rollback"
    SCALE = "scale"
    CONTAIN = "contain"


def new(  # noqa: PLR0913  # one parameter an option: Typer's way
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the playbook: a DNS label.")],
    *,
    template: Annotated[Template, typer.Option("--from-template", help="What it does.")] = Template.DIAGNOSE,
    alert: Annotated[
        Path | None,
        typer.Option("--alert", metavar="FILE", help="JSON of an alert that it is for."),
    ] = None,
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Whose alert it is: a source of halon.yaml, or a type.")
    ] = "",
    owner: Annotated[
        str, typer.Option("--owner", metavar="CHANNEL", help="Whose it is, and the channel that is told.")
    ] = "team-platform",
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="What it does, in a few words.")] = "",
    area: Annotated[str, typer.Option("--area", metavar="DIR", help="Directory below `playbooks` of halon.yaml.")] = "",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The file itself, instead.")] = None,
    force: Annotated[bool, flag("--force", help="Replace a file that is there.")] = False,
    json: Annotated[bool, flag("--json", help="Write where it is, and what the linter says, as JSON.")] = False,
) -> None:
    """Write a first draft of a playbook: from a template, with triggers, labels and tests from a real alert.

    The draft lints without errors and passes its own tests. Editors complete and check it by the schema that its first
    line names.

    Example: halon new cart-restart --from-template restart --alert alert.json
    """
    settings = settings_of(context)
    file = out or _place(settings, area, name)
    if file.exists() and not force:
        raise InvalidInput(f"{file} is there already: use --force to replace it, or another name")
    schema = _schema_of(settings, file)
    taken = _alert(settings, alert, source)
    sources = (source,) if source in settings.gateway.sources else ()
    text = draft(
        Wish(name, template.value, _relative(schema, file), owner=owner, title=title, alert=taken, sources=sources)
    )
    findings, tests = _checked(settings, text, file)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    if not schema.exists():
        schema.write_text(schema_text(), encoding="utf-8")
    if json:
        warnings: list[Json] = [{"rule": one.rule, "line": one.line, "message": one.message} for one in findings]
        say_json({"file": str(file), "schema": str(schema), "tests": tests, "warnings": warnings})
        return
    for one in findings:
        note(f"{one.file}:{one.line}: {one.message} [{one.rule}]")
    passed = f"{counted(tests, 'test')} passed"
    say(f"wrote {file}: it lints, {passed}", f"next: halon explain {file}, halon test {file}")


def _place(settings: Settings, area: str, name: str) -> Path:
    root = settings.playbooks[0] if settings.playbooks else Path("playbooks")
    return (root if root.suffix not in {".yaml", ".yml"} else root.parent) / area / f"{name}.yaml"


def _schema_of(settings: Settings, file: Path) -> Path:
    """The schema of the catalogue that the file is in; beside the file when it is in none."""
    for root in settings.playbooks:
        if file.resolve().is_relative_to(root.resolve()) and root.is_dir():
            return root / _SCHEMA
    return file.parent / _SCHEMA


def _relative(schema: Path, file: Path) -> str:
    path = Path(os.path.relpath(schema.resolve(), file.resolve().parent)).as_posix()
    return path if path.startswith("..") else f"./{path}"


def _alert(settings: Settings, file: Path | None, source: str) -> Alert | None:
    """The first alert of the file that fires, otherwise its first."""
    if file is None:
        return None
    alerts = read_alerts(file, datetime.now(UTC), sender_of(settings, source) if source else None)
    return next((one for one in alerts if one.status.value == "firing"), alerts[0])


def _checked(settings: Settings, text: str, file: Path) -> tuple[list[Finding], int]:
    """Lint the draft among the playbooks that are there, and run its tests. Gives warnings, and how many tests passed.

    Raises:
        InvalidInput: its name is taken, or it fits not with what is installed; `problems` says why.
    """
    actions: ActionSchemas = registered().schemas
    there = load_catalogue([one for one in settings.playbooks if one.exists()], actions)
    result = load(text, str(file), actions)
    others = [one for one in there.results if Path(one.file).resolve() != file.resolve()]
    catalogue = assemble([*others, result])
    problems = [str(one) for one in catalogue.problems if one.file == str(file)]
    if result.playbook is None or problems:
        raise InvalidInput(f"the draft of {file} does not fit", problems)
    ours = settings.policy, settings.environment, directory_of(settings), settings.notify.channels
    known = lint(assemble(others), actions, *ours)
    found = lint(catalogue, actions, *ours)
    mine = [one for one in found if one not in known]
    errors = [f"{one.file}:{one.line}: {one.message}" for one in mine if one.severity is Severity.ERROR]
    if errors:
        raise InvalidInput(f"the draft of {file} does not fit", errors)
    results = run_tests(result.playbook, catalogue.playbooks, actions, result.document)
    failed = [one.name for one in results if one.status != "passed"]
    if failed:
        raise PermanentError(f"the draft's own tests do not pass: {'; '.join(failed)}: please report it")
    return mine, len(results)
