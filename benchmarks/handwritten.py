"""The yardstick: what a good engineer writes by hand with Temporal for one fixed remedy.

A FastAPI webhook starts a workflow, which looks at the Deployment, patches its replicas and waits until the rollout is
done. It makes the same calls to the cluster as Halon's playbook of the benchmark: a look at the Deployment, its
ReplicaSets, pods and autoscalers with a server-side dry run, the same look before the write, looks until it is done.
Beyond that it has nothing: no audit, no approval, no undo, no guard against drift or a lost reply, no playbooks.

    python -m benchmarks.handwritten gateway|worker   (HAND_TEMPORAL, HAND_PORT, KUBECONFIG in the environment)
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError

QUEUE = "handwritten"


@dataclass
class Remedy:
    """Which Deployment, and how many replicas it shall have."""

    namespace: str
    name: str
    replicas: int


@workflow.defn
class ByHand:
    """Look, change, wait."""

    @workflow.run
    async def run(self, remedy: Remedy) -> str:
        """Scale the Deployment, unless it has that many replicas already."""
        options: dict[str, Any] = {
            "start_to_close_timeout": timedelta(seconds=60),
            "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=250)),
        }
        current = await workflow.execute_activity("replicas", remedy, result_type=int, **options)
        if current == remedy.replicas:
            return "unnecessary"
        await workflow.execute_activity("scale", remedy, **options)
        await workflow.execute_activity("rolled_out", remedy, **options)
        await workflow.execute_activity("verified", remedy, **options)
        return "remediated"


class Cluster:
    """The activities, over one client."""

    def __init__(self, apps: Any, core: Any, autoscaling: Any) -> None:
        self.apps = apps
        self.core = core
        self.autoscaling = autoscaling

    @activity.defn
    async def replicas(self, remedy: Remedy) -> int:
        """How many replicas are wanted now, after a rehearsal of the change."""
        deployment = await self._look(remedy, scalers=True)
        await self._patch(remedy, dry_run="All")
        return int(deployment.spec.replicas)

    @activity.defn
    async def scale(self, remedy: Remedy) -> None:
        """Set the number of replicas."""
        await self._look(remedy, scalers=True)
        await self._patch(remedy)

    @activity.defn
    async def rolled_out(self, remedy: Remedy) -> None:
        """Fail until the rollout is done; the server retries."""
        if not _done(await self._look(remedy, scalers=True), remedy):
            raise ApplicationError("not yet", next_retry_delay=timedelta(milliseconds=500))

    @activity.defn
    async def verified(self, remedy: Remedy) -> None:
        """Look once more."""
        if not _done(await self._look(remedy), remedy):
            raise ApplicationError("not yet", next_retry_delay=timedelta(milliseconds=500))

    async def _patch(self, remedy: Remedy, **options: str) -> None:
        body = {"spec": {"replicas": remedy.replicas}}
        await self.apps.patch_namespaced_deployment(remedy.name, remedy.namespace, body, **options)

    async def _look(self, remedy: Remedy, *, scalers: bool = False) -> Any:
        """The Deployment, with all that tells whether it is well."""
        deployment = await self.apps.read_namespaced_deployment(remedy.name, remedy.namespace)
        labels = deployment.spec.selector.match_labels
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        await self.apps.list_namespaced_replica_set(remedy.namespace, label_selector=selector)
        await self.core.list_namespaced_pod(remedy.namespace, label_selector=selector)
        if scalers:
            await self.autoscaling.list_namespaced_horizontal_pod_autoscaler(remedy.namespace)
        return deployment


def _done(deployment: Any, remedy: Remedy) -> bool:
    status = deployment.status
    return (
        (status.observed_generation or 0) >= deployment.metadata.generation
        and (status.updated_replicas or 0) == remedy.replicas
        and (status.available_replicas or 0) == remedy.replicas
    )


async def run_worker() -> None:
    """Run workflows and activities until killed."""
    from kubernetes.aio import client, config  # noqa: PLC0415  # only this process needs it
    from temporalio.worker import Worker  # noqa: PLC0415

    configuration = client.Configuration()
    await config.load_kube_config(os.environ["KUBECONFIG"], client_configuration=configuration)
    async with client.ApiClient(configuration) as api:
        cluster = Cluster(client.AppsV1Api(api), client.CoreV1Api(api), client.AutoscalingV2Api(api))
        temporal = await Client.connect(os.environ["HAND_TEMPORAL"])
        handlers = [cluster.replicas, cluster.scale, cluster.rolled_out, cluster.verified]
        await Worker(temporal, task_queue=QUEUE, workflows=[ByHand], activities=handlers).run()


def run_gateway() -> None:
    """Serve the webhook until killed."""
    import uvicorn  # noqa: PLC0415  # only this process needs it
    from fastapi import FastAPI, Request, Response  # noqa: PLC0415

    app = FastAPI()
    connection: list[Client] = []

    @app.post("/alerts")
    async def alerts(request: Request) -> Response:
        if not connection:
            connection.append(await Client.connect(os.environ["HAND_TEMPORAL"]))
        for alert in (await request.json())["alerts"]:
            labels = alert["labels"]
            await connection[0].start_workflow(
                ByHand.run,
                Remedy(labels["namespace"], labels["deployment"], int(labels["replicas"])),
                id=f"{alert['fingerprint']}-{alert['startsAt']}",
                task_queue=QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
        return Response(status_code=202)

    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["HAND_PORT"]), log_level="warning")


if __name__ == "__main__":
    if sys.argv[1:] == ["gateway"]:
        run_gateway()
    else:
        asyncio.run(run_worker())
