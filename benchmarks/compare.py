"""Halon against a hand-written Temporal program doing the same calls, on the same server, in one run.

    make bench            # or: python -m benchmarks.compare --alerts 30 --burst 100

Measures, for each, how long it takes from the webhook's first byte to the first write that the cluster records, at
idle, and how many alerts a second are carried to their end in a burst. What counts is the ratio of the two: absolute
figures are the machine's. The playbook and the program scale a Deployment, wait for its rollout and look once more.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

PLAYBOOK = """\
apiVersion: halon/v1
kind: Playbook
metadata: {name: bench-scale, title: Scale for the benchmark, owner: benchmarks}
trigger: {alerts: [Bench], group_by: [deployment]}
steps:
  - id: scale
    uses: kubernetes.scale_deployment
    with: {namespace: bench, name: "${{ alert.labels.deployment }}", replicas: 1}
  - id: healthy
    verify:
      uses: kubernetes.rollout_status
      with: {namespace: bench, name: "${{ alert.labels.deployment }}"}
    until: ${{ result.complete }}
    every: 500ms
    within: 1m
"""
SETTLE = 120.0
"""Seconds within which a burst must have ended."""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def server_pid(address: str) -> int:
    """The embedded server, by the port on its command line."""
    port = address.rpartition(":")[2]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if words[0].endswith("temporal") and port in words:
                return int(entry.name)
    raise RuntimeError("the embedded server is not there")


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[int]:
    """A process for as long as the block lasts; gives its id."""
    with log.open("w") as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)  # noqa: S603
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


class Bench:
    """One contender: where it takes alerts, and what the cluster saw of it."""

    def __init__(self, name: str, url: str, headers: dict[str, str], cluster: Any) -> None:
        self.name = name
        self.url = url
        self.headers = headers
        self.cluster = cluster

    def body(self, deployment: str) -> dict[str, Any]:
        """Alertmanager's webhook for one alert."""
        started = datetime.now(UTC).isoformat()
        labels = {"alertname": "Bench", "namespace": "bench", "deployment": deployment, "replicas": "1"}
        alert = {"status": "firing", "labels": labels, "annotations": {}, "startsAt": started, "generatorURL": ""}
        alert |= {"endsAt": "0001-01-01T00:00:00Z", "fingerprint": f"{self.name}-{deployment}"}
        body = {"version": "4", "groupKey": "bench", "status": "firing", "receiver": "bench", "truncatedAlerts": 0}
        return {
            **body,
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "",
            "alerts": [alert],
        }

    async def send(self, http: httpx.AsyncClient, deployment: str) -> None:
        """Send the alert as a sender that retries would."""
        for _ in range(100):
            answer = await http.post(self.url, json=self.body(deployment), headers=self.headers)
            if answer.is_success:
                return
            if answer.status_code not in {429, 503}:
                raise RuntimeError(f"{self.name}: {answer.status_code} {answer.text[:300]}")
            await asyncio.sleep(0.1)
        raise RuntimeError(f"{self.name} refused for too long")

    def written(self, deployment: str) -> float | None:
        """When the cluster recorded the first write to the Deployment."""
        for entry in self.cluster.journal:
            if entry.name == deployment and entry.resource == "deployments" and not entry.dry_run:
                return datetime.fromisoformat(entry.time).timestamp()
        return None

    async def latency(self, http: httpx.AsyncClient, deployment: str) -> float:
        """Milliseconds from sending to the first write."""
        begun = time.time()
        await self.send(http, deployment)
        while (written := self.written(deployment)) is None:
            if time.time() - begun > SETTLE:
                raise RuntimeError(f"{self.name}: no write to {deployment}")
            await asyncio.sleep(0.002)
        return (written - begun) * 1000

    async def burst(self, http: httpx.AsyncClient, deployments: list[str], done: Any) -> float:
        """Alerts a second, from the first alert to the end of the last run."""
        begun = time.time()
        await asyncio.gather(*(self.send(http, one) for one in deployments))
        while await done() < len(deployments):
            if time.time() - begun > SETTLE:
                raise RuntimeError(f"{self.name}: {await done()} of {len(deployments)} runs ended")
            await asyncio.sleep(0.05)
        return len(deployments) / (time.time() - begun)


