"""`halon backtest`: what the playbooks would have done about the alerts of a month."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from halon.cli.alert_file import sender_of
from halon.cli.alert_lines import AlertLines
from halon.cli.installed import installation
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import OUTCOME_STYLES, counted, say, say_json, styled, table
from halon.clients.calendars import Freezes
from halon.contracts.base import parse_duration
from halon.contracts.ledger import StormLimit
from halon.core.policy import check_rules
from halon.documents import Document, parse
from halon.errors import InvalidInput, NotFound
from halon.playbook.backtest import Installation, backtest
from halon.playbook.backtest_incident import Deciders
from halon.playbook.backtest_report import BacktestReport, Notable, PlaybookTally
from halon.settings import Settings

_SHOWN_UNMATCHED = 20
_COLUMNS = ("playbook", "incidents", "runs", "changes", "asked", "repeats", "held back", "outcomes", "refused by")


class Decide(StrEnum):
    """What people do about each question."""

    APPROVE = "approve"
    DENY = "deny"
    NOBODY = "nobody"


def run_backtest(  # noqa: PLR0913  # one parameter an option: Typer's way
    context: typer.Context,
    *,
    alerts: Annotated[Path, typer.Option("--alerts", metavar="FILE.jsonl", help="Alerts of the past, one a line.")],
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Whose bodies the lines are; by default Alertmanager's.")
    ] = "",
    playbooks: Annotated[
        list[Path] | None,
        typer.Option("--playbooks", metavar="DIR", help="Playbooks to look at; by default `playbooks` of halon.yaml."),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="YAML of what actions answer, as `given` in tests.")
    ] = None,
    decide: Annotated[Decide, typer.Option("--decide", help="What people do when they are asked.")] = Decide.APPROVE,
    after: Annotated[
        str, typer.Option("--after", metavar="DURATION", help="How long after the question they decide.")
    ] = "2m",
    timeline: Annotated[
        int, typer.Option("--timeline", min=0, max=10_000, help="How many things worth knowing are listed.")
    ] = 30,
    json: Annotated[bool, flag("--json", help="Write the answer as JSON.")] = False,
) -> None:
    """Say what the playbooks would have done about alerts of the past, with the time compressed: a month takes seconds.

    Triggers, groups, guards and storms are those of production, under one ledger and the freezes and policy of
    halon.yaml. Nothing outside is asked: actions answer as the playbooks' own tests say, or as --answers does. Each
    line is an alert in Halon's own form, a webhook as Alertmanager sends it, or a record of the audit.

    Example: halon backtest --alerts march.jsonl --playbooks playbooks/
    """
    settings = settings_of(context)
    check_rules(settings.policy)
    installed = installation(settings, playbooks or ())
    try:
        deciders = Deciders(decide.value, parse_duration(after))
    except ValueError as error:
        raise InvalidInput(f"--after: {error}") from error
    lines = AlertLines(alerts, sender_of(settings, source) if source else None)
    found = backtest(
        installed.catalogue.playbooks,
        installed.actions,
        lines.read(),
        _installation(settings),
        deciders=deciders,
        answers=_answers(answers) if answers else None,
    )
    if json:
        say_json({**found.to_json(), "problems": [*lines.problems]})
    else:
        say(*_shown(found, timeline))
    problems = [*(str(one) for one in installed.catalogue.problems), *lines.problems]
    if problems:
        raise InvalidInput(f"not everything could be read: {counted(len(problems), 'problem')}", problems)


def _installation(settings: Settings) -> Installation:
    freezes, storm = Freezes(settings.freeze, readable=False), settings.storm

    def frozen(at: datetime, target: str, playbook: str) -> Sequence[str]:
        return [one.sentence for one in freezes.active(at, target=target, playbook=playbook)]

    return Installation(
        storm=StormLimit(incidents=storm.incidents, within=storm.within),
        rules=settings.policy,
        environment=settings.environment,
        frozen=frozen,
    )


def _answers(file: Path) -> Document:
    try:
        return parse(file.read_bytes(), str(file))
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}") from error


def _shown(found: BacktestReport, timeline: int) -> Sequence[RenderableType]:
    if found.first is None or found.last is None:
        return [styled("no alert in this file")]
    span = found.last - found.first
    parts: list[RenderableType] = [
        styled(
            f"{counted(found.alerts, 'alert')}, {found.firing} of them firing, from {found.first:%Y-%m-%d %H:%M} to "
            f"{found.last:%Y-%m-%d %H:%M} UTC ({span // timedelta(days=1)} days)",
            "bold",
        ),
        "",
    ]
    if found.by_playbook:
        parts += [table(_COLUMNS, [_row(name, tally) for name, tally in found.by_playbook.items()]), ""]
    missed = sum(one.count for one in found.unmatched)
    if missed:
        rows = [(one.name, str(one.count), "; ".join(one.reasons)) for one in found.unmatched[:_SHOWN_UNMATCHED]]
        parts += [styled(f"{counted(missed, 'alert')} without a playbook", "yellow")]
        parts += [table(("alert", "count", "why"), rows), ""]
    for name, tally in found.by_playbook.items():
        parts += [styled(f"no answer for {name}: {one}", "yellow") for one in tally.missing]
    listed = found.timeline[:timeline]
    if listed:
        parts += [styled("worth knowing", "bold"), table(("at", "what", "playbook", "message"), map(_entry, listed))]
    more = len(found.timeline) - len(listed) + found.left_out
    if more:
        parts.append(styled(f"and {more} more", "dim"))
    idle = found.playbooks - len(found.by_playbook)
    parts.append(styled(f"{counted(found.storms, 'storm')}; {counted(idle, 'playbook')} had nothing to do", "bold"))
    return parts


def _entry(one: Notable) -> tuple[str | Text, ...]:
    return f"{one.at:%Y-%m-%d %H:%M:%S}", styled(one.what, OUTCOME_STYLES.get(one.what, "")), one.playbook, one.message


def _row(name: str, tally: PlaybookTally) -> tuple[str, ...]:
    incidents = f"{tally.incidents}" + (f" (+{tally.reopened} reopened)" if tally.reopened else "")
    changes = f"{tally.changes}" + (f" ({tally.undone} undone)" if tally.undone else "")
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in tally.outcomes.most_common())
    refused = ", ".join(f"{count} {guard}" for guard, count in tally.refused_by.most_common())
    counts = (str(tally.runs), changes, str(tally.asked), str(tally.repeats), str(tally.suppressed))
    return name, incidents, *counts, outcomes, refused
