"""Events of a cluster are watched: nothing is lost while the cluster or Temporal is away, or when a place is gone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gateway_doubles import Gateway, playbook, running

from halon.demo.cluster import DemoCluster, Fault, FaultKind, Rule
from halon.errors import Misconfigured, TransientError
from halon.telemetry import Telemetry

EVERYTHING = (playbook(alerts=["*"], group_by=["name"]),)
READING = Rule(frozenset({"list", "watch"}), frozenset({""}), frozenset({"events"}))


def event(
    name: str, reason: str = "BackOff", namespace: str = "shop", ago: timedelta = timedelta(), **more: Any
) -> Any:
    at = (datetime.now(UTC) - ago).isoformat()
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{reason.lower()}", "namespace": namespace},
        "involvedObject": {"kind": "Pod", "namespace": namespace, "name": name, "uid": f"uid-{name}"},
        "reason": reason,
        "message": f"{name} does not start",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "type": "Warning",
    } | more


async def until(true: Callable[[], bool | Awaitable[bool]]) -> None:
    """Look until something is so."""
    async with asyncio.timeout(30):
        while True:
            found = true()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


def taken(gateway: Gateway) -> list[str]:
    return [alert.labels["pod"] for group in gateway.dispatcher.groups for alert in group.alerts]


@pytest.fixture
async def cluster() -> AsyncIterator[DemoCluster]:
    async with DemoCluster() as cluster:
        yield cluster


@pytest.fixture
def start(tmp_path: Path, telemetry: Telemetry, cluster: DemoCluster) -> Callable[..., Any]:
    kubeconfig = cluster.kubeconfig_for(cluster.add_token(user="halon", allow=[READING]))

    @asynccontextmanager
    async def started(watch: str = "{cluster: demo}", error: Exception | None = None) -> AsyncIterator[Gateway]:
        source = f"{{type: kubernetes_events, auth: {{cluster: true}}, watch: {watch}}}"
        settings = f"""
gateway: {{port: 0, sources: {{cluster-events: {source}}}}}
kubernetes: {{clusters: {{demo: {{kubeconfig: "{kubeconfig}"}}}}}}
"""
        clock = lambda: datetime.now(UTC)  # noqa: E731  # the events are of now
        async with running(tmp_path, telemetry, settings, clock, EVERYTHING) as gateway:
            gateway.dispatcher.error = error
            yield gateway

    return started


async def test_what_happened_lately_and_what_happens_then_is_taken(cluster: DemoCluster, start: Any) -> None:
    await cluster.apply(event("old", ago=timedelta(minutes=20)))
    await cluster.apply(event("late", ago=timedelta(minutes=5)))
    async with start() as gateway:
        await until(lambda: taken(gateway) == ["late"])
        await cluster.apply(event("new"))
        await cluster.apply(event("fine", type="Normal"))
        await cluster.apply(event("next", namespace="other"))
        await until(lambda: taken(gateway) == ["late", "new", "next"])


async def test_an_event_that_happens_again_is_the_same_episode(cluster: DemoCluster, start: Any) -> None:
    again = event("cart")
    async with start() as gateway:
        await cluster.apply(again)
        await until(lambda: taken(gateway) == ["cart"])
        await cluster.apply(again | {"count": 9})
        await cluster.apply(event("last"))
        await until(lambda: taken(gateway) == ["cart", "last"])


async def test_only_the_named_namespaces_reasons_and_counts_are_alerts(cluster: DemoCluster, start: Any) -> None:
    async with start("{namespaces: [shop, web], reasons: [FailedMount], at_least: 3}") as gateway:
        await cluster.apply(event("other", "FailedMount", "other", count=3))
        await cluster.apply(event("reason", count=3))
        await cluster.apply(event("few", "FailedMount", count=2))
        await cluster.apply(event("one", "FailedMount", count=3))
        await cluster.apply(event("two", "FailedMount", "web", count=4))
        await until(lambda: sorted(taken(gateway)) == ["one", "two"])


async def test_what_temporal_did_not_take_is_taken_when_it_does(cluster: DemoCluster, start: Any) -> None:
    async with start() as gateway:
        await cluster.apply(event("before"))
        await until(lambda: taken(gateway) == ["before"])
        gateway.dispatcher.error = TransientError("Temporal is away")
        gateway.dispatcher.entered.clear()
        await cluster.apply(event("meanwhile"))
        await gateway.dispatcher.entered.wait()
        await cluster.apply(event("then"))
        gateway.dispatcher.error = None
        await until(lambda: taken(gateway) == ["before", "meanwhile", "then"])


async def test_a_cluster_that_is_away_is_asked_again_and_nothing_is_missed(cluster: DemoCluster, start: Any) -> None:
    cluster.faults.inject(Fault(kind=FaultKind.STATUS, status=503, path="watch=true"))
    async with start() as gateway:
        await until(lambda: cluster.faults.hits == 1)
        await cluster.apply(event("meanwhile"))
        await until(lambda: taken(gateway) == ["meanwhile"])


async def test_a_place_that_is_gone_means_looking_anew(cluster: DemoCluster, start: Any) -> None:
    cluster.faults.inject(Fault(kind=FaultKind.STATUS, status=410, path="watch=true"))
    # Met by the list after that, which shows that there is one.
    cluster.faults.inject(Fault(kind=FaultKind.STATUS, status=503, path="limit=", skip=1))
    async with start() as gateway:
        await until(lambda: cluster.faults.hits == 2)
        await cluster.apply(event("meanwhile"))
        await until(lambda: taken(gateway) == ["meanwhile"])


async def test_an_event_that_cannot_be_read_keeps_no_other_waiting(cluster: DemoCluster, start: Any) -> None:
    async with start() as gateway:
        await cluster.apply(event("bad", involvedObject={}))
        await cluster.apply(event("good"))
        await until(lambda: taken(gateway) == ["good"])


async def test_what_becomes_of_events_is_counted(cluster: DemoCluster, start: Any) -> None:
    async with start("{at_least: 2}") as gateway:
        await cluster.apply(event("once"))
        await cluster.apply(event("twice", count=2))
        await until(lambda: taken(gateway) == ["twice"])
        text = (await gateway.http.get("/metrics")).text
        for result in ("left", "taken"):
            assert f'halon_gateway_events_total{{result="{result}",source="cluster-events"}}' in text


async def test_a_cluster_that_is_not_named_is_an_error_of_halon_yaml(start: Any) -> None:
    with pytest.raises(Misconfigured, match="no cluster 'prod'"):
        async with start("{cluster: prod}"):
            pass
