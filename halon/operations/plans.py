"""What is shown of a plan, whether it comes from a run or from the audit."""

from dataclasses import dataclass

from halon.contracts.audit import AuditKind, StoredRecord
from halon.contracts.base import Json, is_list, is_object
from halon.contracts.plan import Plan


@dataclass(frozen=True, slots=True)
class PlanView:
    """What is shown of a plan, whether it comes from a run or from the audit."""

    digest: str
    kind: str
    summary: str
    target: str
    reason: str
    rows: tuple[tuple[str, Json, Json], ...]
    notes: tuple[str, ...]
    undo: str

    def to_json(self) -> dict[str, Json]:
        """The same for machines."""
        return {
            "digest": self.digest,
            "kind": self.kind,
            "summary": self.summary,
            "target": self.target,
            "reason": self.reason,
            "rows": [{"field": name, "before": before, "after": after} for name, before, after in self.rows],
            "notes": list(self.notes),
            "undo": self.undo,
        }


def of_plan(plan: Plan) -> PlanView:
    """View a plan."""
    return PlanView(
        digest=plan.digest,
        kind=plan.kind,
        summary=plan.summary,
        target=plan.target,
        reason=plan.reason,
        rows=tuple((row.field, row.before, row.after) for row in plan.rows),
        notes=plan.notes,
        undo=plan.undo.call.action if plan.undo.call else f"none: {plan.undo.reason}",
    )


def of_record(record: StoredRecord) -> PlanView | None:
    """View the plan that an audit record tells of; None for records of other things."""
    if record.kind is not AuditKind.PLANNED:
        return None
    data = record.data
    rows, notes = data.get("rows"), data.get("notes")
    return PlanView(
        digest=_text(data.get("plan")),
        kind=_text(data.get("kind")),
        summary=record.message,
        target=_text(data.get("target")),
        reason=_text(data.get("reason")),
        rows=tuple(
            (_text(row.get("field")), row.get("before"), row.get("after"))
            for row in (rows if is_list(rows) else ())
            if is_object(row)
        ),
        notes=tuple(_text(one) for one in (notes if is_list(notes) else ())),
        undo=_text(data.get("undo")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
