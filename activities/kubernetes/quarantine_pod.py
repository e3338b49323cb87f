"""Cut a pod off and keep it for forensics, while its controller makes a new one."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from activities.kubernetes._object import ClusterName, Name, Namespace, annotate, cluster_of, mark, stamped
from activities.kubernetes._pod import GET, Uid, pod_of, pod_target
from halon.clients.kubernetes.api import PODS
from halon.clients.kubernetes.nodes import Policy
from halon.clients.kubernetes.objects import Metadata, Pod
from halon.clients.kubernetes.pods import (
    POLICIES,
    QUARANTINE,
    called,
    cuts_off,
    cutting_off,
    leaky,
    policy_name,
)
from halon.contracts.base import Json, JsonObject
from halon.contracts.plan import Row, Settlement
from halon.errors import PermanentError
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env

LABELS = "halon.dev/quarantined-labels"
"""Annotation with the labels that a pod in quarantine had before."""
_LETS_GO = frozenset({"ReplicaSet", "StatefulSet", "Job.batch", "ReplicationController"})
"""Controllers that are known to let go of a pod whose labels they do not select."""
_SHOWN = 10
"""Policies that the plan's notes name."""


class Seen(State):
    """A pod, and the network policies of its namespace."""

    pod: Pod | None
    """None when it is gone."""
    policies: tuple[Policy, ...]

    def policy(self, pod: Pod) -> Policy | None:
        """The policy that is to cut it off."""
        wanted = policy_name(pod.metadata.uid)
        return next((one for one in self.policies if one.metadata.name == wanted), None)


