"""The manifest of a cluster's own worker: its settings are valid, and it is started for a cluster that has a worker."""

from pathlib import Path
from typing import Any

import yaml

from halon.clients.targets import carried
from halon.demo.cluster import DemoCluster
from halon.settings.loading import parse_settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "worker-of-cluster.yaml"


def shipped() -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in yaml.safe_load_all(FILE.read_text(encoding="utf-8"))}


def test_the_worker_is_started_for_a_cluster_of_its_settings() -> None:
    documents = shipped()
    settings = parse_settings(documents["ConfigMap"]["data"]["halon.yaml"], FILE)
    [container] = documents["Deployment"]["spec"]["template"]["spec"]["containers"]
    chosen = container["args"][container["args"].index("--for") + 1]
    assert [one.target for one in carried(settings, (chosen,)).carriers] == [chosen]
    assert settings.telemetry.metrics_port == container["ports"][0]["containerPort"]


def test_it_is_given_longer_to_end_than_its_actions_take_and_runs_as_nobody_in_particular() -> None:
    pod = shipped()["Deployment"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > 20
    assert pod["securityContext"]["runAsNonRoot"] is True


async def test_a_cluster_takes_the_deployment() -> None:
    async with DemoCluster() as cluster:
        await cluster.apply(shipped()["Deployment"])
        assert cluster.read("apps/v1", "Deployment", "halon-worker", "halon") is not None