def deployment(name: str) -> dict[str, Any]:
    """A Deployment of two pods, which the remedy scales to one."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "bench:1"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "bench"},
        "spec": spec,
    }


async def measure(bench: Bench, alerts: int, burst: int, closed: Any, pids: dict[str, int]) -> dict[str, Any]:
    """Idle latency, then throughput, and what each process spent on a run of the burst."""
    async with httpx.AsyncClient(timeout=30) as http:
        for index in range(3):
            await bench.latency(http, f"{bench.name}-warm-{index}")
        idle: list[float] = []
        for index in range(alerts):
            idle.append(await bench.latency(http, f"{bench.name}-idle-{index}"))
            await asyncio.sleep(0.1)
        before = await closed()
        names = [f"{bench.name}-burst-{index}" for index in range(burst)]

        async def ended() -> int:
            return int(await closed()) - before

        spent = {name: cpu_of(pid) for name, pid in pids.items()}
        rate = await bench.burst(http, names, ended)
        cost = {name: round((cpu_of(pid) - spent[name]) / burst * 1000, 1) for name, pid in pids.items()}
    return {
        "median_ms": statistics.median(idle),
        "p90_ms": statistics.quantiles(idle, n=10)[-1],
        "per_second": rate,
        "cpu_ms_a_run": cost,
    }


async def compare(alerts: int, burst: int, *, encrypt: bool = False) -> dict[str, Any]:
    """Run both and give the figures with their ratios."""
    from temporalio.client import Client  # noqa: PLC0415  # the benchmark counts what ended

    from halon.clients.codec import new_key  # noqa: PLC0415
    from halon.clients.embedded import EmbeddedTemporal  # noqa: PLC0415
    from halon.demo.cluster import DemoCluster  # noqa: PLC0415

    contenders = ("hand", "halon")
    kinds = [
        *(f"warm-{i}" for i in range(3)),
        *(f"idle-{i}" for i in range(alerts)),
        *(f"burst-{i}" for i in range(burst)),
    ]
    manifests = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bench"}}]
    manifests += [deployment(f"{name}-{kind}") for name in contenders for kind in kinds]
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        root = Path(directory)
        async with DemoCluster(manifests=manifests) as cluster, EmbeddedTemporal(data_dir=root / "temporal") as server:
            client = await Client.connect(server.address)

            async def closed(workflow: str) -> int:
                query = f"WorkflowType = '{workflow}' AND ExecutionStatus = 'Completed'"
                return (await client.count_workflows(query)).count

            environment = {"KUBECONFIG": str(cluster.kubeconfig), "HAND_TEMPORAL": server.address}
            # Temporal's sandbox imports a workflow's file for each run; an installed program has it compiled.
            environment["PYTHONDONTWRITEBYTECODE"] = ""
            hand_port, halon_port = free_port(), free_port()
            environment |= {
                "HAND_PORT": str(hand_port),
                "HALON_CONFIG": str(root / "halon.yaml"),
                "BENCH_TOKEN": "bench",
            }
            (root / "playbooks").mkdir()
            (root / "playbooks" / "bench.yaml").write_text(PLAYBOOK)
            (root / "key").write_text(new_key())
            encryption = {"encryption": {"current": "k1", "keys": {"k1": {"file": str(root / "key")}}}}
            (root / "halon.yaml").write_text(
                json.dumps(
                    {
                        "data_dir": str(root / "data"),
                        "playbooks": [str(root / "playbooks")],
                        "temporal": {"address": server.address} | (encryption if encrypt else {}),
                        # Many incidents at once are what is measured, and in a storm each change would ask a person.
                        "storm": {"incidents": 1000, "within": "1s"},
                        "kubernetes": {
                            "default": "demo",
                            "clusters": {"demo": {"kubeconfig": str(cluster.kubeconfig)}},
                        },
                        "gateway": {
                            "port": halon_port,
                            "sources": {
                                "alertmanager": {"type": "alertmanager", "auth": {"bearer": {"env": "BENCH_TOKEN"}}}
                            },
                        },
                    }
                )
            )
            results: dict[str, Any] = {}
            halon = [sys.executable, "-m", "halon.cli"]
            hand = [sys.executable, "-m", "benchmarks.handwritten"]
            subprocess.run([*halon, "setup"], env={**os.environ, **environment}, check=True, capture_output=True)  # noqa: S603, ASYNC221
            for name, commands, url, headers, workflow in (
                ("hand", [[*hand, "worker"], [*hand, "gateway"]], f"http://127.0.0.1:{hand_port}/alerts", {}, "ByHand"),
                (
                    "halon",
                    [[*halon, "worker"], [*halon, "gateway"]],
                    f"http://127.0.0.1:{halon_port}/v1/alerts/alertmanager",
                    {"Authorization": "Bearer bench"},
                    "Incident",
                ),
            ):
                with ExitStack() as processes:
                    pids = {"temporal": server_pid(server.address)}
                    for command in commands:
                        part = command[-1]
                        pids[part] = processes.enter_context(running(command, environment, root / f"{name}-{part}.log"))
                    await ready(url)
                    bench = Bench(name, url, headers, cluster)

                    async def count(workflow: str = workflow) -> int:
                        return await closed(workflow)

                    results[name] = await measure(bench, alerts, burst, count, pids)
            stack.close()
    hand_result, ours = results["hand"], results["halon"]
    results["latency_ratio"] = ours["median_ms"] / hand_result["median_ms"]
    results["throughput_ratio"] = ours["per_second"] / hand_result["per_second"]
    return results


async def ready(url: str) -> None:
    """Wait until the gateway's port is open."""
    host, port = url.split("/")[2].split(":")
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise RuntimeError(f"{url} did not open")


def main() -> None:
    """Print the figures as JSON, and whether they are within the bounds of the issue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=30)
    parser.add_argument("--burst", type=int, default=100)
    parser.add_argument("--encrypt", action="store_true", help="have Halon encrypt what Temporal keeps")
    arguments = parser.parse_args()
    results = asyncio.run(compare(arguments.alerts, arguments.burst, encrypt=arguments.encrypt))
    print(json.dumps(results, indent=2))
    print(f"alert to first apply: {results['latency_ratio']:.2f} times the hand-written program's (bound: 3)")
    print(f"runs a second:        {results['throughput_ratio']:.2f} of the hand-written program's (bound: 0.33)")


if __name__ == "__main__":
    main()
