"""Take the pods off a node, as fast as their disruption budgets allow it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from activities.kubernetes._eviction import Allowed, Sorted, covering, named, sort, waits_for, warnings
from activities.kubernetes._node import COUNT, GET, PATCH, Seen, cordoning, mark, others, read, refuse, target, write
from activities.kubernetes._object import ClusterName, Name, cluster_of
from activities.kubernetes.uncordon import Uncordon
from halon.clients.kubernetes.api import BUDGETS, PODS, Cluster
from halon.clients.kubernetes.connection import EvictionRefused
from halon.clients.kubernetes.nodes import Budget
from halon.clients.kubernetes.objects import Pod
from halon.contracts.base import Duration, JsonObject
from halon.contracts.plan import Effect, Row, Settlement
from halon.errors import Conflict, TransientError
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal
from halon.kit.env import Env

AGAIN = timedelta(seconds=5)
"""Between two tries at pods that budgets keep, as long as `kubectl drain` waits."""
COUNTED = "halon.dev/drain-pods"
"""Annotation of the node: how many pods were on it when its drain began."""
_AT_ONCE = 5
_SHOWN = 20
"""Pods that the plan's table names."""


class Occupied(Seen):
    """A node with its pods; their budgets are looked at only while something is to be evicted."""

    pods: tuple[Pod, ...]
    budgets: tuple[Budget, ...]


