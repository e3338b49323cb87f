"""Record histories of every workflow and outcome, for `test_histories.py` to replay against later code.

    make histories NAME=0.2.0

They go into a directory of that name. What is recorded once stays: a history that an older version has written must
replay as long as a run of that version may still be open.
"""

import argparse
import asyncio
import gzip
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "workflows"))

from audience import Stage, critical, staged
from far import FAR_DIM, FAR_LOOK, carried_out, worker_of
from lamp import APPROVED, DIM, GROUP, LOOK, Engine, alert, book, real_server, running, until

from halon.clients.seals import sealer
from halon.contracts.decision import Seal, Verdict
from halon.contracts.ledger import LEDGER_ID, RESUME_UPDATE, TRIP_UPDATE, BreakerCommand, Pause, Resume
from halon.contracts.outcome import Outcome
from halon.contracts.people import Method

HERE = Path(__file__).parent
FIRST = f"{GROUP}-{alert().episode[:8]}"
GUARDED: dict[str, Any] = {
    "target": "stage/lamp",
    "guard": {
        "lock": "target",
        "breaker": {"failures": 2, "within": "1h", "cooldown": "30m"},
        "rate": {"runs": 5, "per": "1h"},
        "budget": {"scope": "stage", "max_targets": 5, "per": "1h"},
    },
}
NEVER: dict[str, Any] = {"id": "never", "verify": {"uses": "lamp.look"}, "until": "${{ false }}", "within": "1s"}
EVERYTHING: list[dict[str, Any]] = [
    {
        "id": "both",
        "parallel": {
            "left": {"steps": [{"id": "see", "uses": "lamp.look"}, {"wait": "1s"}]},
            "right": {"steps": [{"wait": "100ms"}, {"id": "names", "set": {"levels": ["${{ 3 }}", "${{ 4 }}"]}}]},
        },
    },
    {
        "id": "each",
        "for_each": {
            "in": "${{ [5, 6] }}",
            "as": "level",
            "max_items": 3,
            "steps": [{"id": "set", "uses": "lamp.dim", "with": {"to": "${{ level }}"}}],
        },
    },
    {**DIM, "expires": "2s", "approve": {"within": "1m", "remind": "30s"}},
    {"switch": {"cases": [{"if": "${{ vars.levels[0] == 3 }}", "steps": [LOOK]}]}},
    {**LOOK, "id": "again", "hold": "1s"},
]

Scenario = Callable[[Engine], Awaitable[Outcome | None]]


async def remediated(engine: Engine) -> Outcome | None:
    return (await (await engine.fire(book([DIM, LOOK], **GUARDED), alert())).result()).outcome


async def remediated_with_every_kind_of_step(engine: Engine) -> Outcome | None:
    handle = await engine.fire(book(EVERYTHING, **GUARDED, **{"finally": [LOOK]}), alert())
    await engine.waiting(FIRST)
    await engine.run(FIRST).execute_update("decide", {"verdict": "approve", "by": "ana@example.com"})
    return (await handle.result()).outcome


async def remediated_after_repeats_and_a_pause(engine: Engine) -> Outcome | None:
    playbook = book([APPROVED, LOOK], **GUARDED)
    handle = await engine.fire(playbook, alert())
    await engine.waiting(FIRST)
    await engine.fire(playbook, alert(), alert(2))
    await engine.ledger.pause(Pause(by="ben@example.com", reason="the stage is rebuilt"))
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})

    async def held() -> bool:
        return any("Held" in line for line in (await engine.status(FIRST)).story)

    await until(held)
    await engine.ledger.command(RESUME_UPDATE, Resume(by="ben@example.com"))
    return (await handle.result()).outcome


async def remediated_by_the_worker_of_a_cluster(engine: Engine) -> Outcome | None:
    async with worker_of(engine, "cluster:eu-1"):
        return (await carried_out(engine, [FAR_DIM, FAR_LOOK], **GUARDED)).outcome


async def failed_for_want_of_a_worker(engine: Engine) -> Outcome | None:
    late = {**FAR_DIM, "with": {"to": 1, "cluster": "${{ vars.where }}"}}
    return (await carried_out(engine, [{"set": {"where": "eu-2"}}, late], **GUARDED)).outcome


async def unverified(engine: Engine) -> Outcome | None:
    return (await (await engine.fire(book([DIM]), alert())).result()).outcome


async def unnecessary(engine: Engine) -> Outcome | None:
    engine.lamp.level = 1
    return (await (await engine.fire(book([DIM, LOOK]), alert())).result()).outcome


