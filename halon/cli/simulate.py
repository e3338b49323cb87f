"""`halon simulate`: what a playbook would do now, against the live systems, which it only looks at."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from halon.cli.alert_file import read_alerts, sender_of
from halon.cli.chosen import Chosen, chosen
from halon.cli.connections import connected
from halon.cli.inputs import parse_inputs
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import OUTCOME_STYLES, say, say_json, styled, table
from halon.cli.plans import plan_block
from halon.clients.environment import open_env
from halon.clients.ledger import LedgerClient
from halon.clients.oncall import OnCall
from halon.clients.people import People
from halon.clients.seals import Seals
from halon.contracts.alert import Alert
from halon.contracts.base import Json, JsonObject, format_duration
from halon.contracts.ledger import LedgerState
from halon.contracts.outcome import Outcome
from halon.contracts.run import MAX_RUN_ALERTS, RunSpec
from halon.core.grouping import triage
from halon.core.ids import incident_id
from halon.core.library import library_of
from halon.core.policy import check_rules
from halon.errors import HalonError
from halon.kit.lifecycle import Lifecycle
from halon.operations.looking import INCIDENT, GuardsCopy, Question, UnkeptEvidence
from halon.operations.plans import of_plan
from halon.operations.simulation import Simulation, simulate
from halon.settings import Settings

_STARTED_BY = "halon simulate"
_FAILED = 1


def show_simulation(  # one parameter an option: Typer's way
    context: typer.Context,
    playbook: Annotated[str, typer.Argument(metavar="PLAYBOOK", help="Name of the playbook, or its file.")],
    *,
    alert: Annotated[
        Path | None, typer.Option("--alert", metavar="FILE", help="JSON of the alert, as its source sends it.")
    ] = None,
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Whose alert it is: a source of halon.yaml, or a type.")
    ] = "",
    inputs: Annotated[
        list[str] | None, typer.Option("--input", "-i", metavar="NAME=VALUE", help="An input; may be given often.")
    ] = None,
    json: Annotated[bool, flag("--json", help="Write the answer as JSON.")] = False,
) -> None:
    """Say what a playbook would do now: real reads and the real plan of every change, and nothing is written.

    Needs no Temporal: with it, the guards are asked on a copy of their state; without it, that state is not known.
    Nobody is asked or told anything. Where a run would go on from a change that was not made, it says so.

    Exits with 1 when the trigger does not take the alert, when a guard would refuse, or when a step fails.

    Example: halon simulate crashloop-rollback --alert alert.json
    """
    settings = settings_of(context)
    check_rules(settings.policy)
    book = chosen(settings, playbook)
    now = datetime.now(UTC)
    alerts = read_alerts(alert, now, sender_of(settings, source) if source else None) if alert else ()
    given = {} if alerts else parse_inputs(book.playbook, inputs or [])
    taken, reason = _taken(book, alerts, now)
    if not taken and alerts:
        _say_unmatched(book, reason, as_json=json)
        raise typer.Exit(_FAILED)
    simulation = asyncio.run(_simulate(settings, book, _spec(book, taken, given, now)))
    if json:
        say_json(_json(book, simulation, reason))
    else:
        say(*_shown(book, simulation, reason))
    refused = simulation.admission is not None and not simulation.admission.granted
    outcome = simulation.result.outcome
    went_well = outcome in {Outcome.DRY_RUN, Outcome.DIAGNOSED} or outcome.success
    raise typer.Exit(0 if (went_well or simulation.unknown) and not refused else _FAILED)


def _taken(book: Chosen, alerts: Sequence[Alert], now: datetime) -> tuple[tuple[Alert, ...], str]:
    """The alerts of the first incident that the trigger makes of these, and what is to be known about it."""
    if not alerts:
        return (), "started by hand"
    sorted_out = triage([book.playbook], alerts, now)
    if not sorted_out.groups:
        reasons = [reason for one in sorted_out.unmatched for reason in one.reasons]
        return (), "; ".join(dict.fromkeys(reasons)) or f"its trigger does not ask for alert {alerts[0].name}"
    group, after = sorted_out.groups[0], book.playbook.trigger.after if book.playbook.trigger else None
    said = (
        f"its trigger takes {len(group.alerts)} of {len(alerts)} alerts" if len(alerts) > 1 else "its trigger takes it"
    )
    if len(sorted_out.groups) > 1:
        said += f", as {len(sorted_out.groups)} incidents; this is the first"
    if after is not None:
        said += f"; it acts only when {after.count} come within {format_duration(after.within)}"
    return group.alerts, said


def _spec(book: Chosen, alerts: tuple[Alert, ...], given: JsonObject, now: datetime) -> RunSpec:
    group = triage([book.playbook], alerts, now).groups[0].id if alerts else ""
    return RunSpec(
        incident=incident_id(group, alerts[0]) if alerts else INCIDENT,
        playbook=book.playbook,
        library=library_of(book.playbook, book.installed.catalogue.playbooks),
        effects=book.installed.registry.effects,
        alerts=alerts[:MAX_RUN_ALERTS],
        inputs=given,
        dry_run=True,
        started_by="" if alerts else _STARTED_BY,
    )


async def _simulate(settings: Settings, book: Chosen, spec: RunSpec) -> Simulation:
    state, unknown = await _guards(settings)
    async with open_env(settings, UnkeptEvidence()) as env:
        people = People(settings, Seals((), {}), env.get(OnCall))
        lifecycle = Lifecycle(book.installed.registry, env)
        return await simulate(spec, lifecycle, GuardsCopy(settings, state), people.electorate, unknown)


async def _guards(settings: Settings) -> tuple[LedgerState, str]:
    """The guards' state, read without starting anything; or why it is not known."""
    try:
        client = await connected(settings)
        return await LedgerClient(client, settings.temporal.task_queue).look(), ""
    except HalonError as error:
        return LedgerState(), str(error)


