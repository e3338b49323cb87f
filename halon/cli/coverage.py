"""`halon coverage`: which alerts of Prometheus rule files have a playbook, and which triggers nothing can fire."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from halon.cli.installed import Installation, installation
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, say, say_json, styled, table
from halon.contracts.base import JsonObject
from halon.documents import Problem
from halon.errors import InvalidInput
from halon.playbook.coverage import Coverage, Covered, Listener, Tally, Unfired, coverage
from halon.playbook.rule_files import read_rule_files
from halon.settings import Settings

_PROMETHEUS = "alertmanager"
"""The type of source that Prometheus' alerts come through, and its usual name."""
_FAILED = 1


def show_coverage(  # noqa: PLR0913  # one parameter an option: Typer's way
    context: typer.Context,
    rules: Annotated[
        list[Path], typer.Argument(metavar="RULES.yaml…", help="Rule files, PrometheusRules, or directories of them.")
    ],
    *,
    playbooks: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="Playbooks to look at; by default `playbooks` of halon.yaml."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="ALERT", help="Leave out alerts that nothing is to be done about; names or globs."),
    ] = None,
    uncovered: Annotated[bool, flag("--uncovered", help="List only the alerts that no playbook takes.")] = False,
    min_percent: Annotated[
        float | None, typer.Option(min=0, max=100, help="Exit with 1 when fewer alerts have a playbook.")
    ] = None,
    fail_uncovered: Annotated[
        bool, flag("--fail-uncovered", help="Exit with 1 when an alert has no playbook.")
    ] = False,
    fail_unfired: Annotated[
        bool, flag("--fail-unfired", help="Exit with 1 when no rule can fire some trigger.")
    ] = False,
    json: Annotated[bool, flag("--json", help="Write the answer as JSON.")] = False,
) -> None:
    """Hold Prometheus rule files against the playbooks: which alerts are taken, by which one, and which are not.

    Reads plain rule files, PrometheusRules and lists of them, and what Prometheus answers at /api/v1/rules. A playbook
    that hangs on a label of the expression, or on an `if`, may take an alert: it counts, and says on what it hangs.

    Example: halon coverage rules/ --ignore Watchdog --min-percent 90
    """
    settings = settings_of(context)
    installed = installation(settings, playbooks or ())
    read = read_rule_files(rules)
    found = coverage(_listeners(installed), read.rules, _sources(settings), ignore or ())
    problems = sorted([*read.problems, *installed.catalogue.problems], key=lambda one: (one.file, one.line))
    if json:
        say_json(_json(found, problems))
    elif read.rules:
        say(*_shown(found, uncovered=uncovered))
    if problems:
        raise InvalidInput(
            f"not everything could be read: {counted(len(problems), 'problem')}", list(map(str, problems))
        )
    if not read.rules:
        raise InvalidInput("there is no alert in these files")
    failures = [
        min_percent is not None and found.total.percent < min_percent,
        fail_uncovered and found.total.covered < found.total.rules,
        fail_unfired and bool(found.unfired),
    ]
    raise typer.Exit(_FAILED if any(failures) else 0)


def _listeners(installed: Installation) -> list[Listener]:
    """The playbooks that alerts may start, by name."""
    catalogue = installed.catalogue
    documents = {one.file: one.document for one in catalogue.results}
    listeners: list[Listener] = []
    for name, playbook in catalogue.playbooks.items():
        if playbook.trigger is None:
            continue
        file = catalogue.files[name]
        document = documents.get(file)
        places = [("trigger", "alerts", number) for number in range(len(playbook.trigger.alerts))]
        lines = tuple(document.position(place).line for place in places) if document else ()
        listeners.append(Listener(playbook, playbook.trigger, file, lines))
    return listeners


def _sources(settings: Settings) -> list[str]:
    """The sources that Prometheus' alerts come through: as halon.yaml names them, or as they usually are."""
    return [name for name, one in settings.gateway.sources.items() if one.type == _PROMETHEUS] or [_PROMETHEUS]


def _shown(found: Coverage, *, uncovered: bool) -> Sequence[RenderableType]:
    listed = [one for one in found.rules if not (uncovered and one.takers)]
    parts: list[RenderableType] = []
    if listed:
        parts += [table(("alert", "severity", "playbook", "place"), [_row(one) for one in listed]), ""]
    tallies = [(name or "(none)", tally) for name, tally in found.by_severity.items()]
    parts.append(table(("severity", "alerts", "covered", "percent"), [_tally_row(*one) for one in tallies]))
    parts += _gaps("triggers that no rule can fire", found.unfired)
    parts += _gaps("names in triggers that no rule has", found.unknown_names)
    total = found.total
    hanging = sum(bool(one.takers) and not one.certain for one in found.rules)
    summary = f"{total.covered} of {counted(total.rules, 'alert')} have a playbook ({total.percent:g} %)"
    if hanging:
        summary += f", {hanging} of them only when a label or an `if` of the trigger suits"
    if found.ignored:
        summary += f"; {len(found.ignored)} ignored"
    return [*parts, "", styled(summary, "bold")]


def _row(one: Covered) -> tuple[str, ...]:
    taken = "; ".join(
        f"{taker.playbook} (when {', '.join(taker.when)})" if taker.when else taker.playbook for taker in one.takers
    )
    return one.rule.name, one.rule.severity, taken or f"- {'; '.join(one.refusals)}".rstrip(), one.rule.place


def _tally_row(name: str, tally: Tally) -> tuple[str, ...]:
    return name, str(tally.rules), str(tally.covered), f"{tally.percent:g}"


def _gaps(title: str, gaps: Sequence[Unfired]) -> Sequence[RenderableType]:
    if not gaps:
        return ()
    lines = [styled(f"  {one.file}:{one.line}: {one.playbook}: {one.reason}") for one in gaps]
    return ["", styled(f"{title}:", "yellow"), *lines]


def _json(found: Coverage, problems: Sequence[Problem]) -> JsonObject:
    return {
        "alerts": [_covered_json(one) for one in found.rules],
        "severities": {name: _tally_json(tally) for name, tally in found.by_severity.items()},
        "total": _tally_json(found.total),
        "ignored": [one.name for one in found.ignored],
        "unfired": [_gap_json(one) for one in found.unfired],
        "unknown_names": [_gap_json(one) for one in found.unknown_names],
        "other_sources": list(found.elsewhere),
        "problems": [str(one) for one in problems],
    }


def _covered_json(one: Covered) -> JsonObject:
    rule = one.rule
    return {
        "alert": rule.name,
        "severity": rule.severity,
        "group": rule.group,
        "file": rule.file,
        "line": rule.line,
        "labels": dict(rule.labels),
        "covered": bool(one.takers),
        "certain": one.certain,
        "playbooks": [{"name": taker.playbook, "when": list(taker.when)} for taker in one.takers],
        "refused_by": list(one.refusals),
    }


def _tally_json(tally: Tally) -> JsonObject:
    return {"alerts": tally.rules, "covered": tally.covered, "percent": tally.percent}


def _gap_json(gap: Unfired) -> JsonObject:
    return {"playbook": gap.playbook, "alert": gap.alert, "file": gap.file, "line": gap.line, "reason": gap.reason}