class Drain(Change[Occupied]):
    """Take the pods off a node: cordon it, and evict them as their PodDisruptionBudgets allow it.

    What a budget keeps is tried again every five seconds until `within` is over, holding no worker meanwhile; then the
    step fails and names the pods that are left and their budgets. Pods of DaemonSets and static ones stay. A drain is
    refused for pods that nothing makes again and for data in an emptyDir unless `bare` and `empty_dir` allow that, for
    a pod in quarantine, for one that several budgets cover, and when fewer than `leaves` other nodes take pods. What is
    evicted is what is there when it is done, within these bounds, not only what the plan names. Its undo uncordons a
    node that took pods before; evicted pods do not come back by that.
    """

    effect: ClassVar[Effect] = Effect.DESTROY
    permissions: ClassVar[tuple[Permission, ...]] = (
        GET,
        COUNT,
        PATCH,
        Permission("kubernetes", ("list",), "/pods", "to see the pods of the node", scope="cluster"),
        Permission("kubernetes", ("create",), "/pods/eviction", "to ask its pods to go", scope="cluster"),
        Permission(
            "kubernetes", ("list",), "policy/poddisruptionbudgets", "to say which budget keeps a pod", scope="cluster"
        ),
    )
    example: ClassVar[JsonObject] = {"name": "node-a", "within": "30m"}

    name: Name
    """The node's name."""
    within: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(hours=6))] = timedelta(minutes=15)
    """How long budgets may keep pods, from 1m to 6h. Stopping pods have the step's own time after that."""
    most_pods: Annotated[int, Field(ge=1, le=1000)] = 250
    """More pods than that are not evicted: the drain is refused."""
    leaves: Annotated[int, Field(ge=0, le=1000)] = 1
    """So many other nodes must be ready and take pods."""
    bare: bool = False
    """Evict also pods without a controller, which nothing makes again."""
    empty_dir: bool = False
    """Evict also pods with an emptyDir, whose data is lost."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the node."""
        return target(self.cluster, self.name)

    def apply_within(self) -> timedelta:
        """As long as budgets may keep pods."""
        return self.within

    async def observe(self, env: Env) -> Occupied:
        """Look at the node and its pods; while some are to be evicted, also at budgets and other nodes."""
        api = cluster_of(env, self.cluster)
        node, pods = await asyncio.gather(
            read(env, self.cluster, self.name), api.list(Pod, PODS, fields=f"spec.nodeName={self.name}")
        )
        if not sort(pods, (), Allowed()).evict:
            return Occupied(node=node, pods=pods, budgets=(), others=self.leaves)
        budgets, left = await asyncio.gather(api.list(Budget, BUDGETS), others(env, self.cluster, self.name))
        return Occupied(node=node, pods=pods, budgets=budgets, others=left)

    def plan(self, state: Occupied, now: datetime) -> Proposal | Nothing | Refusal:
        """Sort the pods, and see whether they may go."""
        found = self._sorted(state)
        if state.node.spec.unschedulable and not found.there:
            return Nothing(f"{state.title} is cordoned, and nothing is on it that a drain takes away")
        objection = self._objection(state, found)
        if objection:
            return Refusal(f"{state.title} is not drained: {objection}")
        count = len(found.evict)
        rows = [Row(field="unschedulable", before=state.node.spec.unschedulable, after=True)]
        rows += [Row(field="pods to evict", before=count, after=0)]
        rows += [Row(field=pod.title, before="runs here", after="evicted") for pod in found.evict[:_SHOWN]]
        notes = [
            *warnings(found.evict, state.budgets),
            f"{len(found.stay)} pods of DaemonSets or of the node itself stay",
        ]
        if found.going:
            notes.append(f"{len(found.going)} more are stopping already")
        return Proposal(
            summary=f"Drain {state.title}: cordon it and evict {count} pods",
            before=state.owned,
            after=state.wanting(unschedulable=True),
            rows=rows,
            notes=notes,
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Occupied) -> Sequence[str]:
        """Let the API server check the cordon and one eviction."""
        await write(env, self.cluster, state.node, cordoning(state.node, ""), dry_run=True)
        for pod in self._sorted(state).evict[:1]:
            await _evicted(cluster_of(env, self.cluster), pod, dry_run=True)
        return ()

    def owned(self, state: Occupied) -> JsonObject:
        """Which machine it is, and whether it takes pods."""
        return state.owned

    def mark(self, state: Occupied) -> str:
        """The key of the last change to that."""
        return mark(state.node)

    def unfinished(self, state: Occupied) -> str:
        """The pods that are still to be evicted."""
        evict = self._sorted(state).evict
        return named([waits_for(pod, covering(pod, state.budgets)) for pod in evict])

    async def apply(self, env: Env, after: JsonObject, state: Occupied, key: str) -> None:
        """Cordon the node, and evict what may go now.

        Raises:
            PermanentError: there is something on the node by now that must not be evicted.
            TransientError: budgets keep some pods: the server tries again.
        """
        found = self._sorted(state)
        refuse(self._objection(state, found))
        if mark(state.node) != key or not state.node.spec.unschedulable:
            counted = {COUNTED: str(len(found.there))}
            await write(env, self.cluster, state.node, cordoning(state.node, key, counted))
        await _evict(cluster_of(env, self.cluster), found.evict)
        there = await self.observe(env)
        left = self.unfinished(there)
        if left:
            raise TransientError(f"{self._progress(there, self._sorted(there).evict)}: {left}", retry_after=AGAIN)

    def settled(self, state: Occupied, after: JsonObject) -> Settlement:
        """Whether the node is cordoned and its pods are gone."""
        if state.owned != after:
            return Settlement(state="broken", reason=f"somebody uncordoned {state.title}, or replaced it, meanwhile")
        found = self._sorted(state)
        if found.evict:
            reason = f"{named([one.title for one in found.evict])} came to {state.title} after it was drained"
            return Settlement(state="broken", reason=reason)
        if found.going:
            reason = f"{self._progress(state, found.going)}: {named([one.title for one in found.going])}, stopping"
            return Settlement(state="waiting", reason=reason)
        return Settlement(state="settled", reason=f"{state.title} is drained; {_staying(found)}")

    def undo(self, before: JsonObject, after: JsonObject) -> Uncordon | NoUndo:
        """Uncordon it, if it took pods before."""
        if before["unschedulable"]:
            return NoUndo("the node was cordoned before, and pods that were evicted do not come back")
        return Uncordon(name=self.name, cluster=self.cluster)

    def _sorted(self, state: Occupied) -> Sorted:
        return sort(state.pods, state.budgets, Allowed(bare=self.bare, empty_dir=self.empty_dir))

    def _objection(self, state: Occupied, found: Sorted) -> str:
        if found.objections:
            return named(found.objections)
        if len(found.evict) > self.most_pods:
            return f"{len(found.evict)} pods would be evicted, more than `most_pods` allows ({self.most_pods})"
        return state.too_few(self.leaves)

    def _progress(self, state: Occupied, left: Sequence[Pod]) -> str:
        counted = state.node.metadata.annotations.get(COUNTED, "")
        of = f" of {counted}" if counted.isdecimal() and int(counted) >= len(left) else ""
        return f"{len(left)}{of} pods are still on {state.title}"


def _staying(found: Sorted) -> str:
    return f"{len(found.stay)} pods of DaemonSets or of the node itself stay"


async def _evict(api: Cluster, pods: Sequence[Pod]) -> None:
    """Ask pods to go, a few at once. What a budget keeps is left for the next time.

    Raises:
        TransientError: the server cannot serve now; those that it has not answered for are asked again.
        PermanentError: it refuses one for good.
    """
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(pod: Pod) -> None:
        async with slots:
            await _evicted(api, pod)

    for outcome in await asyncio.gather(*(one(pod) for pod in pods), return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _evicted(api: Cluster, pod: Pod, *, dry_run: bool = False) -> None:
    """Ask a pod to go. It is as well when it is gone already, or when it may not go yet."""
    try:
        await api.evict(pod.metadata, dry_run=dry_run)
    except (EvictionRefused, Conflict):
        return
