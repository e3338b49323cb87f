"""A storm of alerts against the whole engine on this machine, and an unrelated incident in the midst of it.

    make storm                 # 100,000 alerts in a minute, of which 1,000 differ, for 50 causes
    make storm ALERTS=10000    # a sample: fewer in the same minute

Starts `halon up` with a demonstration cluster. Measures how long an unrelated alert takes to the first write that the
cluster records, idle and in the storm, and what memory the gateway takes meanwhile. Half of the storm comes in bodies
of one alert and half in bodies of twenty, from a process of its own. Afterwards it counts from outside: an incident and
a write for each cause, and every alert that was answered with 2xx in the audit.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from benchmarks.compare import Bench, cpu_of, deployment, free_port, ready

DISTINCT = 1000
CAUSES = 50
BATCH = 20
CONNECTIONS = 32
PERIOD = 60.0
PLAYBOOK = """\
apiVersion: halon/v1
kind: Playbook
metadata: {{name: {name}, title: Scale for the benchmark, owner: benchmarks}}
trigger: {{alerts: [{alert}], group_by: [deployment]}}
steps:
  - id: scale
    uses: kubernetes.scale_deployment
    with: {{namespace: bench, name: "${{{{ alert.labels.deployment }}}}", replicas: 1}}
  - id: healthy
    verify:
      uses: kubernetes.rollout_status
      with: {{namespace: bench, name: "${{{{ alert.labels.deployment }}}}"}}
    until: ${{{{ result.complete }}}}
    every: 500ms
    within: 1m
"""


def body(numbers: list[int]) -> bytes:
    """Alertmanager's webhook for alerts of the storm."""
    alerts = [
        {
            "status": "firing",
            "labels": {
                "alertname": "Storm",
                "namespace": "bench",
                "deployment": f"storm-{number % CAUSES}",
                "pod": f"storm-{number % CAUSES}-{number}",
                "job": "kube-state-metrics",
                "severity": "warning",
            },
            "annotations": {"summary": "Pod is crash looping.", "description": "Pod has been restarting for a while."},
            "startsAt": "2026-01-02T03:04:05.678Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
            "fingerprint": f"{number:016x}",
        }
        for number in numbers
    ]
    envelope = {"version": "4", "groupKey": "storm", "status": "firing", "receiver": "halon", "truncatedAlerts": 0}
    more = {"groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": ""}
    return json.dumps({**envelope, **more, "alerts": alerts}).encode()


