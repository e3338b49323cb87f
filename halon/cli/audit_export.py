"""`halon audit export`: all that is known of one incident, as one file that proves itself."""

import asyncio
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from halon.cli.access import demand, demand_at, named
from halon.cli.connections import connected
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, note, say, say_json
from halon.contracts.incident import IncidentRow
from halon.contracts.people import Method, Principal, Right
from halon.core.ids import incident_of, run_id
from halon.errors import HalonError, InvalidInput, Misconfigured, NotFound
from halon.operations.denials import Attempt
from halon.settings import Settings
from halon.store.archive import Manifest, Staging
from halon.store.export import Provenance
from halon.store.keys import audit_key
from halon.store.signing import AuditKey
from halon.store.store import Store, open_store

MAX_EXECUTIONS = 200
"""Executions of one workflow that are followed: each continues the one before."""


def export(
    context: typer.Context,
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="Id, or its unique beginning.")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The archive; default: INCIDENT.tar here.")
    ] = None,
    force: Annotated[bool, flag("--force", help="Replace the file when it is there.")] = False,
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who does it; by default the user of this system.")
    ] = "",
    json: Annotated[bool, flag("--json", help="Write what was exported as JSON.")] = False,
) -> None:
    """Export an incident as one archive: records, plans, evidence, Temporal's histories, signatures.

    It verifies by itself, with `halon audit verify ARCHIVE --public-key KEY` or with sha256sum and openssl alone.
    Where a signing key is at hand, the chain is signed up to the incident first, and the archive as well.

    Example: halon audit export crashloop-rollback-3f9a1c07de -o incident.tar
    """
    settings = settings_of(context)
    target, manifest = asyncio.run(_exported(settings, incident, output, by, force=force))
    for one in manifest.missing:
        note(f"not in the archive: {one}")
    if not manifest.head_key:
        note("no signature covers the incident: the archive proves only that it fits together")
    elif not manifest.archive_key:
        note("the archive itself is not signed: `audit.signing_key` is not at hand here")
    if json:
        say_json({"archive": str(target), **manifest.model_dump(mode="json")})
    else:
        say(f"{target}: {counted(manifest.records, 'record')} of {manifest.incident}")


async def _exported(
    settings: Settings, text: str, output: Path | None, by: str, *, force: bool
) -> tuple[Path, Manifest]:
    key = _key_at_hand(settings)
    async with open_store(settings) as store:
        incident, row = await _found(store, text)
        await _demand(settings, by, incident, known=row is not None)
        target = output or Path(f"{incident}.tar")
        if target.exists() and not force:
            raise InvalidInput(f"{target} is there already: name another one with --output, or say --force")
        if key is not None:
            await store.signatures.sign(key, settings.environment, datetime.now(UTC))
        histories, missing = await _histories(settings, row) if row else ({}, [])
        keys = [*settings.audit.public_keys, *([key.public] if key else [])]
        provenance = Provenance.of(settings.environment, key, keys)
        with tempfile.TemporaryDirectory(prefix="halon-export-") as directory:
            staging = Staging(Path(directory))
            manifest = await store.export.stage(staging, incident, provenance, histories, missing)
            try:
                await asyncio.to_thread(staging.write, target, key)
            except OSError as error:
                raise Misconfigured(f"{target} cannot be written: {error.strerror}") from error
    return target, manifest


async def _demand(settings: Settings, by: str, incident: str, *, known: bool) -> None:
    """Ask for the right to read, of whoever is named; what is no incident belongs to none."""
    if not settings.people:
        return
    who = named(settings, by)
    if known:
        claimed = Principal(person=who, method=Method.CLAIMED)
        await demand_at(settings, Attempt(claimed, Right.READ, f"export {incident}", incident))
    else:
        await demand(settings, who, Right.READ, f"export {incident}")


def _key_at_hand(settings: Settings) -> AuditKey | None:
    """Give the key that signs. Where people export it need not be: workers sign the heads."""
    try:
        return audit_key(settings)
    except Misconfigured as error:
        note(str(error))
        return None


async def _found(store: Store, text: str) -> tuple[str, IncidentRow | None]:
    """Give the whole id, and the row when it is an incident: other chains have records too."""
    incident = incident_of(text.strip())
    try:
        row = await store.incidents.get(incident)
    except NotFound:
        if await store.audit.records(incident, limit=1):
            return incident, None
        raise
    return row.id, row


async def _histories(settings: Settings, row: IncidentRow) -> tuple[dict[str, bytes], list[str]]:
    """Give what Temporal has of an incident's workflows, by their ids, and what it has not."""
    runs = [run_id(row.id, ordinal) for ordinal in range(1, max(1, row.runs) + 1)]
    try:
        client = await connected(settings)
    except HalonError as error:
        note(str(error))
        return {}, [f"the histories of {', '.join([row.workflow_id, *runs])}: Temporal did not answer"]
    found: dict[str, bytes] = {}
    missing: list[str] = []
    for workflow, execution in [(row.workflow_id, row.run_id), *((run, "") for run in runs)]:
        try:
            found |= await _executions(client, workflow, execution)
        except RPCError as error:
            gone = error.status is RPCStatusCode.NOT_FOUND
            reason = "Temporal has it no more" if gone else f"Temporal did not give it: {error.message}"
            missing.append(f"the history of {workflow}: {reason}")
    return found, missing


async def _executions(client: Client, workflow: str, execution: str) -> dict[str, bytes]:
    """Give the history of an execution, and of those that continue it, as JSON."""
    found: dict[str, bytes] = {}
    while len(found) < MAX_EXECUTIONS:
        handle = client.get_workflow_handle(workflow, run_id=execution or (await _latest(client, workflow)))
        history = await handle.fetch_history()
        # Temporal's maps come in any order: sorted, the same history is the same bytes.
        found[f"{workflow} {handle.run_id}"] = json.dumps(json.loads(history.to_json()), sort_keys=True).encode()
        last = history.events[-1] if history.events else None
        execution = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id if last else ""
        if not execution:
            break
    return found


async def _latest(client: Client, workflow: str) -> str:
    return (await client.get_workflow_handle(workflow).describe()).run_id
