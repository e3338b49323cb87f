"""A demonstration cluster with one Deployment, over real HTTPS."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from demo_cluster import FAST, Api, cart, client_of

from halon.demo.cluster import DemoCluster


@pytest.fixture
async def cluster() -> AsyncIterator[DemoCluster]:
    """A cluster in which Deployment shop/cart has rolled out."""
    async with DemoCluster(timing=FAST, manifests=[cart()]) as running:
        yield running


@pytest.fixture
async def api(cluster: DemoCluster) -> AsyncIterator[Api]:
    """Its administrator's client."""
    async with client_of(cluster) as http:
        api = Api(http)
        await api.rolled_out()
        yield api
