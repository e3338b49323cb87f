"""What a workflow decided once it decides again: histories replay, with the decisions inside the sandbox as well."""

from typing import Any

from lamp import APPROVED, DIM, GROUP, LOOK, Engine, alert, book
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

import worker
from halon.contracts.outcome import Outcome
from workflows.incident import Incident
from workflows.remediation import Remediation

FIRST = "dim-0000000000-" + alert().episode[:8]
STEPS: list[dict[str, Any]] = [
    {
        "id": "both",
        "parallel": {
            "left": {"steps": [{"id": "see", "uses": "lamp.look"}, {"wait": "5s"}]},
            "right": {"steps": [{"wait": "2s"}, {"id": "names", "set": {"levels": ["${{ 3 }}", "${{ 4 }}"]}}]},
        },
    },
    {**APPROVED, "expires": "2m"},
    {"wait": "5m"},
    LOOK,
    {
        "id": "each",
        "for_each": {
            "in": "${{ [5, 6] }}",
            "as": "level",
            "max_items": 3,
            "steps": [{"id": "set", "uses": "lamp.dim", "with": {"to": "${{ level }}"}}],
        },
    },
    {"id": "never", "verify": {"uses": "lamp.look"}, "until": "${{ !result.lit }}", "every": "1s", "within": "3s"},
]


async def test_a_run_with_approval_lease_loop_and_undo_replays(engine: Engine) -> None:
    handle = await engine.fire(book(STEPS, **{"finally": [DIM]}), alert())
    await engine.waiting(FIRST)
    await engine.run(FIRST).execute_update("decide", {"verdict": "approve", "by": "ana@example.com"})
    result = await handle.result()
    assert result.outcome is Outcome.UNDONE, result.reason
    assert engine.lamp.writes == [1, 9, 5, 6, 5, 9, 1]
    replayer = Replayer(
        workflows=[Incident, Remediation],
        data_converter=pydantic_data_converter,
        workflow_runner=worker.workflow_runner(guard_core=True),
    )
    for workflow_id in (GROUP, f"{FIRST}-run"):
        history = await engine.client.get_workflow_handle(workflow_id).fetch_history()
        await replayer.replay_workflow(history)
