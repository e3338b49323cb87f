"""Replacing all pods of a workload by new ones of the same kind: what it has in common for every kind.

The restart counts in an annotation of the pod template, which makes it a rollout like any other.
"""

from datetime import datetime

from activities.kubernetes._object import annotate
from activities.kubernetes._templated import Templated, template_digest
from activities.kubernetes._workload import OfTemplate
from halon.clients.kubernetes.rollout import RESTART_MARK, annotation
from halon.contracts.base import JsonObject, is_object
from halon.contracts.plan import Row
from halon.kit.action import Nothing, Proposal, Refusal


class Restart(OfTemplate):
    """Count one restart more."""

    def plan(self, state: Templated, now: datetime) -> Proposal | Nothing | Refusal:
        """Count one restart more.

        Raises:
            TransientError: the controller has not taken up the newest template yet.
        """
        state.taken_up()
        if state.objection:
            return Refusal(state.objection)
        if state.size == 0:
            return Nothing(f"{state.title} has no {state.size_unit} to restart")
        count = _count(state.template)
        return Proposal(
            summary=f"Restart {state.title} ({state.size} {state.size_unit})",
            before=self.owned(state),
            after={"template": template_digest(_restarted(state.template, count + 1))},
            rows=[Row(field="restarts by Halon", before=count, after=count + 1)],
            notes=state.notes,
        )

    def operations(self, after: JsonObject, state: Templated) -> list[JsonObject]:
        """Write the count."""
        metadata = state.template.get("metadata")
        there = is_object(metadata) and bool(metadata.get("annotations"))
        made: list[JsonObject] = (
            [] if is_object(metadata) else [{"op": "add", "path": "/spec/template/metadata", "value": {}}]
        )
        count = str(_count(state.template) + 1)
        return [*made, *annotate("/spec/template/metadata", there, {RESTART_MARK: count})]

    def backwards(self, before: JsonObject) -> JsonObject:
        """Parameters of the call that goes to the template that was there."""
        call: JsonObject = {"namespace": self.namespace, "name": self.name, "cluster": self.cluster}
        return {**call, "to_template": before["template"]}


def _count(template: JsonObject) -> int:
    text = annotation(template, RESTART_MARK)
    return int(text) if text.isascii() and text.isdigit() else 0


def _restarted(template: JsonObject, count: int) -> JsonObject:
    metadata = template.get("metadata")
    kept: JsonObject = metadata if is_object(metadata) else {}
    there = kept.get("annotations")
    annotations: JsonObject = there if is_object(there) else {}
    return {**template, "metadata": {**kept, "annotations": {**annotations, RESTART_MARK: str(count)}}}
