"""`halon guards`, `pause`, `resume`, `unlock` and `breaker`: what stops automation, and a person's hand on it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich.console import RenderableType

from halon.cli.access import demand, named
from halon.cli.connections import connected
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, say, say_json, table
from halon.clients.calendars import Freezes
from halon.clients.ledger import LedgerClient
from halon.contracts.base import format_duration
from halon.contracts.ledger import Answer, BreakerCommand, BreakerEntry, LedgerState, Pause, Resume, Unlock
from halon.contracts.people import Right
from halon.errors import InvalidInput, NotFound
from halon.operations import guards as operations
from halon.operations.guards import GuardsNow
from halon.settings import Settings

Json = Annotated[bool, flag("--json", help="Write the answer as JSON.")]
By = Annotated[str, typer.Option("--by", help="Who does it; by default the user of this system.", metavar="NAME")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; people are told, and the audit keeps it.")]
Playbook = Annotated[str, typer.Option("--playbook", help="Only this playbook.", metavar="NAME")]
Target = Annotated[str, typer.Option("--target", help="Only targets that begin so.", metavar="PREFIX")]
Key = Annotated[str, typer.Argument(metavar="BREAKER", help="A playbook, or '<playbook> on <target>'.")]
Lock = Annotated[str, typer.Argument(metavar="LOCK", help="Its name, as `halon guards` shows it.")]

_OPTIONS = {"key": "BREAKER", "lock": "LOCK", "reason": "--reason", "playbook": "--playbook", "target": "--target"}
ModelT = TypeVar("ModelT", bound=BaseModel)
CommandT = TypeVar("CommandT", Pause, Resume, Unlock, BreakerCommand)


@dataclass(frozen=True, slots=True)
class Deed(Generic[CommandT]):
    """What a person does to the guards, and the right that it takes."""

    do: Callable[[LedgerClient, CommandT], Awaitable[Answer]]
    right: Right
    what: str


breakers = typer.Typer(
    help="The circuit breakers: list, show, trip and reset them.",
    no_args_is_help=True,
)


def guards(context: typer.Context, *, json: Json = False) -> None:
    """Show what stops automation now: pauses, freezes, a storm, locks, circuit breakers, rates and budgets."""
    settings = settings_of(context)
    found = asyncio.run(_now(settings, Freezes(settings.freeze, readable=False)))
    if json:
        say_json(found.to_json())
        return
    state, frozen = found.state, found.frozen
    lines: list[RenderableType] = [f"PAUSED: {one.sentence}" for one in state.pauses]
    lines += [f"FROZEN: {one.sentence}" for one in frozen]
    if state.storm is not None:
        since = f"{state.storm.since:%Y-%m-%d %H:%M:%S} UTC"
        lines.append(f"STORM since {since}: {counted(state.storm.incidents, 'incident')}; people decide about changes")
    if state.locks:
        rows = [
            (
                one.name,
                str(one.number),
                one.incident,
                f"{one.since:%Y-%m-%d %H:%M:%S}",
                one.kept or "a run is under way",
            )
            for one in state.locks.values()
        ]
        lines.append(table(("lock", "number", "incident", "since (UTC)", "why"), rows))
    if state.breakers:
        lines.append(_breaker_table(state))
    uses = [(name, "rate", one) for name, one in state.rates.items()]
    uses += [(name, "budget", one) for name, one in state.budgets.items()]
    if uses:
        counts = [(name, kind, str(len(one.entries)), format_duration(one.per)) for name, kind, one in uses]
        lines.append(table(("counted", "kind", "used", "within"), counts))
    say(*(lines or ["nothing is paused, held or counted"]))


def pause(  # one parameter an option: Typer's way
    context: typer.Context,
    *,
    reason: Reason = "",
    playbook: Playbook = "",
    target: Target = "",
    by: By = "",
    json: Json = False,
) -> None:
    """The kill switch: stop all changes, or those of a playbook or under a prefix of targets.

    In force within a second, also for runs that are under way: each stops before its next change, waits, and goes on
    after `halon resume`; one whose alert clears meanwhile ends. New runs are refused. It needs neither the store nor
    the gateway, and survives restarts of everything.

    Example: halon pause --target k8s/eu-1/ --reason "the cluster is being upgraded"
    """
    settings = settings_of(context)
    given = _made(Pause, by=named(settings, by), reason=reason, playbook=playbook, target=target)
    deed = Deed(operations.pause, Right.PAUSE, f"pause {given.scope}")
    _said(asyncio.run(_done(settings, deed, given)), as_json=json)


def resume(  # noqa: PLR0913  # one parameter an option: Typer's way
    context: typer.Context,
    *,
    reason: Reason = "",
    playbook: Playbook = "",
    target: Target = "",
    everything: Annotated[bool, flag("--all", help="Every pause, whatever its scope.")] = False,
    by: By = "",
    json: Json = False,
) -> None:
    """Take back the pause of the same scope: with --playbook or --target as it was given, or --all.

    Example: halon resume --target k8s/eu-1/
    """
    settings = settings_of(context)
    given = _made(
        Resume, by=named(settings, by), reason=reason, playbook=playbook, target=target, everything=everything
    )
    deed = Deed(operations.resume, Right.PAUSE, "resume")
    _said(asyncio.run(_done(settings, deed, given)), as_json=json)


def unlock(context: typer.Context, lock: Lock, *, reason: Reason = "", by: By = "", json: Json = False) -> None:
    """Free a lock: one that was kept because a change could not be put back, once you have looked at its target.

    A run that still holds it writes nothing more.

    Example: halon unlock k8s/eu-1/shop/cart --reason "put back by hand"
    """
    settings = settings_of(context)
    given = _made(Unlock, by=named(settings, by), reason=reason, lock=lock)
    deed = Deed(operations.unlock, Right.TRIP, f"free the lock {lock}")
    _said(asyncio.run(_done(settings, deed, given)), as_json=json)


@breakers.command("list")
def list_breakers(context: typer.Context, *, json: Json = False) -> None:
    """List the circuit breakers that have something to say."""
    state = asyncio.run(_state(settings_of(context)))
    if json:
        say_json([one.model_dump(mode="json") for one in state.breakers.values()])
    else:
        say(_breaker_table(state) if state.breakers else "no circuit breaker has anything to say")


@breakers.command("show")
def show_breaker(context: typer.Context, key: Key, *, json: Json = False) -> None:
    """Show one circuit breaker: its state, why, and the failures that it counts."""
    entry = asyncio.run(_state(settings_of(context))).breakers.get(key)
    if entry is None:
        raise NotFound(f"no circuit breaker of {key} has anything to say: `halon breaker list` shows those that have")
    if json:
        say_json(entry)
        return
    spec = entry.spec
    if spec is not None:
        window, pause_ = format_duration(spec.within), format_duration(spec.cooldown)
        say(f"{key}: {_state_of(entry)}; opens at {spec.failures} failures within {window}, for {pause_}")
    else:
        say(f"{key}: {_state_of(entry)}")
    if entry.reason:
        say(f"  why: {entry.reason}")
    for one in entry.failures:
        say(f"  {one.at:%Y-%m-%d %H:%M:%S}  {one.incident}  {one.reason}")


@breakers.command("trip")
def trip_breaker(context: typer.Context, key: Key, *, reason: Reason = "", by: By = "", json: Json = False) -> None:
    """Open a circuit breaker by hand: new runs are refused until it is reset.

    Example: halon breaker trip crashloop-rollback --reason "it rolled back the wrong service"
    """
    settings = settings_of(context)
    given = _made(BreakerCommand, by=named(settings, by), reason=reason, key=key)
    deed = Deed(operations.trip, Right.TRIP, f"trip the breaker of {key}")
    _said(asyncio.run(_done(settings, deed, given)), as_json=json)


@breakers.command("reset")
def reset_breaker(context: typer.Context, key: Key, *, reason: Reason = "", by: By = "", json: Json = False) -> None:
    """Close a circuit breaker by hand, and forget its failures.

    Example: halon breaker reset crashloop-rollback --reason "the playbook is mended"
    """
    settings = settings_of(context)
    given = _made(BreakerCommand, by=named(settings, by), reason=reason, key=key)
    deed = Deed(operations.reset, Right.TRIP, f"reset the breaker of {key}")
    _said(asyncio.run(_done(settings, deed, given)), as_json=json)


async def _ledger(settings: Settings) -> LedgerClient:
    return LedgerClient(await connected(settings), settings.temporal.task_queue)


async def _state(settings: Settings) -> LedgerState:
    return await operations.state_now(await _ledger(settings), datetime.now(UTC))


async def _now(settings: Settings, freezes: Freezes) -> GuardsNow:
    return await operations.guards_now(await _ledger(settings), freezes, datetime.now(UTC))


async def _done(settings: Settings, deed: "Deed[CommandT]", given: CommandT) -> Answer:
    await demand(settings, given.by, deed.right, deed.what)
    return await deed.do(await _ledger(settings), given)


def _made(kind: type[ModelT], **given: object) -> ModelT:
    """A command, or a sentence about what is wrong with it.

    Raises:
        InvalidInput: an option has no valid value.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        said = [
            f"{_OPTIONS.get(str(one['loc'][0]), one['loc'][0])} "
            + ("is missing" if one["type"] == "string_too_short" else f"is wrong: {one['msg']}")
            for one in error.errors()
        ]
        raise InvalidInput("; ".join(said)) from error


def _said(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        say_json(answer)
    else:
        say(answer.message)


def _breaker_table(state: LedgerState) -> RenderableType:
    rows = [(one.key, _state_of(one), str(len(one.failures)), one.reason) for one in state.breakers.values()]
    return table(("breaker", "state", "failures", "why"), rows)


def _state_of(entry: BreakerEntry) -> str:
    if entry.state != "open":
        return f"half-open, trial {entry.trial}" if entry.trial else entry.state.replace("_", "-")
    return f"open until {entry.until:%Y-%m-%d %H:%M:%S} UTC" if entry.until else "open until reset"