async def diagnosed(engine: Engine) -> Outcome | None:
    found = {"id": "found", "stop": {"outcome": "diagnosed", "reason": "the lamp is as it should be"}}
    return (await (await engine.fire(book([{"id": "seen", "uses": "lamp.look"}, found]), alert())).result()).outcome


async def resolved(engine: Engine) -> Outcome | None:
    playbook = book([APPROVED, LOOK])
    handle = await engine.fire(playbook, alert())
    await engine.waiting(FIRST)
    await engine.fire(playbook, alert(resolved=True))
    return (await handle.result()).outcome


async def refused(engine: Engine) -> Outcome | None:
    trip = BreakerCommand(by="ana@example.com", reason="it made things worse", key="dim")
    await engine.ledger.command(TRIP_UPDATE, trip)
    return (await (await engine.fire(book([DIM, LOOK], **GUARDED), alert())).result()).outcome


async def denied(engine: Engine) -> Outcome | None:
    handle = await engine.fire(book([APPROVED, LOOK], **GUARDED), alert())
    await engine.waiting(FIRST)
    await engine.signal(FIRST, "deny", {"by": "ana@example.com", "comment": "not now"})
    return (await handle.result()).outcome


async def expired(engine: Engine) -> Outcome | None:
    asks = {**DIM, "approve": {"within": "1s"}}
    return (await (await engine.fire(book([asks, LOOK]), alert())).result()).outcome


async def undone(engine: Engine) -> Outcome | None:
    return (await (await engine.fire(book([DIM, NEVER], **GUARDED), alert())).result()).outcome


async def failed(engine: Engine) -> Outcome | None:
    stays = {**DIM, "undo": "never"}
    return (await (await engine.fire(book([stays, NEVER], **GUARDED), alert())).result()).outcome


async def cancelled(engine: Engine) -> Outcome | None:
    handle = await engine.fire(book([DIM, {"wait": "10m"}], **GUARDED), alert())

    async def dimmed() -> bool:
        return bool(engine.lamp.writes)

    await until(dimmed)
    await handle.cancel()
    return (await handle.result()).outcome


async def dry_run(engine: Engine) -> Outcome | None:
    handle = await engine.by_hand(book([DIM, LOOK], **GUARDED), dry_run=True)
    result = await handle.result()
    return Outcome(result.outcome)


async def handled_already(engine: Engine) -> Outcome | None:
    playbook = book([DIM, LOOK])
    await (await engine.fire(playbook, alert())).result()
    return (await (await engine.fire(playbook, alert())).result()).outcome


async def too_few_alerts(engine: Engine) -> Outcome | None:
    trigger = {"alerts": ["LampTooBright"], "group_by": ["service"], "after": {"count": 2, "within": "1s"}}
    return (await (await engine.fire(book([DIM], trigger=trigger), alert())).result()).outcome


WITH_PEOPLE = """
people:
  ana: {email: ana@example.com, channels: [ana-phone]}
  ben: {channels: [ben-phone]}
  cyd: {}
groups: {light: {members: [ana, ben]}}
roles:
  responder: {may: [read, decide], to: [group:light]}
  owner: {may: [break_glass], to: [cyd]}
communication:
  threads: [stage]
  tickets: [tickets]
  gather: 1s
  patience: 2s
  per_minute: 2
  page: [{severities: [critical], to: [group:light], acknowledge: {within: 2s, then: [{to: [ben], within: 10m}]}}]
"""


async def remediated_by_a_quorum_that_was_asked_by_escalation(stage: Stage) -> Outcome | None:
    asks = {"within": "1m", "from": ["ana"], "quorum": 2, "escalate": {"after": "1s", "to": ["group:light"]}}
    handle = await stage.fire(book([{**DIM, "approve": asks}, LOOK], **GUARDED), critical())
    gate = (await stage.engine.waiting(FIRST)).gates[0]
    run = stage.engine.run(FIRST)
    said = Seal(
        run=run.id,
        verdict=Verdict.APPROVE,
        by="ana",
        method=Method.LINK,
        step=gate.step,
        plan=gate.digest,
        id="a-seal-that-is-recorded",
        expires_at=datetime.now(UTC) + timedelta(minutes=5),
    )
    seal = sealer(stage.settings).seal(said)
    fields = {"by": "ana", "plan": gate.digest, "step": gate.step}
    await run.signal("approve", {"by": "cyd"})
    await run.execute_update("decide", {**fields, "verdict": "approve", "seal": seal})
    await run.signal("approve", {**fields, "seal": seal})

    async def escalated() -> bool:
        return len((await stage.engine.status(FIRST)).gates[0].electorate.electors) > 1

    await until(escalated)
    await run.execute_update("decide", {"verdict": "approve", "by": "ben"})
    return (await handle.result()).outcome


