"""A workload whose pods come of a template, whatever its kind: what changes of the template need to know of it."""

from typing import ClassVar

from activities.kubernetes._object import title
from halon.clients.kubernetes.connection import Resource
from halon.clients.kubernetes.objects import Metadata
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.rollout import Revision, current, plain
from halon.contracts.base import JsonObject, digest
from halon.contracts.plan import Settlement
from halon.errors import TransientError
from halon.kit.action import State

POD_SAMPLE = 100
"""Pods of the current revision that are looked at for crash loops."""


class Templated(State):
    """A Deployment, StatefulSet or DaemonSet with its revisions and what ails its pods."""

    kind: ClassVar[str]
    resource: ClassVar[Resource]

    revisions: tuple[Revision, ...]
    troubles: tuple[str, ...]
    """What ails pods of the current revision."""

    @property
    def metadata(self) -> Metadata:
        """Of the workload."""
        raise NotImplementedError

    @property
    def template(self) -> JsonObject:
        """Its pods' template, as it is."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """How many pods it shall have."""
        raise NotImplementedError

    @property
    def updated(self) -> int:
        """How many of its pods run the current template."""
        raise NotImplementedError

    @property
    def available(self) -> int:
        """How many of its pods have been ready for long enough."""
        raise NotImplementedError

    @property
    def selector(self) -> str:
        """Its pods, as a label selector."""
        raise NotImplementedError

    @property
    def size_unit(self) -> str:
        """What it has so many of."""
        return "replicas"

    @property
    def objection(self) -> str:
        """Why a new template would reach no pod; empty when it would."""
        raise NotImplementedError

    @property
    def caveats(self) -> tuple[str, ...]:
        """What a new template means for those whom the workload serves."""
        return ()

    @property
    def stuck(self) -> tuple[Metadata, ...]:
        """Pods that the controller will not replace by itself although they never get ready."""
        return ()

    def progress(self) -> Settlement:
        """How far the rollout of what it asks for now is."""
        raise NotImplementedError

    @property
    def current(self) -> Revision | None:
        """The revision that it asks for; None while the controller has not taken it up."""
        return current(self.template, self.revisions)

    def taken_up(self) -> Revision:
        """The current revision, which must be among the kept ones, so that it can be put back.

        Raises:
            TransientError: the controller has not taken the newest template up yet.
        """
        if self.current is None:
            raise TransientError(f"the controller has not taken up the newest template of {self.title} yet")
        return self.current

    @property
    def title(self) -> str:
        """What people call it: `Deployment shop/cart`."""
        return title(self.kind, self.metadata)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the one who decides on a new template should know."""
        replaced = ", ".join(one.name for one in self.stuck)
        deleted = (f"{replaced} never got ready and would hold up the update, so it is deleted",) if replaced else ()
        return (*managers(self.metadata), *self.caveats, *deleted)

    def pinned(self) -> JsonObject:
        """What a change of the pod template owns: which template it is, by digest, for its values may be secrets."""
        return {"template": template_digest(self.template)}

    def settled_on(self, after: JsonObject) -> Settlement:
        """Whether the rollout of the template in `after` is complete."""
        if self.pinned() != after:
            return Settlement(state="broken", reason="somebody changed the pod template meanwhile")
        return self.progress()


def template_digest(template: JsonObject) -> str:
    """Identity of a pod template, the same in the workload and in what keeps its revisions."""
    return digest(plain(template))
