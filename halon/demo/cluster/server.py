"""The demonstration cluster as one object: it starts server and controllers, and ends without a trace."""

import asyncio
import base64
import contextlib
import json
import shutil
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme
from aiohttp import web

from halon.demo.cluster.access import ADMIN, READ_ONLY, Access, Rule, User
from halon.demo.cluster.calls import BODY_LIMIT
from halon.demo.cluster.controllers import loop
from halon.demo.cluster.controllers.kubelet import Kubelet
from halon.demo.cluster.edge import Edge
from halon.demo.cluster.faults import Faults
from halon.demo.cluster.journal import Journal
from halon.demo.cluster.objects import Json, clone, labels_of
from halon.demo.cluster.rbac import user_of_account
from halon.demo.cluster.resources import NODE_USAGE, POD_USAGE, PODS
from halon.demo.cluster.rest import Rest
from halon.demo.cluster.seeds import apply, resource_of, seed
from halon.demo.cluster.status import not_found
from halon.demo.cluster.timing import Timing
from halon.demo.cluster.world import World

_HOST = "127.0.0.1"
_GRACE = 0.2
"""Seconds that open requests have to end when the server stops."""


class DemoCluster:
    """A small Kubernetes cluster on 127.0.0.1: `async with DemoCluster() as cluster: ...`.

    `nodes` are the names of its nodes, `manifests` are objects that exist from the start, and `admin_token` and
    `read_only_token` are made up unless given. Port 0 takes a free one.
    """

    def __init__(  # each is independent of the others and has a default
        self,
        *,
        port: int = 0,
        timing: Timing | None = None,
        nodes: Sequence[str] = ("node-a", "node-b"),
        manifests: Sequence[Json] = (),
        admin_token: str = "",
        read_only_token: str = "",
    ) -> None:
        self._port = port
        self._manifests = [clone(manifest) for manifest in manifests]
        self._nodes = tuple(nodes)
        self._world = World(timing=timing or Timing())
        self._kubelet = Kubelet(self._world)
        self._access = Access()
        self._ends = contextlib.AsyncExitStack()
        self._directory = Path()
        self._ca = b""
        self._edge: Edge | None = None
        self.journal = Journal()
        self.faults = Faults()
        self.admin_token = self._access.add(ADMIN, admin_token)
        self.read_only_token = self._access.add(READ_ONLY, read_only_token)
        self.url = ""

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as ends:
            self._directory = Path(tempfile.mkdtemp(prefix="halon-demo-cluster-"))
            ends.callback(shutil.rmtree, self._directory, ignore_errors=True)
            seed(self._world, self._nodes)
            for manifest in self._manifests:
                await self.apply(manifest)
            await self._serve(ends)
            duties = loop.controllers(self._world, self._kubelet)
            task = asyncio.create_task(loop.run(self._world, duties), name="demo-cluster-controllers")
            ends.push_async_callback(_finish, task)
            self._ends = ends.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._ends.aclose()

    async def _serve(self, ends: contextlib.AsyncExitStack) -> None:
        authority = trustme.CA(organization_name="Halon demonstration cluster")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # trustme accepts pyOpenSSL's contexts too, whose type is not installed here.
        authority.issue_cert(_HOST, "localhost").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # see above
        self._ca = authority.cert_pem.bytes()
        self.ca_file.write_bytes(self._ca)
        rest = Rest(self._world, self._kubelet, self.journal)
        edge = self._edge = Edge(rest, self._access, self.journal, self.faults)
        application = web.Application(client_max_size=BODY_LIMIT)
        application.router.add_route("*", "/{path:.*}", edge.handle)
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=_GRACE)
        await runner.setup()
        ends.push_async_callback(runner.cleanup)
        ends.callback(self._world.store.close)
        ends.push_async_callback(edge.close)
        site = web.TCPSite(runner, _HOST, self._port, ssl_context=context)
        await site.start()
        self.url = f"https://{_HOST}:{runner.addresses[0][1]}"
        self._write_kubeconfig(self.kubeconfig, {"admin": self.admin_token, "read-only": self.read_only_token})

    @property
    def late(self) -> int:
        """How many requests are still under way by a fault, although their senders have given them up."""
        return self._edge.late if self._edge is not None else 0

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that signed the server's."""
        return self._directory / "ca.pem"

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig with the contexts `admin`, which is the current one, and `read-only`."""
        return self._directory / "kubeconfig"

    def kubeconfig_for(self, token: str) -> Path:
        """Write a kubeconfig with one token."""
        path = self._directory / f"kubeconfig-{len(list(self._directory.iterdir()))}"
        self._write_kubeconfig(path, {"user": token})
        return path

    def add_token(self, *, user: str, allow: Sequence[Rule], deny: Sequence[Rule] = (), token: str = "") -> str:
        """Register a token that may do what a rule allows and none denies; return it."""
        return self._access.add(User(user, tuple(allow), tuple(deny)), token)

    def add_account(self, namespace: str, name: str, *, deny: Sequence[Rule] = (), token: str = "") -> str:
        """Register a token of a service account, which may do what the roles bound to it allow; return it."""
        store = self._world.store
        return self._access.add_changing(name, lambda: user_of_account(store, namespace, name, tuple(deny)), token)

    async def apply(self, manifest: Json) -> Json:
        """Create an object, or merge the manifest into the one that exists. The journal does not show it.

        Raises:
            ApiError: the server would refuse it.
        """
        return apply(self._world, manifest)

    async def measure(self, name: str, usage: Json, namespace: str = "") -> None:
        """Say what a node uses (`{"cpu": "250m", "memory": "1Gi"}`), or with a namespace a pod, by container.

        From then on the cluster has a Metrics API, which knows what was measured and nothing else.
        """
        resource = POD_USAGE if namespace else NODE_USAGE
        measured: Json = {"apiVersion": resource.api_version, "kind": resource.kind, "window": "15s"}
        measured |= {"metadata": self._world.new_metadata(name, namespace), "timestamp": self._world.stamp()}
        if namespace:
            pod = self._world.store.get(PODS, namespace, name) or {}
            measured["metadata"]["labels"] = labels_of(pod)
            measured["containers"] = [{"name": key, "usage": value} for key, value in usage.items()]
        else:
            measured["usage"] = usage
        self._world.store.put(resource, measured)

    async def remove(self, api_version: str, kind: str, name: str, namespace: str = "") -> None:
        """Take an object away at once, without grace. The journal does not show it.

        Raises:
            ApiError: there is none.
        """
        resource = resource_of(api_version, kind)
        if self._world.store.get(resource, namespace, name) is None:
            raise not_found(resource, name)
        self._world.store.remove(resource, namespace, name)

    def read(self, api_version: str, kind: str, name: str, namespace: str = "") -> Json | None:
        """Look at an object directly; None when it does not exist."""
        found = self._world.store.get(resource_of(api_version, kind), namespace, name)
        return None if found is None else clone(found)

    def list(self, api_version: str, kind: str, namespace: str) -> list[Json]:
        """Look at all objects of a kind in a namespace."""
        resource = resource_of(api_version, kind)
        return [clone(one) for one in self._world.store.items(resource, namespace)]

    def _write_kubeconfig(self, path: Path, tokens: dict[str, str]) -> None:
        """Write a kubeconfig, with one context a user; the first is the current one."""
        certificate = base64.b64encode(self._ca).decode()
        cluster = {"server": self.url, "certificate-authority-data": certificate}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "halon-demo", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}} for user, token in tokens.items()],
            "contexts": [
                {"name": user, "context": {"cluster": "halon-demo", "user": user, "namespace": "default"}}
                for user in tokens
            ],
            "current-context": next(iter(tokens)),
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=2))


async def _finish(task: asyncio.Task[None]) -> None:
    """End the controllers; if they ended by themselves, it was by a bug, and that is raised."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
