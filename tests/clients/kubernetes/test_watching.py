"""A watch goes on where it broke off, gives again what was not taken, and says when its place is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from halon.clients.kubernetes.api import EVENTS
from halon.clients.kubernetes.connection import ClusterConfig, Connection, Gone
from halon.clients.kubernetes.watching import Watch
from halon.contracts.base import JsonObject
from halon.demo.cluster import DemoCluster, Fault, FaultKind, Rule
from halon.errors import PermissionDenied, TransientError


def event(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "cart"},
        "reason": "BackOff",
        "type": "Warning",
    }


@pytest.fixture
async def cluster() -> AsyncIterator[DemoCluster]:
    async with DemoCluster() as cluster:
        yield cluster


@pytest.fixture
async def connection(cluster: DemoCluster) -> AsyncIterator[Connection]:
    connection = Connection("demo", ClusterConfig(kubeconfig=cluster.kubeconfig))
    yield connection
    await connection.close()


def watch(connection: Connection, fields: str = "") -> Watch:
    return Watch(connection, EVENTS, "shop", fields, longest=1)


async def names(watch: Watch, number: int = 0) -> list[str]:
    """The next so many changes, or all until the server ends the watch."""
    found: list[str] = []
    async with asyncio.timeout(20), aclosing(watch.changes()) as changes:
        async for one in changes:
            found.append(name_of(one))
            if len(found) == number:
                break
    return found


def name_of(one: JsonObject) -> str:
    metadata: Any = one["metadata"]
    return str(metadata["name"])


async def test_a_watch_that_the_server_ended_goes_on_behind_the_last_change(
    cluster: DemoCluster, connection: Connection
) -> None:
    await cluster.apply(event("a"))
    one = watch(connection)
    assert list(map(name_of, await one.listed())) == ["a"]
    await cluster.apply(event("b"))
    assert await names(one) == ["b"]
    await cluster.apply(event("c"))
    await cluster.remove("v1", "Event", "a", "shop")
    assert await names(one) == ["c"]


async def test_what_was_given_and_not_taken_is_given_again(cluster: DemoCluster, connection: Connection) -> None:
    one = watch(connection)
    await one.listed()
    await cluster.apply(event("a"))
    await cluster.apply(event("b"))
    assert await names(one, 1) == ["a"]
    assert await names(one, 2) == ["a", "b"]


async def test_a_selector_holds_for_both(cluster: DemoCluster, connection: Connection) -> None:
    await cluster.apply(event("normal") | {"type": "Normal"})
    one = watch(connection, "type=Warning")
    assert await one.listed() == []
    await cluster.apply(event("more") | {"type": "Normal"})
    await cluster.apply(event("a"))
    assert await names(one) == ["a"]


async def test_a_place_that_is_gone_is_told_as_that(cluster: DemoCluster, connection: Connection) -> None:
    one = watch(connection)
    await one.listed()
    cluster.faults.inject(Fault(kind=FaultKind.STATUS, status=410, path="watch"))
    with pytest.raises(Gone):
        await names(one)


async def test_an_answer_that_breaks_off_is_to_be_asked_for_again(cluster: DemoCluster, connection: Connection) -> None:
    one = watch(connection)
    await one.listed()
    cluster.faults.inject(Fault(kind=FaultKind.LOSE_REQUEST, path="watch", count=5))
    with pytest.raises(TransientError):
        await names(one)


async def test_without_the_right_to_watch_it_is_named(cluster: DemoCluster) -> None:
    only_list = Rule(frozenset({"list"}), frozenset({""}), frozenset({"events"}))
    kubeconfig = cluster.kubeconfig_for(cluster.add_token(user="halon", allow=[only_list]))
    connection = Connection("demo", ClusterConfig(kubeconfig=kubeconfig))
    try:
        one = watch(connection)
        await one.listed()
        with pytest.raises(PermissionDenied, match="'watch' on 'events'"):
            await names(one)
    finally:
        await connection.close()
