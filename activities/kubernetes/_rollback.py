"""Taking a workload back to an earlier revision: what it has in common for every kind."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from activities.kubernetes._templated import Templated, template_digest
from activities.kubernetes._workload import OfTemplate
from halon.clients.kubernetes.rollout import Revision, differences, previous, unsafe
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row
from halon.errors import NotFound
from halon.kit.action import Nothing, Proposal, Refusal

MAX_PLACES = 12


class Rollback(OfTemplate):
    """Take a workload back. The plan pins the revision by its template, because going back renumbers revisions."""

    to_revision: Annotated[int, Field(ge=1)] | None = None
    """A number that the revision has or had: going back gives it a new one. Without it, the last revision that differs
    from the current one by more than a restart, or rather the last such one that still serves."""
    to_template: Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]*$")] = ""
    """Instead of a number: the digest of the pod template, as in a plan. An undo names its goal so."""
    even_if_unsafe: bool = False
    """Go back although a revision since then says of itself, by the annotation `halon.dev/rollback: unsafe`, that it
    cannot be, such as one that has migrated a schema."""

    def plan(self, state: Templated, now: datetime) -> Proposal | Nothing | Refusal:
        """Choose the revision and show what differs.

        Raises:
            TransientError: the controller has not taken up the newest template yet.
        """
        current, chosen = state.taken_up(), self._choose(state)
        if not isinstance(chosen, Revision):
            return chosen
        if chosen.name == current.name:
            return Nothing(f"{state.title} runs revision {chosen.number} already")
        objection = state.objection or self._unsafe(state, chosen)
        if objection:
            return Refusal(objection)
        images = ", ".join(sorted(chosen.images.values()))
        return Proposal(
            summary=f"Roll back {state.title} to revision {chosen.number} ({images})",
            before=self.owned(state),
            after={"template": template_digest(chosen.template)},
            rows=_rows(current, chosen),
            notes=state.notes,
        )

    def _unsafe(self, state: Templated, chosen: Revision) -> str:
        """Why it must not go back; empty when it may. An undo may always."""
        why = "" if self.to_template or self.even_if_unsafe else unsafe(state.revisions, chosen)
        return f"{why}: repair forward, or have its owner say that it may be (`even_if_unsafe`)" if why else ""

    def _choose(self, state: Templated) -> Revision | Nothing | Refusal:
        known = state.revisions
        if self.to_template:
            found = [one for one in known if template_digest(one.template) == self.to_template]
            return found[0] if found else Refusal("the revision that was there before is not kept any more")
        if self.to_revision is not None:
            found = [one for one in known if self.to_revision in one.numbers]
            numbers = ", ".join(str(one.number) for one in known)
            return found[0] if found else Refusal(f"revision {self.to_revision} is not kept; there are {numbers}")
        before = previous(state.template, known)
        if before.revision is not None:
            return before.revision
        if before.returned and state.troubles:
            return Refusal(f"{before.reason}, and what it went back to fails too: {'; '.join(state.troubles)}")
        return Nothing(f"{state.title}: {before.reason}") if before.returned else Refusal(before.reason)

    def operations(self, after: JsonObject, state: Templated) -> list[JsonObject]:
        """Write the revision's template as it was.

        Raises:
            NotFound: the revision is not kept any more.
        """
        goal = next((one for one in state.revisions if template_digest(one.template) == after["template"]), None)
        if goal is None:
            raise NotFound(f"the revision that {state.title} was to be taken back to is not kept any more")
        return [{"op": "replace", "path": "/spec/template", "value": goal.template}]

    def backwards(self, before: JsonObject) -> JsonObject:
        """Parameters of the call that goes to the template that was there."""
        call: JsonObject = {"namespace": self.namespace, "name": self.name, "cluster": self.cluster}
        return {**call, "to_template": before["template"]}


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
