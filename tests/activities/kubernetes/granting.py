"""Service accounts with what `halon permissions` writes for a playbook, and nothing more."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
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


_installed: ContextVar[list[Any] | None] = ContextVar("installed", default=None)


@contextmanager
def installed(documents: list[Any]) -> Iterator[None]:
    """Let worlds that are opened within have these roles, whatever they are for."""
    before = _installed.set(documents)
    try:
        yield
    finally:
        _installed.reset(before)


def roles_for(action: str, params: Mapping[str, Json]) -> list[Any]:
    """The roles of a world: those that are installed, or else those that are generated for its one call."""
    return _installed.get() or granted_to([playbook_of(action, params)])


async def install(cluster: DemoCluster, documents: Iterable[Any]) -> None:
    """Apply them, as `kubectl apply -f -` does."""
    for one in documents:
        await cluster.apply(one)
