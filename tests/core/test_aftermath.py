"""What a terminated run has left behind, as its history tells."""

from datetime import UTC, datetime

import pytest

from halon.contracts.activity import ApplyRequest
from halon.contracts.plan import Applied, Effect, Plan
from halon.core.aftermath import IN_PLACE, PERHAPS_BACK, UNKNOWN, Attempt, aftermath

NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)
DONE, DRIFT = Applied(status="applied"), Applied(status="drift", reason="moved")
THEIRS = Applied(status="already", ours=False)


def wrote(target: str, before: int, after: int, applied: Applied | None) -> Attempt:
    plan = Plan(
        kind="change",
        action="lamp.dim",
        params={"to": after},
        effect=Effect.CHANGE,
        target=target,
        summary=f"{target} to {after}",
        before={"level": before},
        after={"level": after},
    )
    request = ApplyRequest(plan=plan, key=f"{target}{after}", incident="one", step="dim", now=NOW)
    return Attempt(request, applied)


@pytest.mark.parametrize(
    ("attempts", "left"),
    [
        ([], []),
        ([wrote("a", 9, 1, DONE)], [("a to 1", IN_PLACE)]),
        ([wrote("a", 9, 1, None)], [("a to 1", UNKNOWN)]),
        ([wrote("a", 9, 1, DRIFT), wrote("a", 7, 1, THEIRS)], []),
        ([wrote("a", 9, 1, DONE), wrote("b", 9, 1, DONE), wrote("b", 1, 9, DONE)], [("a to 1", IN_PLACE)]),
        ([wrote("a", 9, 1, DONE), wrote("a", 1, 9, None)], [("a to 1", PERHAPS_BACK)]),
    ],
)
def test_what_took_effect_and_was_not_put_back_is_named(attempts: list[Attempt], left: list[tuple[str, str]]) -> None:
    assert [(one.left.summary, one.left.reason) for one in aftermath(attempts).remains] == left