def _say_unmatched(book: Chosen, reason: str, *, as_json: bool) -> None:
    name = book.playbook.metadata.name
    if as_json:
        say_json({"playbook": name, "matched": False, "reason": reason})
    else:
        say(Text.assemble(("no run", "bold yellow"), styled(f": {reason}")))


def _shown(book: Chosen, found: Simulation, matched: str) -> Sequence[RenderableType]:
    result = found.result
    parts: list[RenderableType] = [
        Text.assemble(("playbook ", "bold"), styled(book.playbook.metadata.name, "bold cyan"), styled(f"  {matched}")),
        styled(f"target   {result.target or '(none)'}"),
        *_guard_lines(found),
        "",
    ]
    steps = [(report.path, report.kind, report.outcome, report.reason) for report in result.steps]
    if steps:
        parts += [table(("step", "kind", "outcome", "reason"), steps), ""]
    for one in found.plans:
        parts += [styled(f"at {one.step}", "bold"), plan_block(of_plan(one.plan)), ""]
    parts += [styled(f"would ask at {_asks(one)}", "yellow") for one in found.questions]
    parts += [styled(f"left out: {one}", "dim") for one in found.left_out]
    parts += [styled(f"seen as it is now, without the changes above: {one}", "dim") for one in found.stale]
    parts += [styled(f"cannot be known: {one}", "yellow") for one in found.unknown]
    if found.unknown and result.outcome is Outcome.FAILED:
        parts.append(styled("as far as it can be known: nothing was written", "bold"))
    else:
        style = OUTCOME_STYLES.get(result.outcome.value, "")
        parts.append(Text.assemble(styled(result.outcome.value, style), styled(f": {result.reason}")))
    return parts


def _guard_lines(found: Simulation) -> Sequence[RenderableType]:
    admission = found.admission
    lines: list[RenderableType] = []
    if admission is not None:
        said = "would let it run" if admission.granted else f"would refuse: {admission.reason}"
        lines.append(styled(f"guards   {said}", "" if admission.granted else "bold yellow"))
        lines += [styled(f"         each change needs a person: {one}", "yellow") for one in admission.approvals]
    if found.guards_unknown:
        lines.append(
            styled(f"         locks, breakers, rates and budgets are not known: {found.guards_unknown}", "yellow")
        )
    return lines


def _asks(question: Question) -> str:
    approve = question.approve
    about = f": {'; '.join(question.plans)}" if question.plans else ", for the steps behind it"
    needed = f"{approve.quorum} approvals" if approve.quorum > 1 else "an approval"
    asked = ", ".join(approve.from_) or "anyone who may decide"
    within = format_duration(approve.within)
    return f"{question.step}: {needed} from {asked} within {within} ({_people(question)}){about}"


def _people(question: Question) -> str:
    who = question.who
    if who is None:
        return f"who that is cannot be found: {question.problem}"
    if who.anyone:
        return "halon.yaml names no people"
    found = [elector.person for elector in who.electors]
    missing = f"; not found: {'; '.join(who.missing)}" if who.missing else ""
    return f"now {', '.join(found) or 'nobody'}{missing}"


def _json(book: Chosen, found: Simulation, matched: str) -> JsonObject:
    result, admission = found.result, found.admission
    guards: Json = None
    if admission is not None:
        guards = {
            "granted": admission.granted,
            "reasons": list(admission.reasons),
            "approvals": list(admission.approvals),
            "unknown": found.guards_unknown,
        }
    return {
        "playbook": book.playbook.metadata.name,
        "matched": True,
        "reason": matched,
        "target": result.target,
        "outcome": result.outcome.value,
        "outcome_reason": result.reason,
        "guards": guards,
        "steps": [report.model_dump(mode="json") for report in result.steps],
        "plans": [{"step": one.step, **of_plan(one.plan).to_json()} for one in found.plans],
        "questions": [_question_json(one) for one in found.questions],
        "left_out": list(found.left_out),
        "seen_without_changes": list(found.stale),
        "unknown": list(found.unknown),
    }


def _question_json(question: Question) -> JsonObject:
    approve, who = question.approve, question.who
    return {
        "step": question.step,
        "from": list(approve.from_),
        "quorum": approve.quorum,
        "within": format_duration(approve.within),
        "about": list(question.plans),
        "anyone": who.anyone if who else False,
        "people": [one.person for one in who.electors] if who else [],
        "missing": list(who.missing) if who else [question.problem],
    }
