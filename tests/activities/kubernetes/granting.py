"""Service accounts with what `halon permissions` writes for a playbook, and nothing more."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from world import REGISTRY

from halon.contracts.base import Json
from halon.contracts.playbook import Playbook
from halon.demo.cluster import DemoCluster
from halon.kit.privileges.manifests import Account, manifests
from halon.kit.privileges.needs import needs_of
from halon.kit.privileges.rbac import Wanted, roles_of

ACCOUNT = Account()
USER = f"system:serviceaccount:{ACCOUNT.namespace}:{ACCOUNT.name}"


def playbook_of(action: str, params: Mapping[str, Json]) -> Playbook:
    """A playbook whose only step makes this call."""
    head = {"apiVersion": "halon/v1", "kind": "Playbook"}
    meta = {"name": "alone", "title": "Does one thing", "owner": "team-a"}
    step = {"id": "it", "uses": action, "with": dict(params)}
    return Playbook.model_validate({**head, "metadata": meta, "steps": [step]})


def granted_to(playbooks: Iterable[Playbook], namespace: str = "shop") -> list[Any]:
    """What `halon permissions --format kubernetes -n NAMESPACE` writes for these playbooks."""
    roles = roles_of(needs_of(playbooks, {}, REGISTRY), Wanted(namespaces=(namespace,)))
    return list(yaml.safe_load_all(manifests(roles, ACCOUNT, [])))


async def install(cluster: DemoCluster, documents: Iterable[Any]) -> None:
    """Apply them, as `kubectl apply -f -` does."""
    for one in documents:
        await cluster.apply(one)
