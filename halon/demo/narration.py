"""How the demonstration speaks: short sentences for somebody who has just been woken."""

import json
import shlex
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from rich.status import Status
from rich.table import Table
from rich.text import Text

from halon.cli.engine import Engine
from halon.cli.output import OUTCOME_STYLES, console, counted, say, say_whole, styled
from halon.cli.plans import plan_block
from halon.cli.timeline import style_of, timeline
from halon.clients.embedded import server_binary
from halon.contracts.audit import AuditKind, StoredRecord
from halon.contracts.base import JsonObject
from halon.contracts.run import OpenGate
from halon.core.ids import run_id
from halon.demo import scene
from halon.demo.cluster import DemoCluster
from halon.operations.plans import of_plan
from halon.operations.showing import Shown
from halon.store.verification import VerifyReport

_YOU = "you@example.com"
_KIND_WIDTH = max(len(kind.value) for kind in AuditKind)
_LATER = {AuditKind.RUN_STARTED, AuditKind.STEP_STARTED, AuditKind.STEP_SKIPPED, AuditKind.STEP_FINISHED}


def opening() -> None:
    """Say what is going on while everything starts."""
    _heading("Halon, a demonstration")
    say("  starting Temporal, gateway and worker, and a small Kubernetes cluster …")


def scenery(engine: Engine, config: Path, cluster: DemoCluster) -> None:
    """Say where everything is."""
    _fact("web UI", engine.ui_url, "cyan")
    _fact("gateway", engine.gateway_url)
    _fact("cluster", f"{cluster.url}, kubeconfig {cluster.kubeconfig}")
    _fact("settings", str(config))


def cluster_now(cluster: DemoCluster, heading: str, pod: str = "") -> None:
    """Say how the Deployment stands."""
    _heading(heading)
    now = scene.rollout(cluster)
    whole = (now.ready, now.updated) == (now.wanted, now.wanted) and not pod
    text = f"{now.image}: {now.updated} of {now.wanted} pods are of this release; {now.ready} pods are ready"
    _fact(f"{scene.NAMESPACE}/{scene.NAME}", text, "green" if whole else "red")
    if pod:
        _fact("pod", f"{pod}: CrashLoopBackOff", "red")


def alert_sent(url: str, body: JsonObject, answer: httpx.Response) -> None:
    """Show what was sent, and what the gateway said."""
    _heading("Alertmanager sends its webhook")
    _fact("POST", url)
    labels = body["commonLabels"]
    if isinstance(labels, dict):
        _fact("alert", "  ".join(f"{name}={value}" for name, value in labels.items()))
    _fact("answer", f"{answer.status_code} {answer.reason_phrase}: Temporal has it", "green")
    _heading("What Halon does")


def event(record: StoredRecord) -> None:
    """Tell one thing that happened; what is only of interest afterwards is left to the timeline."""
    if record.kind in _LATER:
        return
    step = f"{record.step}: " if record.step else ""
    message = styled(f"{step}{record.message}" + ("" if record.actor == "halon" else f" (by {record.actor})"))
    row = Table.grid("", "", "", padding=(0, 2))
    row.columns[1].width = _KIND_WIDTH
    row.add_row(Text(f"  {record.at:%H:%M:%S}", "dim"), styled(record.kind.value, style_of(record.kind)), message)
    say(row)