async def remediated_by_breaking_the_glass(stage: Stage) -> Outcome | None:
    asks = {"within": "1m", "from": ["group:light"], "quorum": 2}
    handle = await stage.fire(book([{**DIM, "approve": asks}, LOOK], **GUARDED), alert())
    await stage.engine.waiting(FIRST)
    glass = {"verdict": "approve", "by": "cyd", "break_glass": True, "comment": "all asleep"}
    await stage.engine.run(FIRST).execute_update("decide", glass)
    return (await handle.result()).outcome


async def refused_for_want_of_people(stage: Stage) -> Outcome | None:
    asks = {"within": "1m", "from": ["nobody@example.com"]}
    handle = await stage.fire(book([{**DIM, "approve": asks}, LOOK]), alert())
    return (await handle.result()).outcome


PEOPLES: dict[str, tuple[Callable[[Stage], Awaitable[Outcome | None]], Outcome]] = {
    "remediated-escalated": (remediated_by_a_quorum_that_was_asked_by_escalation, Outcome.REMEDIATED),
    "remediated-glass": (remediated_by_breaking_the_glass, Outcome.REMEDIATED),
    "expired-nobody": (refused_for_want_of_people, Outcome.EXPIRED),
}
"""Those whose people are named in halon.yaml, and told."""


SCENARIOS: dict[str, tuple[Scenario, Outcome | None]] = {
    "remediated": (remediated, Outcome.REMEDIATED),
    "remediated-every-step": (remediated_with_every_kind_of_step, Outcome.REMEDIATED),
    "remediated-paused": (remediated_after_repeats_and_a_pause, Outcome.REMEDIATED),
    "remediated-far": (remediated_by_the_worker_of_a_cluster, Outcome.REMEDIATED),
    "failed-nobody": (failed_for_want_of_a_worker, Outcome.FAILED),
    "unverified": (unverified, Outcome.UNVERIFIED),
    "unnecessary": (unnecessary, Outcome.UNNECESSARY),
    "diagnosed": (diagnosed, Outcome.DIAGNOSED),
    "resolved": (resolved, Outcome.RESOLVED),
    "refused": (refused, Outcome.REFUSED),
    "denied": (denied, Outcome.DENIED),
    "expired": (expired, Outcome.EXPIRED),
    "undone": (undone, Outcome.UNDONE),
    "failed": (failed, Outcome.FAILED),
    "cancelled": (cancelled, Outcome.CANCELLED),
    "dry_run": (dry_run, Outcome.DRY_RUN),
    "handled-already": (handled_already, None),
    "too-few-alerts": (too_few_alerts, Outcome.REFUSED),
}


async def record(directory: Path) -> None:
    """Play every scenario on a server of its own and write down what it leaves behind."""
    for name, (scenario, outcome) in SCENARIOS.items():
        with tempfile.TemporaryDirectory() as scratch:
            async with running(Path(scratch), await real_server()) as engine:
                async with asyncio.timeout(60):
                    found = await scenario(engine)
                if found is not outcome:
                    raise SystemExit(f"{name} came to {found}, not {outcome}")
                await asyncio.sleep(timedelta(seconds=3).total_seconds())  # what the ledger is told last
                await _write(engine, directory, name)
        sys.stdout.write(f"{name}\n")
    for name, (scene, outcome) in PEOPLES.items():
        with tempfile.TemporaryDirectory() as scratch:
            async with staged(Path(scratch), WITH_PEOPLE, await real_server()) as stage:
                async with asyncio.timeout(90):
                    found = await scene(stage)
                if found is not outcome:
                    raise SystemExit(f"{name} came to {found}, not {outcome}")
                await asyncio.sleep(timedelta(seconds=6).total_seconds())  # what people are told last
                await _write(stage.engine, directory, name)
        sys.stdout.write(f"{name}\n")


async def _write(engine: Engine, directory: Path, name: str) -> None:
    numbers: Counter[str] = Counter()
    async for execution in engine.client.list_workflows():
        kind = {LEDGER_ID: "ledger"}.get(execution.id, execution.workflow_type.lower())
        numbers[kind] += 1
        handle = engine.client.get_workflow_handle(execution.id, run_id=execution.run_id)
        history = (await handle.fetch_history()).to_json()
        path = directory / f"{name}.{kind}.{numbers[kind]}.json.gz"
        # Without the time in the header, the same history is the same file.
        path.write_bytes(gzip.compress(f"{execution.id}\n{history}".encode(), mtime=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name", help="the version that writes them")
    wanted = HERE / parser.parse_args().name
    wanted.mkdir()
    asyncio.run(record(wanted))
