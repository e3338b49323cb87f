"""`halon demo`: the whole engine, a small cluster, a bad release, and what becomes of it, told as it happens.

Nothing here knows how it ends: what is shown is read from the store and from the run itself, as `halon show` does.
"""

import asyncio
import contextlib
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

import yaml

import worker
from halon.cli.decisions import decide
from halon.cli.engine import Engine, running
from halon.cli.output import say_json
from halon.cli.show import look
from halon.clients.embedded import free_port
from halon.contracts.audit import AuditKind
from halon.contracts.decision import Verdict
from halon.contracts.outcome import Outcome
from halon.contracts.run import Decide, OpenGate
from halon.demo import narration, scene
from halon.demo.cluster import DemoCluster
from halon.errors import TransientError
from halon.operations.showing import Shown
from halon.settings import Settings, load_settings
from halon.store.store import open_store
from halon.telemetry import configure_logs

SOURCE = "alertmanager"
APPROVER = "demo@example.com"
UNATTENDED = timedelta(seconds=90)
"""How long a story may take in which nobody is waited for."""
_BY_SIGNAL = 128
_LOOK = timedelta(milliseconds=200)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How it is to be told."""

    approve: bool
    keep: bool
    result: TextIO | None
    """Where its end goes as JSON."""


def run(*, approve: bool, keep: bool, json: bool) -> int:
    """Tell the story; gives the exit code, 0 when the remediation ended as `remediated`.

    With `approve` nobody is asked. With `keep` everything goes on running afterwards, until Ctrl-C. With `json` the
    story is for standard error, and its end for standard output.
    """
    wanted = _Wanted(approve=approve, keep=keep, result=sys.stdout if json else None)
    with contextlib.redirect_stdout(sys.stderr if json else sys.stdout):
        return asyncio.run(_until_told_to_end(wanted))


async def _until_told_to_end(wanted: _Wanted) -> int:
    """Tell it, until Ctrl-C or SIGTERM; then put everything away, however often that comes again."""
    telling = asyncio.create_task(_stage(wanted))
    ended_by: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        if not ended_by:
            telling.cancel()
        ended_by.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end, number)
    try:
        return await telling
    except asyncio.CancelledError:
        if not ended_by:
            raise
        return _BY_SIGNAL + ended_by[0]


async def _stage(wanted: _Wanted) -> int:
    """Tell it in a directory of its own, which stays only when something went wrong."""
    directory = Path(tempfile.mkdtemp(prefix="halon-demo-"))
    failed = True
    try:
        code = await _staged(directory, wanted)
        failed = code != 0
    except asyncio.CancelledError:
        failed = False
        raise
    finally:
        if failed:
            narration.logs(directory)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return code


async def _staged(directory: Path, wanted: _Wanted) -> int:
    """Set everything up, tell the story, and put everything away."""
    async with DemoCluster() as cluster:
        token = secrets.token_urlsafe(24)
        config = _configure(directory, cluster, token)
        settings = load_settings(config)
        configure_logs("demo", settings)
        narration.opening()
        async with running(settings, config, json=False, logs=directory) as engine:
            try:
                play = _Play(settings, config, engine, cluster, token)
                code = await _or_failure(engine, play.told(wanted))
                if wanted.keep:
                    narration.keeps(engine)
                    await engine.failed()
            finally:
                narration.stops()
    return code


async def _or_failure(engine: Engine, story: Coroutine[None, None, int]) -> int:
    """Give the story's end, or the failure of a process that it needs."""
    telling, failed = asyncio.create_task(story), asyncio.create_task(engine.failed())
    try:
        await asyncio.wait([telling, failed], return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
        return await telling
    finally:
        for task in (telling, failed):
            task.cancel()
        await asyncio.gather(telling, failed, return_exceptions=True)


def _configure(directory: Path, cluster: DemoCluster, token: str) -> Path:
    """Write the halon.yaml of the demonstration; it is an ordinary one."""
    secret = directory / "alertmanager.token"
    secret.touch(mode=0o600)
    secret.write_text(token)
    document = {
        "environment": "demonstration",
        "data_dir": "data",
        "playbooks": [str(Path(worker.__file__).parent / "playbooks" / "kubernetes")],
        "temporal": {
            "address": f"127.0.0.1:{free_port()}",
            "ui_url": f"http://127.0.0.1:{free_port()}",
        },
        "gateway": {
            "port": free_port(),
            "sources": {SOURCE: {"type": "alertmanager", "auth": {"bearer": {"file": secret.name}}}},
        },
        "kubernetes": {"default": "demo", "clusters": {"demo": {"kubeconfig": str(cluster.kubeconfig)}}},
        "telemetry": {"log_format": "console"},
    }
    config = directory / "halon.yaml"
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    return config


@dataclass(frozen=True, slots=True)
class _Play:
    """What the story is told of."""

    settings: Settings
    config: Path
    engine: Engine
    cluster: DemoCluster
    token: str

    async def told(self, wanted: _Wanted) -> int:
        """Tell it from the first release to the proof of the audit chain; gives the exit code."""
        narration.scenery(self.engine, self.config, self.cluster)
        await scene.release(self.cluster)
        narration.cluster_now(self.cluster, "A Deployment, as it should be")
        pod = await scene.break_it(self.cluster)
        narration.cluster_now(self.cluster, "A bad release of it", pod)
        body = scene.alert(pod, datetime.now(UTC))
        url = f"{self.engine.gateway_url}/v1/alerts/{SOURCE}"
        answer = await scene.send(url, self.token, body)
        narration.alert_sent(url, body, answer)
        shown = await self._watched(await self._incident(), approve=wanted.approve)
        narration.cluster_now(self.cluster, "The cluster now")
        async with open_store(self.settings) as store:
            report = await store.audit.verify()
        narration.closing(shown, report)
        if wanted.result is not None:
            with contextlib.redirect_stdout(wanted.result):
                say_json(narration.result(shown, report))
        return 0 if shown.row.outcome == Outcome.REMEDIATED and report.ok else 1

    async def _incident(self) -> str:
        """Wait until the alert has opened an incident; gives its id."""
        async with asyncio.timeout(UNATTENDED.total_seconds()), open_store(self.settings) as store:
            while not (rows := await store.incidents.list()):  # noqa: ASYNC110  # another process writes it
                await asyncio.sleep(_LOOK.total_seconds())
            return rows[0].id

    async def _watched(self, incident: str, *, approve: bool) -> Shown:
        """Tell what happens until the incident is closed. Gives how it stands then."""
        told, asked = 0, ""
        loop = asyncio.get_running_loop()
        with narration.Waiting() as waiting:
            deadline = loop.time() + UNATTENDED.total_seconds()
            while True:
                shown = await look(self.settings, incident)
                fresh = shown.records[told:]
                told = len(shown.records)
                gate = _asked(shown)
                with waiting.paused(bool(fresh)):
                    for record in fresh:
                        narration.event(record)
                    if gate is not None and gate.digest != asked:
                        asked = gate.digest
                        narration.question(gate, incident, self.engine, self.config, unattended=approve)
                        if approve:
                            await self._approve(incident, gate)
                if shown.row.state == "closed":
                    return shown
                if approve and loop.time() > deadline:
                    raise TransientError(f"incident {incident} does not end")
                waiting.show(gate)
                await asyncio.sleep(_LOOK.total_seconds())

    async def _approve(self, incident: str, gate: OpenGate) -> None:
        given = Decide(verdict=Verdict.APPROVE, by=APPROVER, comment="--approve auto", plan=gate.digest, step=gate.step)
        await decide(self.settings, incident, given)


def _asked(shown: Shown) -> OpenGate | None:
    """The question that waits, once the record of its being asked has been seen: the run is ahead of its records."""
    told = [record for record in shown.records if record.kind is AuditKind.APPROVAL_ASKED]
    for gate in shown.run.gates if shown.run else ():
        if any(record.step == gate.step and record.at >= gate.asked_at for record in told):
            return gate
    return None
