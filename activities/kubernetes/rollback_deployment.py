"""Roll a Deployment back to a revision that it has had.

The revision is pinned by the digest of its pod template when the plan is made: numbers move with every rollout, so that
"the one before" asked twice would bring the bad one back.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from activities.kubernetes._deployment import LOOK, PATCH, DeploymentChange, Part, Workload, outage, unfit
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.rollout import Revision, differences, images, plain, previous
from halon.contracts.base import JsonObject, digest
from halon.contracts.plan import Row
from halon.errors import PermanentError
from halon.kit.action import Nothing, Permission, Proposal, Refusal

_MAX_PLACES = 15
"""Places of a difference that a plan lists."""


class RollbackDeployment(DeploymentChange):
    """Roll a Deployment back to an earlier revision.

    A paused Deployment, a revision that is no longer kept and a Deployment without an earlier revision are refused. One
    that went back already is left as it is. Undo brings the template back that was there before.
    """

    part: ClassVar[Part] = "template"
    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart", "to_revision": 41}

    to_revision: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """The revision to go to, by any number that it has had; without it the last one before the current that differs by
    more than a restart, and rather one that still serves."""
    to_template: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64)] | None = None
    """The revision to go to, by the SHA-256 of its pod template. Halon's own undo sets it."""

    def plan(self, state: Workload, now: datetime) -> Proposal | Nothing | Refusal:
        """Pin the revision and show what differs."""
        _ = now
        chosen = unfit(state) or self._chosen(state)
        if not isinstance(chosen, Revision):
            return chosen
        before, after = self.owned(state), _owned(chosen.template)
        if before == after:
            return Nothing(f"{state.title} runs revision {chosen.number} already")
        there = state.deployment
        ours, theirs = images(there.spec.template), chosen.images
        rows = [Row(field="revision", before=there.revision, after=chosen.number)]
        rows += [
            Row(field=f"image of {name}", before=ours.get(name), after=theirs.get(name))
            for name in sorted({*ours, *theirs})
            if ours.get(name) != theirs.get(name)
        ]
        shown = ", ".join(sorted(set(theirs.values())))
        return Proposal(
            summary=f"Roll back {state.title} from revision {there.revision} to revision {chosen.number} ({shown})",
            before=before,
            after=after,
            rows=rows,
            notes=[*managers(there.metadata), *outage(state), *_also(there.spec.template, chosen)],
        )

    def owned(self, state: Workload) -> JsonObject:
        """Own the pod template: its digest, with its images for people."""
        return _owned(plain(state.deployment.spec.template))

    def operations(self, after: JsonObject, state: Workload) -> list[JsonObject]:
        """Replace the template by that of the pinned revision."""
        wanted = str(after["template"])
        for one in state.revisions:
            if digest(one.template) == wanted:
                return [{"op": "replace", "path": "/spec/template", "value": one.template}]
        raise PermanentError(f"the revision that {state.title} should go to is no longer kept{_kept(state)}")

    def undo(self, before: JsonObject, after: JsonObject) -> "RollbackDeployment":
        """Go to the template that was there before."""
        _ = after
        return self.model_copy(update={"to_revision": None, "to_template": before["template"]})

    def _chosen(self, state: Workload) -> Revision | Nothing | Refusal:
        known = state.revisions
        if self.to_template is not None:
            found = next((one for one in known if digest(one.template) == self.to_template), None)
            wanted = "the revision that was there before"
        elif self.to_revision is not None:
            found = next((one for one in known if self.to_revision in one.numbers), None)
            wanted = f"revision {self.to_revision}"
        else:
            return _before(state)
        return found or Refusal(f"{wanted} of {state.title} is no longer kept{_kept(state)}")


def _before(state: Workload) -> Revision | Nothing | Refusal:
    """Give the revision before the current one."""
    earlier = previous(state.deployment, state.revisions)
    if earlier.revision is not None:
        return earlier.revision
    if earlier.returned and not state.troubles:
        return Nothing(f"{state.title}: {earlier.reason}")
    also = f", and what it went back to is broken too: {'; '.join(state.troubles)}" if earlier.returned else ""
    return Refusal(f"{state.title} has nothing to go back to: {earlier.reason}{also}")


def _owned(template: JsonObject) -> JsonObject:
    return {"images": {**images(template)}, "template": digest(template)}


def _kept(state: Workload) -> str:
    numbers = ", ".join(str(one.number) for one in state.revisions)
    return f"; kept are: {numbers}" if numbers else ""


def _also(there: JsonObject, chosen: Revision) -> list[str]:
    """Note what else than images differs, by place: the values may be secrets."""
    places = [place for place in differences(plain(there), chosen.template) if not place.endswith("].image")]
    if not places:
        return []
    more = f" and {len(places) - _MAX_PLACES} more" if len(places) > _MAX_PLACES else ""
    return [f"not only images differ, but also: {', '.join(places[:_MAX_PLACES])}{more}"]