class QuarantinePod(Change[Seen]):
    """Cut a pod off from the network and keep it for forensics; its controller makes a new one.

    First a NetworkPolicy is made that lets nothing into or out of this one pod, and is deleted with it; then all labels
    of the pod are replaced by one for the quarantine, so that Services, ReplicaSets and Jobs let it go. The old labels
    are kept in its annotation `halon.dev/quarantined-labels`. A policy acts only with a network plugin that enforces
    it, may leave open connections alone, and does not cut what the node itself sends, such as probes; other policies
    that select the pod and allow something are named in the plan, for they go on allowing it. Refused for pods in the
    host's network, for pods of DaemonSets and for static ones. `kubernetes.drain` and `kubernetes.delete_pod` leave a
    pod in quarantine alone.
    """

    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        GET,
        Permission("kubernetes", ("patch",), "/pods", "to replace its labels", name="{name}"),
        Permission("kubernetes", ("list",), "networking.k8s.io/networkpolicies", "to see what else is allowed to it"),
        Permission("kubernetes", ("create",), "networking.k8s.io/networkpolicies", "to cut it off"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart-5d4f-x7"}

    namespace: Namespace
    """The pod's namespace."""
    name: Name
    """The pod's name."""
    uid: Uid = ""
    """Which pod of this name it must be, as `kubernetes.get_pod` tells it. The plan pins it."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the pod."""
        return pod_target(self.cluster, self.namespace, self.name)

    async def observe(self, env: Env) -> Seen:
        """Look at the pod, and at the policies of its namespace."""
        pod, policies = await asyncio.gather(
            pod_of(env, self.cluster, self.namespace, self.name, self.uid),
            cluster_of(env, self.cluster).list(Policy, POLICIES, self.namespace),
        )
        return Seen(pod=pod, policies=policies)

    def plan(self, state: Seen, now: datetime) -> Proposal | Nothing | Refusal:
        """See whether a policy can hold it, and what else is allowed to it."""
        pod, title = state.pod, f"pod {self.namespace}/{self.name}"
        if pod is None:
            return Refusal(f"{title} is gone, so there is nothing to keep")
        objection = _objection(pod) or _spoilt(state, pod)
        if objection:
            return Refusal(f"{title} is not put into quarantine: {objection}")
        uid = pod.metadata.uid
        if pod.metadata.labels == {QUARANTINE: uid} and state.policy(pod) is not None:
            return Nothing(f"{title} is in quarantine already")
        kept = [name for name in sorted(pod.metadata.labels) if name != QUARANTINE]
        return Proposal(
            summary=f"Put {title} into quarantine: nothing goes in or out, no Service or controller has it",
            before=self.owned(state),
            after=_wanted(uid),
            rows=[
                Row(field="network policy", before="", after=policy_name(uid)),
                *(Row(field=f"label {name}", before=pod.metadata.labels[name], after=None) for name in kept),
                Row(field=f"label {QUARANTINE}", before=pod.metadata.labels.get(QUARANTINE), after=uid),
            ],
            notes=_notes(state, pod),
            pinned={"uid": uid},
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Seen) -> Sequence[str]:
        """Let the API server check both writes."""
        if state.pod is not None:
            await self._cut_off(env, state, state.pod, dry_run=True)
            await self._label(env, state.pod, "", dry_run=True)
        return ()

    def owned(self, state: Seen) -> JsonObject:
        """Which pod it is, its labels, and whether it is cut off."""
        if state.pod is None:
            return {"uid": "", "labels": {}}
        labels: dict[str, Json] = {**state.pod.metadata.labels}
        return {"uid": state.pod.metadata.uid, "labels": labels}

    def mark(self, state: Seen) -> str:
        """The key of the last change of the labels."""
        return mark(state.pod.metadata, "labels") if state.pod else ""

    def unfinished(self, state: Seen) -> str:
        """The policy, when somebody took it away before the labels were in place."""
        return "" if state.pod is None or state.policy(state.pod) else "it is not cut off by a network policy"

    async def apply(self, env: Env, after: JsonObject, state: Seen, key: str) -> None:
        """Make the policy unless it is there, and then replace the labels.

        Raises:
            Conflict: the pod changed since, or somebody makes the policy just now.
            PermanentError: a policy of that name lets something through.
        """
        if state.pod is None:
            raise PermanentError(f"pod {self.namespace}/{self.name} is gone, so there is nothing to keep")
        spoilt = _spoilt(state, state.pod)
        if spoilt:
            raise PermanentError(f"not done, for this came up since it was planned: {spoilt}")
        await self._cut_off(env, state, state.pod)
        if self.owned(state) != after:
            await self._label(env, state.pod, key)

    def settled(self, state: Seen, after: JsonObject) -> Settlement:
        """Whether it is cut off, and its controller has let it go."""
        pod, title = state.pod, f"pod {self.namespace}/{self.name}"
        if pod is None:
            return Settlement(state="broken", reason=f"{title} is gone, and what it held with it")
        policy = state.policy(pod)
        if self.owned(state) != after or policy is None or not cuts_off(policy, pod.metadata.uid):
            return Settlement(state="broken", reason=f"somebody changed the labels of {title}, or its policy, since")
        controller = called(pod.metadata.controller)
        if controller.partition("/")[0] in _LETS_GO:
            return Settlement(state="waiting", reason=f"{controller} has not let {title} go yet")
        return Settlement(state="settled", reason=f"{title} is in quarantine, cut off by {policy.metadata.name}")

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """There is none."""
        return NoUndo(
            "a pod that may be compromised never goes back: when its evidence is kept, delete it with "
            "kubernetes.delete_pod and `quarantined: true`"
        )

    async def _cut_off(self, env: Env, state: Seen, pod: Pod, *, dry_run: bool = False) -> None:
        if state.policy(pod) is None:
            api = cluster_of(env, self.cluster)
            await api.create(POLICIES, self.namespace, cutting_off(pod.metadata), dry_run=dry_run)

    async def _label(self, env: Env, pod: Pod, key: str, *, dry_run: bool = False) -> None:
        meta = pod.metadata
        labels: JsonObject = {QUARANTINE: meta.uid}
        operations: list[JsonObject] = [{"op": "add", "path": "/metadata/labels", "value": labels}]
        operations += annotate("/metadata", bool(meta.annotations), {LABELS: _before(meta)})
        stamps = stamped(meta, "labels", key)
        operations += stamps[-1:]  # the map of annotations is there by then
        await cluster_of(env, self.cluster).patch(PODS, meta, operations, dry_run=dry_run)


def _wanted(uid: str) -> JsonObject:
    return {"uid": uid, "labels": {QUARANTINE: uid}}


def _before(meta: Metadata) -> str:
    """The labels that it had before any quarantine."""
    kept = {name: value for name, value in meta.labels.items() if name != QUARANTINE}
    return json.dumps(kept, sort_keys=True) if kept else meta.annotations.get(LABELS, "{}")


def _objection(pod: Pod) -> str:
    if pod.metadata.deletion_timestamp is not None:
        return "it is being deleted, and nothing stops that: keep its logs now"
    if pod.static:
        return "it is static: its node runs it from a file, whatever the API says"
    if pod.spec.host_network:
        return "it is in its node's network, where no NetworkPolicy reaches it: cordon or isolate the node"
    if called(pod.metadata.controller).startswith("DaemonSet/"):
        return (
            "it is of a DaemonSet, which would start another one on the same node, mostly with rights on that node: "
            "cordon or isolate the node"
        )
    return ""


def _spoilt(state: Seen, pod: Pod) -> str:
    policy = state.policy(pod)
    if policy is None or cuts_off(policy, pod.metadata.uid):
        return ""
    return f"NetworkPolicy {_title(policy)} is there, and is not as Halon makes it: delete it first"


def _title(policy: Policy) -> str:
    """What people call it."""
    return f"{policy.metadata.namespace}/{policy.metadata.name}"


def _notes(state: Seen, pod: Pod) -> list[str]:
    notes = ["it holds only where the cluster's network plugin enforces NetworkPolicies; what the node sends gets in"]
    notes += [
        f"NetworkPolicy {_title(one)} selects it also in quarantine, and what that allows stays open"
        for one in leaky(state.policies, pod.metadata.uid)[:_SHOWN]
    ]
    kind, _, name = called(pod.metadata.controller).partition("/")
    if kind == "StatefulSet":
        notes.append(f"StatefulSet {name} can make no new one while this one has its name: it stays one short")
    elif kind and kind not in _LETS_GO:
        notes.append(f"{kind} {name} controls it, and may put its labels back or delete it")
    elif not kind:
        notes.append("it has no controller, so no new one is made")
    return notes