class Generator:
    """Sends the storm at an even pace over connections that stay open, as cheaply as may be."""

    def __init__(self, port: int, alerts: int) -> None:
        self._port = port
        chance = random.Random(7)  # noqa: S311  # the same storm each time
        numbers = [*range(DISTINCT), *(chance.randrange(DISTINCT) for _ in range(alerts - DISTINCT))][:alerts]
        singles = numbers[: alerts // 2]
        rest = numbers[alerts // 2 :]
        requests = [[one] for one in singles] + [rest[i : i + BATCH] for i in range(0, len(rest), BATCH)]
        first = min(DISTINCT, len(singles))
        later = requests[first:]
        chance.shuffle(later)
        self._requests = [*requests[:first], *later]
        self._next = 0
        self.statuses: Counter[str] = Counter()
        self.accepted = 0
        self.without_retry_after = 0
        self.delays: list[float] = []

    async def send(self) -> None:
        """Send all."""
        self._begun = time.monotonic()
        await asyncio.gather(*(self._connection() for _ in range(CONNECTIONS)))
        self.took = time.monotonic() - self._begun

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while self._next < len(self._requests):
            index = self._next
            self._next += 1
            early = self._begun + PERIOD * index / len(self._requests) - time.monotonic()
            if early > 0:
                await asyncio.sleep(early)
            content = body(self._requests[index])
            while not await self._answered(reader, writer, content, len(self._requests[index])):  # noqa: ASYNC110  # a sender
                await asyncio.sleep(1)
        writer.close()

    async def _answered(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes, alerts: int
    ) -> bool:
        begun = time.monotonic()
        writer.write(
            b"POST /v1/alerts/alertmanager HTTP/1.1\r\nhost: storm\r\nauthorization: Bearer bench\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(content) + content
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        self.delays.append(time.monotonic() - begun)
        status = head[9:12].decode()
        self.statuses[status] += 1
        if status.startswith("2"):
            self.accepted += alerts
            return True
        if status not in {"429", "503"}:
            raise RuntimeError(head.decode())
        self.without_retry_after += b"retry-after: " not in head
        return False

    def told(self) -> dict[str, Any]:
        """What was sent and answered."""
        cuts = statistics.quantiles(self.delays, n=100)
        return {
            "alerts": self.accepted,
            "requests": len(self._requests),
            "seconds": round(self.took, 1),
            "alerts_a_second": round(self.accepted / self.took),
            "statuses": dict(self.statuses),
            "refused_without_retry_after": self.without_retry_after,
            "answer_ms": {"p50": cuts[49] * 1000, "p99": cuts[98] * 1000, "max": max(self.delays) * 1000},
        }


def generate(port: int, alerts: int) -> None:
    """Be the process that sends."""
    generator = Generator(port, alerts)
    asyncio.run(generator.send())
    print(json.dumps(generator.told()))


def parts(pid: int) -> dict[str, int]:
    """The processes that `halon up` runs, by what they are: of those that watch over others, the others."""
    parents: dict[int, int] = {}
    words: dict[int, list[str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
    found: dict[str, int] = {}
    for one in sorted(words):
        above = one
        while above in parents and above != pid:
            above = parents[above]
        if above != pid or one == pid:
            continue
        name = next((name for name in ("gateway", "worker") if name in words[one]), "temporal")
        if name not in found or resident(one) > resident(found[name]):
            found[name] = one
    return found


def resident(pid: int) -> float:
    """Megabytes that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Unrelated(Bench):
    """The incident that has nothing to do with the storm."""

    def body(self, deployment: str) -> dict[str, Any]:
        """Alertmanager's webhook for one alert."""
        return super().body(deployment)

    async def sampled(self, names: list[str], pause: float, while_: asyncio.Task[Any] | None = None) -> list[float]:
        """Milliseconds from the alert to its first write, for one after the other."""
        found: list[float] = []
        async with httpx.AsyncClient(timeout=30) as http:
            for name in names:
                if while_ is not None and while_.done():
                    break
                found.append(await self.latency(http, name))
                await asyncio.sleep(pause)
        return found


def summary(samples: list[float]) -> dict[str, float]:
    """The figures that are told of a series of milliseconds."""
    return {
        "samples": len(samples),
        "median_ms": round(statistics.median(samples), 1),
        "p90_ms": round(statistics.quantiles(samples, n=10)[-1], 1),
        "max_ms": round(max(samples), 1),
    }


def audited(database: Path) -> dict[str, Any]:
    """What the audit says, read past the engine."""
    with sqlite3.connect(database) as connection:
        bodies = [json.loads(row[0]) for row in connection.execute("SELECT body FROM records")]
        incidents = connection.execute(
            "SELECT COUNT(*) FROM incidents WHERE playbook = 'storm' AND state = 'closed'"
        ).fetchone()[0]
    storm = [one for one in bodies if one["data"].get("alert", "Storm") == "Storm"]
    single = Counter(
        one["kind"] for one in storm if one["kind"] in {"alert.received", "alert.resolved", "alert.suppressed"}
    )
    repeated = sum(one["data"]["times"] for one in storm if one["kind"] == "alert.repeated")
    return {
        "incidents": incidents,
        "alerts_told_of": sum(single.values()) + repeated,
        "received": single["alert.received"],
        "suppressed": single["alert.suppressed"],
        "repeated": repeated,
        "records": len(bodies),
    }


async def storm(alerts: int, samples: int) -> dict[str, Any]:
    """Run it all and give the figures."""
    from halon.demo.cluster import DemoCluster  # noqa: PLC0415  # takes a while to import

    idle_names = [f"calm-{i}" for i in range(samples + 3)]
    storm_names = [f"midst-{i}" for i in range(100)]
    manifests = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bench"}}]
    manifests += [deployment(name) for name in (*idle_names, *storm_names, *(f"storm-{i}" for i in range(CAUSES)))]
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        root, port = Path(directory), free_port()
        async with DemoCluster(manifests=manifests) as cluster:
            (root / "playbooks").mkdir()
            for name, alert in (("storm", "Storm"), ("unrelated", "Bench")):
                (root / "playbooks" / f"{name}.yaml").write_text(PLAYBOOK.format(name=name, alert=alert))
            source = {"type": "alertmanager", "auth": {"bearer": {"env": "BENCH_TOKEN"}}}
            settings = {
                "data_dir": str(root / "data"),
                "playbooks": [str(root / "playbooks")],
                "kubernetes": {"default": "demo", "clusters": {"demo": {"kubeconfig": str(cluster.kubeconfig)}}},
                # Otherwise a person would have to approve each change: what is measured is how long Halon takes.
                "storm": {"incidents": 1000},
                "gateway": {"port": port, "sources": {"alertmanager": source}},
            }
            (root / "halon.yaml").write_text(json.dumps(settings))
            environment = os.environ | {"BENCH_TOKEN": "bench", "HALON_CONFIG": str(root / "halon.yaml")}
            environment["PYTHONDONTWRITEBYTECODE"] = ""
            log = stack.enter_context((root / "up.log").open("w"))
            command = [sys.executable, "-m", "halon.cli", "up"]
            up = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: ASYNC220, S603  # ours
            try:
                await ready(f"http://127.0.0.1:{port}/")
                await asyncio.sleep(3)
                pids = parts(up.pid)
                unrelated = Unrelated(
                    "halon",
                    f"http://127.0.0.1:{port}/v1/alerts/alertmanager",
                    {"Authorization": "Bearer bench"},
                    cluster,
                )
                idle = (await unrelated.sampled(idle_names, 0.3))[3:]
                before = {name: cpu_of(pid) for name, pid in pids.items()}
                memory: list[float] = [resident(pids["gateway"])]
                sending = asyncio.create_task(sent(port, alerts))
                watching = asyncio.create_task(watched(pids["gateway"], memory))
                midst = await unrelated.sampled(storm_names, 1.0, sending)
                told = await sending
                spent = {name: round(cpu_of(pid) - before[name], 1) for name, pid in pids.items()}
                await asyncio.sleep(3)
                watching.cancel()
                writes = Counter(
                    entry.name
                    for entry in cluster.journal
                    if entry.resource == "deployments" and entry.name.startswith("storm-") and not entry.dry_run
                )
            finally:
                up.send_signal(signal.SIGTERM)
                up.wait(60)
            if told["alerts"] != alerts or "HALON_KEEP" in os.environ:
                print((root / "up.log").read_text()[-5000:])
        audit = audited(next((root / "data").glob("*.db")))
    return {
        "sent": told,
        "idle": summary(idle),
        "in_the_storm": summary(midst),
        "latency_ratio": round(statistics.median(midst) / statistics.median(idle), 2),
        "gateway_mb": {"before": round(memory[0], 1), "most": round(max(memory), 1), "after": round(memory[-1], 1)},
        "cpu_seconds": spent,
        "audit": audit,
        "writes": {"causes": len(writes), "writes": sum(writes.values())},
    }


async def sent(port: int, alerts: int) -> dict[str, Any]:
    """Run the generator to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.storm", "--alerts", str(alerts), "--generate", str(port), stdout=-1
    )
    output, _ = await process.communicate()
    told: dict[str, Any] = json.loads(output)
    return told


async def watched(pid: int, memory: list[float]) -> None:
    """Note the gateway's memory, ten times a second."""
    while True:
        await asyncio.sleep(0.1)
        memory.append(resident(pid))


def table(results: dict[str, Any], alerts: int) -> str:
    """Give what people look for first, one line each, with whether it holds."""
    told, audit = results["sent"], results["audit"]
    answered = set(told["statuses"]) <= {"202", "429", "503"} and not told["refused_without_retry_after"]
    rows = [
        ("alerts a second", f"{told['alerts_a_second']:,}", told["alerts"] == alerts),
        ("answers", json.dumps(told["statuses"]), answered),
        ("gateway's memory", f"{results['gateway_mb']['most']} MB", True),
        ("unrelated, idle", f"{results['idle']['median_ms']} ms", True),
        ("unrelated, in the storm", f"{results['in_the_storm']['median_ms']} ms", results["latency_ratio"] <= 2),
        ("incidents", str(audit["incidents"]), audit["incidents"] == CAUSES),
        ("causes remedied once", str(results["writes"]), results["writes"] == {"causes": CAUSES, "writes": CAUSES}),
        ("alerts in the audit", f"{audit['alerts_told_of']:,}", audit["alerts_told_of"] >= told["alerts"]),
    ]
    return "\n".join(f"{name:<26}{value:<40}{'ok' if holds else 'NOT AS IT SHOULD BE'}" for name, value, holds in rows)


def main() -> None:
    """Print the figures as JSON, and as a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--generate", type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.generate:
        generate(arguments.generate, arguments.alerts)
        return
    results = asyncio.run(storm(arguments.alerts, arguments.samples))
    print(json.dumps(results, indent=2))
    print(table(results, arguments.alerts))


if __name__ == "__main__":
    main()
