"""What goes wrong between Halon and an API server becomes one clear error of the right kind."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from halon.clients.kubernetes.api import Cluster, KubernetesApi, KubernetesConfig
from halon.clients.kubernetes.connection import ClusterConfig
from halon.demo.cluster import DemoCluster, Fault, FaultKind, Rule
from halon.errors import Misconfigured, NotFound, PermanentError, PermissionDenied, TransientError


@pytest.fixture
async def demo() -> AsyncIterator[DemoCluster]:
    async with DemoCluster() as cluster:
        yield cluster


@pytest.fixture
async def cluster(demo: DemoCluster) -> AsyncIterator[Cluster]:
    api = KubernetesApi(KubernetesConfig({"demo": ClusterConfig(kubeconfig=demo.kubeconfig)}))
    yield api.cluster("demo")
    await api.close()


async def test_what_does_not_exist_is_named(cluster: Cluster) -> None:
    with pytest.raises(NotFound, match=r"deployments\.apps shop/cart does not exist in cluster demo"):
        await cluster.deployment("shop", "cart")


async def test_a_server_that_is_busy_says_when_to_try_again(demo: DemoCluster, cluster: Cluster) -> None:
    demo.faults.inject(Fault(kind=FaultKind.STATUS, status=429, retry_after=7))
    with pytest.raises(TransientError) as refused:
        await cluster.deployment("shop", "cart")
    assert refused.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("kind", [FaultKind.LOSE_REQUEST, FaultKind.LOSE_REPLY, FaultKind.PARTIAL])
async def test_a_connection_that_breaks_is_tried_again(demo: DemoCluster, cluster: Cluster, kind: FaultKind) -> None:
    demo.faults.inject(Fault(kind=kind, count=2))  # aiohttp sends a GET twice when a connection turns out dead
    with pytest.raises(TransientError, match="cluster demo"):
        await cluster.autoscalers("shop")
    demo.faults.clear()
    assert await cluster.autoscalers("shop") == ()


async def test_a_server_that_is_away_is_tried_again(demo: DemoCluster, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(demo.kubeconfig.read_text().replace(demo.url, "https://127.0.0.1:1"))
    api = KubernetesApi(KubernetesConfig({"away": ClusterConfig(kubeconfig=path)}))
    with pytest.raises(TransientError, match="does not answer"):
        await api.cluster("away").deployment("shop", "cart")
    await api.close()


async def test_a_missing_permission_is_named_as_rbac_writes_it(demo: DemoCluster) -> None:
    token = demo.add_token(user="halon", allow=[Rule(verbs=frozenset({"list"}))])
    api = KubernetesApi(KubernetesConfig({"demo": ClusterConfig(kubeconfig=demo.kubeconfig_for(token))}))
    with pytest.raises(PermissionDenied, match="'get' on 'deployments' in API group 'apps', namespace shop"):
        await api.cluster("demo").deployment("shop", "cart")
    await api.close()


async def test_credentials_that_nobody_knows_are_no_crash(demo: DemoCluster) -> None:
    api = KubernetesApi(KubernetesConfig({"demo": ClusterConfig(kubeconfig=demo.kubeconfig_for("who-is-this"))}))
    with pytest.raises(PermissionDenied, match="does not accept the credentials"):
        await api.cluster("demo").deployment("shop", "cart")
    await api.close()


async def test_a_certificate_of_somebody_else_is_refused(demo: DemoCluster) -> None:
    async with DemoCluster() as other:
        mixed = demo.kubeconfig_for(demo.admin_token)
        mixed.write_text(mixed.read_text().replace(demo.url, other.url))
        api = KubernetesApi(KubernetesConfig({"mixed": ClusterConfig(kubeconfig=mixed)}))
        with pytest.raises(Misconfigured, match="TLS"):
            await api.cluster("mixed").deployment("shop", "cart")
        await api.close()


@pytest.mark.parametrize("text", ["", "[]", "clusters: {", "apiVersion: v1\nkind: Config\n"])
async def test_a_kubeconfig_that_is_none_is_said_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    api = KubernetesApi(KubernetesConfig({"demo": ClusterConfig(kubeconfig=path)}))
    with pytest.raises(Misconfigured, match="kubeconfig"):
        await api.cluster("demo").deployment("shop", "cart")


def test_a_cluster_that_is_not_configured_is_said_so_with_those_that_are() -> None:
    api = KubernetesApi(KubernetesConfig({"eu-1": ClusterConfig(), "eu-2": ClusterConfig()}))
    with pytest.raises(Misconfigured, match=r"no cluster 'eu-3'.*eu-1, eu-2"):
        api.cluster("eu-3")
    with pytest.raises(Misconfigured, match="no default among several"):
        api.cluster("")


async def test_long_lists_come_in_pages_and_too_long_ones_are_refused(demo: DemoCluster, cluster: Cluster) -> None:
    for number in range(260):
        meta = {"name": f"e-{number}", "namespace": "shop"}
        about = {"kind": "Pod", "name": "cart", "namespace": "shop"}
        await demo.apply({"apiVersion": "v1", "kind": "Event", "metadata": meta, "involvedObject": about})
    assert len(await cluster.events("shop", most=2000)) == 260
    assert len(await cluster.events("shop", most=255)) == 255


async def test_an_object_of_another_form_is_a_permanent_error(demo: DemoCluster, cluster: Cluster) -> None:
    demo.faults.inject(Fault(kind=FaultKind.STATUS, status=400))
    with pytest.raises(PermanentError, match="refuses to get"):
        await cluster.deployment("shop", "cart")
