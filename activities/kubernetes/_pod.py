"""What the changes of one pod share: which one it is, and how it is looked at."""

from typing import Annotated, TypeAlias

from pydantic import StringConstraints

from activities.kubernetes._object import cluster_of, target
from halon.clients.kubernetes.objects import Pod
from halon.errors import NotFound
from halon.kit.action import Permission
from halon.kit.env import Env

Uid: TypeAlias = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9-]*$")]
"""The uid of an object; empty for whichever has the name."""

GET = Permission("kubernetes", ("get",), "/pods", "to see it", name="{name}")


def pod_target(cluster: str, namespace: str, name: str) -> str:
    """Name the pod for people and policy."""
    return target(cluster, namespace, "Pod", name)


async def pod_of(env: Env, cluster: str, namespace: str, name: str, uid: str) -> Pod | None:
    """Look at a pod; None when there is none, or only a later one of its name."""
    try:
        pod = await cluster_of(env, cluster).pod(namespace, name)
    except NotFound:
        return None
    return None if uid and pod.metadata.uid != uid else pod
