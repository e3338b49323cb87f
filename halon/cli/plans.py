"""Plans as people read them: before and after, what to know, how it is undone."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from halon.cli.output import clean, json_text, styled, table
from halon.contracts.base import Json
from halon.contracts.run import OpenGate
from halon.operations.plans import PlanView, of_plan


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
