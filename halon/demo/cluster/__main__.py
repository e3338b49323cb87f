"""Runs a demonstration cluster until it is interrupted: `python -m halon.demo.cluster --port 0 --kubeconfig FILE`."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import yaml

from halon.demo.cluster.objects import Json
from halon.demo.cluster.server import DemoCluster


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m halon.demo.cluster", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--kubeconfig", type=Path, help="write the kubeconfig here too; removed at the end")
    parser.add_argument("--admin-token", default="", help="made up unless given")
    parser.add_argument("--read-only-token", default="", help="made up unless given")
    parser.add_argument("--manifest", type=Path, action="append", default=[], help="YAML of objects to begin with")
    return parser.parse_args()


def _manifests(paths: list[Path]) -> list[Json]:
    return [item for path in paths for item in yaml.safe_load_all(path.read_text()) if item]


@contextmanager
def _copied(kubeconfig: Path, copy: Path | None) -> Generator[None]:
    """Keep a copy of the kubeconfig where the user wants it, for as long as the cluster lives."""
    if copy is None:
        yield
        return
    copy.touch(mode=0o600)
    try:
        copy.write_text(kubeconfig.read_text())
        yield
    finally:
        copy.unlink(missing_ok=True)


async def _run(cluster: DemoCluster, kubeconfig: Path | None) -> None:
    stopped, running = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        running.add_signal_handler(number, stopped.set)
    async with cluster:
        with _copied(cluster.kubeconfig, kubeconfig):
            told = {
                "url": cluster.url,
                "kubeconfig": str(kubeconfig or cluster.kubeconfig),
                "ca_file": str(cluster.ca_file),
            }
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
            await stopped.wait()


def main() -> None:
    """Run a cluster as the command line says."""
    arguments = _arguments()
    cluster = DemoCluster(
        port=arguments.port,
        manifests=_manifests(arguments.manifest),
        admin_token=arguments.admin_token,
        read_only_token=arguments.read_only_token,
    )
    asyncio.run(_run(cluster, arguments.kubeconfig))


if __name__ == "__main__":
    main()
