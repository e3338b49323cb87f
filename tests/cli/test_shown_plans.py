"""How plans are shown: before and after, whether they come from a run or from the audit, and safely."""

from datetime import UTC, datetime, timedelta

import pytest

from halon.cli.output import say
from halon.cli.plans import gate_block, plan_block
from halon.contracts.audit import AuditKind, StoredRecord
from halon.contracts.plan import ActionCall, Effect, Plan, Row, Undo
from halon.contracts.run import OpenGate
from halon.operations.plans import of_plan, of_record

PLAN = Plan(
    kind="change",
    action="kubernetes.scale_deployment",
    params={"name": "cart"},
    effect=Effect.CHANGE,
    target="k8s/eu-1/shop/deployment/cart",
    summary="Scale Deployment shop/cart to 2",
    rows=(Row(field="replicas", before=5, after=2), Row(field="image", before="cart:1", after="cart:2")),
    notes=("managed by \033[31mArgo CD\033[0m [link=x]here[/link]",),
    undo=Undo(call=ActionCall(action="kubernetes.scale_deployment")),
)


def record(**changes: object) -> StoredRecord:
    given = {
        "incident": "i",
        "writer": "w",
        "sequence": 1,
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "kind": AuditKind.PLANNED,
        "step": "scale",
        "message": PLAN.summary,
        "data": {
            "plan": PLAN.digest,
            "kind": "change",
            "target": PLAN.target,
            "reason": "",
            "rows": [row.model_dump(mode="json") for row in PLAN.rows],
            "notes": list(PLAN.notes),
            "undo": "kubernetes.scale_deployment",
        },
        "position": 1,
        "previous": "0" * 64,
        "hash": "0" * 64,
    }
    return StoredRecord.model_validate(given | changes)


def test_the_audit_shows_a_plan_as_the_run_does() -> None:
    assert of_record(record()) == of_plan(PLAN)
    assert of_record(record(kind=AuditKind.APPLIED)) is None


def test_a_record_that_was_cut_to_size_is_shown_all_the_same() -> None:
    view = of_record(record(data={"rows": "… 40 kB", "notes": None}))
    assert view is not None
    assert (view.summary, view.rows, view.notes) == (PLAN.summary, (), ())


def test_a_plan_is_before_and_after_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    say(plan_block(of_plan(PLAN)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"plan {PLAN.digest[:12]}  Scale Deployment shop/cart to 2"
    assert ["replicas", "5", "2"] in [line.split() for line in lines]
    assert lines[2].split() == ["field", "before", "after"]


def test_what_others_wrote_reaches_no_terminal_as_control_or_markup(capsys: pytest.CaptureFixture[str]) -> None:
    say(plan_block(of_plan(PLAN)))
    shown = capsys.readouterr().out
    assert "\033" not in shown
    assert "[link=x]here[/link]" in shown


def test_a_question_says_how_to_answer_it(capsys: pytest.CaptureFixture[str]) -> None:
    gate = OpenGate(
        step="scale",
        digest=PLAN.digest,
        asked_at=datetime(2026, 1, 2, tzinfo=UTC),
        within=timedelta(minutes=10),
        quorum=2,
        approved_by=("ana@example.com",),
        plans=(PLAN,),
    )
    say(gate_block(gate, "cart-1-2"))
    shown = capsys.readouterr().out
    assert "1 of 2 approvals (ana@example.com)" in shown
    assert f"halon approve cart-1-2 --step scale --plan {PLAN.digest[:12]}" in shown
