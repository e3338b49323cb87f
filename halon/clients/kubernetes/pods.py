"""What makes a pod again, whether the new one serves, and the policy that cuts a pod off. Pure."""

from collections.abc import Sequence

from halon.clients.kubernetes.connection import Resource
from halon.clients.kubernetes.nodes import Policy
from halon.clients.kubernetes.objects import Metadata, Owner, Pod, Selector, View
from halon.clients.kubernetes.rollout import trouble
from halon.clients.kubernetes.sets import is_ready
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement

POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies")
QUARANTINE = "halon.dev/quarantine"
"""Label of a pod that is kept for forensics: its uid."""
REPLACING = {
    "ReplicaSet": Resource("apps", "v1", "replicasets"),
    "StatefulSet": Resource("apps", "v1", "statefulsets"),
    "DaemonSet": Resource("apps", "v1", "daemonsets"),
}
"""Controllers that make a pod again at once, and for which it can be told when that is done."""


class MakerSpec(View):
    """What is wanted."""

    replicas: int = 1
    selector: Selector = Selector()


class MakerStatus(View):
    """What is there; only a DaemonSet's own part of it."""

    desired_number_scheduled: int | None = None


class Maker(View):
    """A controller of one of the kinds in `REPLACING`."""

    metadata: Metadata
    spec: MakerSpec
    status: MakerStatus = MakerStatus()

    @property
    def wanted(self) -> int:
        """How many pods there are to be."""
        counted = self.status.desired_number_scheduled
        return self.spec.replicas if counted is None else counted

    def made(self, pods: Sequence[Pod]) -> tuple[Pod, ...]:
        """Give those of the pods that it controls and that are to stay."""
        return tuple(
            pod
            for pod in pods
            if not pod.metadata.deletion_timestamp
            and not pod.ended
            and (owner := pod.metadata.controller) is not None
            and owner.uid == self.metadata.uid
        )


def called(owner: Owner | None) -> str:
    """Name a controller as `ReplicaSet/cart-5d4f`, with its group when that is not `apps`; empty for none."""
    if owner is None:
        return ""
    group = owner.api_version.rpartition("/")[0]
    return f"{owner.kind}/{owner.name}" if group in {"", "apps"} else f"{owner.kind}.{group}/{owner.name}"


def replaced(maker: Maker, title: str, pods: Sequence[Pod]) -> Settlement:
    """Judge whether a controller has made up for a pod that went: all are there, and the youngest one serves.

    Older ones that do not serve had that trouble before, so nobody waits for them.
    """
    made = maker.made(pods)
    if len(made) < maker.wanted:
        return Settlement(state="waiting", reason=f"{title} has {len(made)} of the {maker.wanted} pods that it wants")
    born = [one.metadata.creation_timestamp for one in made if one.metadata.creation_timestamp is not None]
    youngest = [one for one in made if born and one.metadata.creation_timestamp == max(born)]
    unready = [one for one in youngest if not is_ready(one)]
    troubles = trouble(unready)
    if troubles:
        return Settlement(state="broken", reason=f"the new pod of {title} does not start: {', '.join(troubles)}")
    if unready:
        names = ", ".join(one.title for one in unready[:5])
        return Settlement(state="waiting", reason=f"the new pod of {title} is not ready: {names}")
    return Settlement(state="settled", reason=f"all {maker.wanted} pods of {title} are there, and the new one is ready")


def policy_name(uid: str) -> str:
    """Name the policy that cuts a pod off."""
    return f"halon-quarantine-{uid}"


def cutting_off(pod: Metadata) -> JsonObject:
    """Give the manifest of the policy that lets nothing in or out of a pod in quarantine, and goes with the pod."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": policy_name(pod.uid),
            "namespace": pod.namespace,
            "labels": {QUARANTINE: pod.uid},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}],
        },
        "spec": {"podSelector": {"matchLabels": {QUARANTINE: pod.uid}}, "policyTypes": ["Ingress", "Egress"]},
    }


def cuts_off(policy: Policy, uid: str) -> bool:
    """Whether a policy lets nothing in or out of the pod in quarantine with this uid, and selects no other one."""
    spec, wanted = policy.spec, Selector(match_labels={QUARANTINE: uid})
    return spec.pod_selector == wanted and {*spec.policy_types} == {"Ingress", "Egress"} and spec.allows_nothing


def leaky(policies: Sequence[Policy], uid: str) -> tuple[Policy, ...]:
    """Give the policies that still select a pod in quarantine and allow something: what one allows, all allow."""
    labels = {QUARANTINE: uid}
    return tuple(one for one in policies if one.spec.pod_selector.matches(labels) and not one.spec.allows_nothing)
