"""Take a Deployment back to an earlier revision."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from activities.kubernetes._deployment import (
    LOOK,
    PATCH,
    ClusterName,
    Name,
    Namespace,
    Workload,
    look,
    mark,
    rehearse,
    stamped,
    target,
    template_digest,
    write,
)
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.rollout import Revision, differences, previous
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.errors import NotFound
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env

MAX_PLACES = 12


class RollbackDeployment(Change[Workload]):
    """Take a Deployment back to an earlier revision, by default to the one before the current.

    The plan pins the revision by its pod template, because taking back renumbers revisions: doing it twice never flips
    back. Errors: a revision that is not kept any more, and a paused Deployment, are refused.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart", "to_revision": 41}

    namespace: Namespace
    """The Deployment's namespace."""
    name: Name
    """The Deployment's name."""
    to_revision: Annotated[int, Field(ge=1)] | None = None
    """A number that the revision has or had: going back gives it a new one. Without it, the last revision that differs
    from the current one by more than a restart, or rather the last such one that still serves."""
    to_template: Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]*$")] = ""
    """Instead of a number: the digest of the pod template, as in a plan. An undo names its goal so."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the Deployment."""
        return target(self.cluster, self.namespace, self.name)

    async def observe(self, env: Env) -> Workload:
        """Look at the Deployment and its revisions."""
        return await look(env, self.cluster, self.namespace, self.name)

    def plan(self, state: Workload, now: datetime) -> Proposal | Nothing | Refusal:
        """Choose the revision and show what differs.

        Raises:
            TransientError: the controller has not taken up the newest template yet.
        """
        current, chosen = state.taken_up(), self._choose(state)
        if not isinstance(chosen, Revision):
            return chosen
        if chosen.name == current.name:
            return Nothing(f"{state.title} runs revision {chosen.number} already")
        if state.deployment.spec.paused:
            return Refusal(f"rollouts of {state.title} are paused: resume them first")
        images = ", ".join(sorted(chosen.images.values()))
        return Proposal(
            summary=f"Roll back {state.title} to revision {chosen.number} ({images})",
            before=state.pinned(),
            after={"template": template_digest(chosen.template)},
            rows=_rows(current, chosen),
            notes=(*managers(state.deployment.metadata), *state.outage()),
        )

    def _choose(self, state: Workload) -> Revision | Nothing | Refusal:
        known = state.revisions
        if self.to_template:
            found = [one for one in known if template_digest(one.template) == self.to_template]
            return found[0] if found else Refusal("the revision that was there before is not kept any more")
        if self.to_revision is not None:
            found = [one for one in known if self.to_revision in one.numbers]
            numbers = ", ".join(str(one.number) for one in known)
            return found[0] if found else Refusal(f"revision {self.to_revision} is not kept; there are {numbers}")
        before = previous(state.deployment, known)
        if before.revision is not None:
            return before.revision
        if before.returned and state.troubles:
            return Refusal(f"{before.reason}, and what it went back to fails too: {'; '.join(state.troubles)}")
        return Nothing(f"{state.title}: {before.reason}") if before.returned else Refusal(before.reason)

    async def rehearse(self, env: Env, after: JsonObject, state: Workload) -> Sequence[str]:
        """Let the API server check the patch."""
        return await rehearse(env, self.cluster, state.deployment, self._operations(after, state, ""))

    def owned(self, state: Workload) -> JsonObject:
        """The pod template, by digest."""
        return state.pinned()

    def mark(self, state: Workload) -> str:
        """The key of the last change to the template."""
        return mark(state.deployment, "template")

    async def apply(self, env: Env, after: JsonObject, state: Workload, key: str) -> None:
        """Write the revision's template as it was."""
        await write(env, self.cluster, state.deployment, self._operations(after, state, key))

    def settled(self, state: Workload, after: JsonObject) -> Settlement:
        """Whether its rollout is complete."""
        return state.settled_on(after)

    def undo(self, before: JsonObject, after: JsonObject) -> "RollbackDeployment":
        """Go to the template that was there."""
        return RollbackDeployment(
            namespace=self.namespace, name=self.name, cluster=self.cluster, to_template=str(before["template"])
        )

    def _operations(self, after: JsonObject, state: Workload, key: str) -> list[JsonObject]:
        goal = next((one for one in state.revisions if template_digest(one.template) == after["template"]), None)
        if goal is None:
            raise NotFound(f"the revision that {state.title} was to be taken back to is not kept any more")
        return [
            {"op": "replace", "path": "/spec/template", "value": goal.template},
            *stamped(state.deployment, "template", key),
        ]


def _rows(current: Revision, chosen: Revision) -> list[Row]:
    rows = [Row(field="revision", before=current.number, after=chosen.number)]
    before, after = current.images, chosen.images
    rows += [
        Row(field=f"image of {name}", before=before.get(name), after=after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    places = [place for place in differences(current.template, chosen.template) if not place.endswith(".image")]
    if places:
        shown = ", ".join(places[:MAX_PLACES]) + (", …" if len(places) > MAX_PLACES else "")
        rows.append(Row(field="also differs", before="as it is", after=shown))
    return rows
