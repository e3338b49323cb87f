"""Plans as people read them: before and after, what to know, how it is undone."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from halon.cli.output import clean, json_text, styled, table
from halon.contracts.audit import AuditKind, StoredRecord
from halon.contracts.base import Json, is_list, is_object
from halon.contracts.plan import Plan
from halon.contracts.run import OpenGate


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


def plan_block(plan: PlanView) -> RenderableType:
    """Show a plan."""
    parts: list[RenderableType] = [
        Text.assemble(("plan ", "bold"), (plan.digest[:12], "bold cyan"), "  ", styled(plan.summary, "bold")),
        styled(f"  target  {plan.target}"),
    ]
    if plan.kind != "change":
        parts.append(styled(f"  {plan.kind}  {plan.reason}", "yellow"))
    if plan.rows:
        cells = [(styled(f"  {name}"), _before(before), _after(after)) for name, before, after in plan.rows]
        parts.append(table(("  field", "before", "after"), cells))
    parts += [styled(f"  note    {one}", "yellow") for one in plan.notes]
    parts.append(styled(f"  undo    {plan.undo or 'none'}", "dim"))
    return Group(*parts)


def gate_block(gate: OpenGate, incident: str) -> RenderableType:
    """Show a question that waits, and how to answer it."""
    given = f" ({', '.join(gate.approved_by)})" if gate.approved_by else ""
    needed = f"{len(gate.approved_by)} of {gate.quorum} approvals{given}"
    asked = f"waiting for a decision at step {gate.step}: {needed}, asked {gate.asked_at:%Y-%m-%d %H:%M:%S} UTC"
    parts: list[RenderableType] = [styled(asked, "bold yellow")]
    if gate.from_:
        parts.append(styled(f"  from    {', '.join(gate.from_)}"))
    if gate.message:
        parts.append(styled(f"  {gate.message}"))
    parts += [plan_block(of_plan(plan)) for plan in gate.plans]
    parts += [styled(f"  not planned yet: {one}", "dim") for one in gate.unplanned]
    parts += how_to_decide(incident, gate.step, gate.digest)
    return Group(*parts)


def how_to_decide(incident: str, step: str, digest: str) -> Sequence[RenderableType]:
    """The commands that answer."""
    options = f"{clean(incident)} --step {clean(step)} --plan {digest[:12]}"
    return [styled(f"  halon approve {options}", "green"), styled(f"  halon deny {options}", "red")]


def _before(value: Json) -> Text:
    return styled(json_text(value), "red")


def _after(value: Json) -> Text:
    return styled(json_text(value), "green")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
