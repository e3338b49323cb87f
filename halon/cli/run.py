"""`halon run`: starts a playbook by hand, as an incident of its own, and follows it when asked to."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from temporalio.client import WorkflowFailureError, WorkflowHandle

from halon.cli.access import demand, named
from halon.cli.alert_file import read_alerts, sender_of
from halon.cli.connections import connected
from halon.cli.inputs import parse_inputs
from halon.cli.installed import repertoire
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import OUTCOME_STYLES, note, say, say_json, styled
from halon.cli.plans import how_to_decide, plan_block
from halon.contracts.audit import AuditKind, StoredRecord
from halon.contracts.base import JsonObject
from halon.contracts.incident import IncidentResult
from halon.contracts.outcome import Outcome
from halon.contracts.people import Right
from halon.core.membership import shared_labels
from halon.errors import PermanentError
from halon.operations.plans import PlanView, of_record
from halon.operations.records import all_records
from halon.operations.runs import Order, Start, carry_out, order
from halon.settings import Settings
from halon.store.store import Store, open_store

_LOOK = timedelta(milliseconds=300)
"""Time between looks at the audit of a run that is followed."""
_LATE = timedelta(seconds=5)
"""After this long without a record, nobody seems to work."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run that was followed came to."""

    result: IncidentResult
    plans: Sequence[PlanView]

    @property
    def outcome(self) -> str:
        """The outcome's word; empty when another incident had handled the alert before."""
        return self.result.outcome.value if self.result.outcome else ""

    @property
    def went_well(self) -> bool:
        """Whether the command succeeds."""
        outcome = self.result.outcome
        return outcome is not None and (outcome.success or outcome in {Outcome.DRY_RUN, Outcome.DIAGNOSED})

    def to_json(self) -> JsonObject:
        """The same for machines."""
        return {
            "incident": self.result.incident,
            "outcome": self.outcome,
            "reason": self.result.reason,
            "plans": [one.to_json() for one in self.plans],
        }


def run(  # noqa: PLR0913  # one parameter an option: Typer's way
    context: typer.Context,
    playbook: Annotated[str, typer.Argument(metavar="PLAYBOOK", help="Name of the playbook.")],
    *,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", "-i", metavar="NAME=VALUE", help="An input; may be given often.")
    ] = None,
    alert: Annotated[
        Path | None,
        typer.Option("--alert", metavar="FILE", help="JSON of the alert to act on, as its source sends it."),
    ] = None,
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Whose alert it is: a source of halon.yaml, or a type.")
    ] = "",
    dry_run: Annotated[
        bool, flag("--dry-run", help="Plan everything and change nothing; prints the plan. Waits for the end.")
    ] = False,
    wait: Annotated[bool, flag("--wait", help="Follow the run to its end.")] = False,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who starts it; by default this system's user.")] = "",
    json: Annotated[bool, flag("--json", help="Write the result as JSON.")] = False,
) -> None:
    """Start a playbook by hand.

    The same guards, approvals and audit hold as for a run that an alert started; whoever starts a run cannot approve
    it, unless the playbook says so. With --wait or --dry-run it exits with 1 unless it ended well or as diagnosed.

    Example: halon run restart-deployment --input namespace=shop --input deployment=cart --dry-run
    """
    settings = settings_of(context)
    sender = sender_of(settings, source) if source else None
    alerts = read_alerts(alert, datetime.now(UTC), sender) if alert else ()
    wanted = _order(settings, playbook, inputs or [], Start(named(settings, by), {}, alerts, dry_run))
    ended = asyncio.run(_carry_out(settings, wanted, follow=wait or dry_run, quiet=json))
    if ended is None:
        _say_started(wanted.incident, as_json=json)
        return
    if json:
        say_json(ended.to_json())
    else:
        style = OUTCOME_STYLES.get(ended.outcome, "")
        say(Text.assemble(styled(ended.outcome or "nothing", style), styled(f": {ended.result.reason}")))
    if not ended.went_well:
        raise typer.Exit(1)


def _say_started(incident: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"incident": incident, "started": True})
    else:
        say(f"started {incident}; see `halon show {incident}`")


def _order(settings: Settings, name: str, inputs: Sequence[str], start: Start) -> Order:
    installed = repertoire(settings)
    playbook = installed.playbook(name)
    return order(installed, playbook, replace(start, inputs=parse_inputs(playbook, inputs)))


async def _carry_out(settings: Settings, wanted: Order, *, follow: bool, quiet: bool) -> Ended | None:
    """Start the incident. Gives what it came to when it is followed."""
    await _demand(settings, wanted)
    client = await connected(settings)
    handle = await carry_out(client, settings.temporal.task_queue, wanted)
    if not follow:
        return None
    async with open_store(settings) as store:
        watch = _Watch(store, wanted.incident, quiet=quiet)
        try:
            result = await watch.follow(handle)
        except asyncio.CancelledError:
            note(f"{wanted.incident} goes on: see `halon show {wanted.incident}`", label="left", style="yellow")
            raise
    return Ended(result, [view for view in map(of_record, watch.records) if view is not None])


async def _demand(settings: Settings, wanted: Order) -> None:
    given = wanted.given
    name = given.playbook.metadata.name
    await demand(settings, given.started_by, Right.RUN, f"start playbook {name}", shared_labels(wanted.alerts))


class _Watch:
    """Shows what happens to an incident, as the audit takes it down."""

    def __init__(self, store: Store, incident: str, *, quiet: bool) -> None:
        self._store = store
        self._incident = incident
        self._quiet = quiet
        self.records: list[StoredRecord] = []

    async def follow(self, handle: "WorkflowHandle[object, IncidentResult]") -> IncidentResult:
        """Wait for the end.

        Raises:
            PermanentError: it has none: the workflow was ended from outside.
        """
        loop = asyncio.get_running_loop()
        late = loop.time() + _LATE.total_seconds()
        ending = asyncio.create_task(handle.result())
        try:
            while not ending.done():
                await asyncio.wait([ending], timeout=_LOOK.total_seconds())
                await self._look()
                if not self.records and loop.time() > late:
                    note("nothing happens yet: is a `halon worker` running?")
                    late = float("inf")
            result = await ending
        except WorkflowFailureError as error:
            raise PermanentError(f"{self._incident} ended without a result: {error.cause}") from error
        finally:
            ending.cancel()
        await self._look()
        return result

    async def _look(self) -> None:
        after = self.records[-1].position if self.records else 0
        for record in await all_records(self._store, self._incident, after):
            self.records.append(record)
            if not self._quiet:
                self._tell(record)

    def _tell(self, record: StoredRecord) -> None:
        actor = f" (by {record.actor})" if record.actor != "halon" else ""
        where = f"{record.step}: " if record.step else ""
        say(Text.assemble((f"{record.at:%H:%M:%S} ", "dim"), styled(f"{where}{record.message}{actor}")))
        view = of_record(record)
        if view is not None:
            say(plan_block(view))
        if record.kind is AuditKind.APPROVAL_ASKED:
            digest = record.data.get("plan") or record.data.get("digest")
            say(*how_to_decide(self._incident, record.step, str(digest or "")))
