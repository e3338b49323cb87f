"""Asking an API server what Halon's own credentials may do: everybody who is let in may ask that of themselves."""

from halon.clients.kubernetes.api import Cluster
from halon.clients.kubernetes.connection import Resource
from halon.clients.kubernetes.objects import View, view
from halon.contracts.base import JsonObject

REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")


class Verdict(View):
    """What the server's authorizers say."""

    allowed: bool = False
    reason: str = ""
    evaluation_error: str = ""
    """One of them could not tell: without `allowed` this is no refusal."""


class Review(View):
    """The answer to a question."""

    status: Verdict


async def may(api: Cluster, verb: str, resource: str, namespace: str, name: str) -> Verdict:
    """Ask whether Halon may do something; without a namespace, in all of them; without a name, with all objects.

    Args:
        api: the cluster.
        verb: such as `patch`.
        resource: as permissions name it: `apps/deployments`, `/pods/log`.
        namespace: where.
        name: with which object.

    Raises:
        HalonError: the server does not answer, or lets nobody in with these credentials.
    """
    group, plural, *sub = resource.split("/")
    attributes: JsonObject = {"verb": verb, "group": group, "resource": plural, "namespace": namespace, "name": name}
    attributes |= {"subresource": sub[0]} if sub else {}
    body: JsonObject = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    return view(Review, await api.create(REVIEWS, "", body)).status