def question(gate: OpenGate, incident: str, engine: Engine, config: Path, *, unattended: bool) -> None:
    """Show the plan that waits, and every way to answer."""
    say("")
    say(*(plan_block(of_plan(plan)) for plan in gate.plans))
    say("")
    if unattended:
        say(Text("  --approve auto: approved without asking", style="bold yellow"), "")
        return
    digest = gate.digest[:12]
    workflow = run_id(incident)
    ends = gate.asked_at + gate.within
    say(Text(f"  Waiting for you, until {ends:%H:%M:%S} UTC. Approve in one of three ways:", style="bold yellow"))
    say("", Text("  1  in a browser", style="bold"))
    say_whole(Text(f"{engine.ui_url}/namespaces/default/workflows/{workflow}", style="cyan"))
    decision = json.dumps({"verdict": "approve", "by": _YOU, "plan": digest})
    say("     More Actions > Send an Update > decide, and as its input:")
    say_whole(Text(decision, style="green"))
    say("", Text("  2  with Halon's command", style="bold"))
    approve = [
        _program(Path(sys.executable).with_name("halon")),
        "--config",
        str(config),
        "approve",
        incident,
        "--by",
        _YOU,
        "--plan",
        digest,
    ]
    say_whole(Text(shlex.join(approve), style="green"))
    say("", Text("  3  with Temporal's command", style="bold"))
    signal = [
        _program(Path(server_binary())),
        "workflow",
        "signal",
        "--address",
        engine.address,
        "--workflow-id",
        workflow,
    ]
    given = json.dumps({"by": _YOU, "plan": digest})
    say_whole(Text(shlex.join([*signal, "--name", "approve", "--input", given]), style="green"))
    say("", Text("  To refuse: deny instead of approve. Ctrl-C ends the demonstration.", style="dim"), "")


def closing(shown: Shown, report: VerifyReport) -> None:
    """Show the timeline, how it ended, and whether the record of it is whole."""
    _heading("The timeline, from the audit chain")
    say(timeline(shown.records))
    whole = styled("whole", "bold green") if report.ok else styled("broken", "bold red")
    say("", Text.assemble("audit chain ", whole, f": {counted(report.records, 'record')}, anchor {report.anchor}"))
    outcome = styled(shown.row.outcome, OUTCOME_STYLES.get(shown.row.outcome, "bold"))
    took = (shown.row.closed_at or shown.row.opened_at) - shown.row.opened_at
    text = f": {shown.row.reason}; closed {took.total_seconds():.0f} s after it was opened"
    say(Text.assemble("outcome     ", outcome, styled(text)))


def result(shown: Shown, report: VerifyReport) -> JsonObject:
    """Give how it ended, for programs."""
    return {
        "incident": shown.row.id,
        "outcome": shown.row.outcome,
        "reason": shown.row.reason,
        "audit": {"ok": report.ok, "records": report.records, "anchor": report.anchor},
    }


def keeps(engine: Engine) -> None:
    """Say that everything goes on running."""
    say("", Text(f"Everything keeps running: look around at {engine.ui_url}. Ctrl-C ends it.", style="bold"))


def stops() -> None:
    """Say that everything is being stopped."""
    say(Text("stopping everything …", style="dim"))


def logs(directory: Path) -> None:
    """Say where to look when it went wrong."""
    say(f"settings, data and logs are kept in {directory}")


class Waiting:
    """A line at the bottom of a terminal that says what is waited for. In a pipe it says nothing."""

    def __init__(self) -> None:
        self._status = Status("", console=console()) if sys.stdout.isatty() else None

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    @contextmanager
    def paused(self, now: bool) -> Generator[None]:  # noqa: FBT001  # reads as a sentence where it is called
        """Take the line away, `now` or not at all, while something else is written."""
        if self._status is None or not now:
            yield
            return
        self._status.stop()
        try:
            yield
        finally:
            self._status.start()

    def show(self, gate: OpenGate | None) -> None:
        """Say what is waited for now."""
        if self._status is None:
            return
        if gate is None:
            self._status.update("Halon is at work")
            return
        left = gate.asked_at + gate.within - datetime.now(UTC)
        minutes, seconds = divmod(max(0, round(left.total_seconds())), 60)
        self._status.update(Text(f"waiting for your approval of {gate.step}: {minutes}:{seconds:02} left"))


def _heading(text: str) -> None:
    say("", Text(text, style="bold"))


def _fact(name: str, value: str, style: str = "") -> None:
    say_whole(Text.assemble((f"  {name:<10} ", "dim"), styled(value, style)))


def _program(path: Path) -> str:
    """Give what a person types in any other terminal: the name alone where that finds the same program."""
    found = shutil.which(path.name)
    return path.name if found is not None and Path(found).samefile(path) else str(path)
