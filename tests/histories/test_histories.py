"""Histories that earlier versions have written replay against today's code, for every workflow and outcome."""

import gzip
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

import worker
from halon.contracts.outcome import Outcome

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*/*.json.gz"))


def read(path: Path) -> WorkflowHistory:
    workflow_id, _, history = gzip.decompress(path.read_bytes()).decode().partition("\n")
    return WorkflowHistory.from_json(workflow_id, history)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name.removesuffix('.json.gz')}")
async def test_a_history_replays(path: Path) -> None:
    replayer = Replayer(
        workflows=worker.WORKFLOWS,
        data_converter=pydantic_data_converter,
        workflow_runner=worker.workflow_runner(),
    )
    await replayer.replay_workflow(read(path))


def test_every_outcome_and_every_workflow_has_a_history() -> None:
    kinds = {path.name.split(".")[1] for path in FILES}
    assert kinds == {"incident", "remediation", "ledger", "coordination", "digest"}
    recorded = {path.name.split(".")[0].partition("-")[0] for path in FILES if ".remediation." in path.name}
    assert {one.value for one in Outcome} <= recorded


async def test_a_history_that_does_not_fit_is_found() -> None:
    """The suite can fail: a run whose plan asks for another action than the history has is not the same run."""
    path = next(one for one in FILES if one.name.startswith("remediated.remediation"))
    workflow_id, _, history = gzip.decompress(path.read_bytes()).decode().partition("\n")
    changed = json.dumps(json.loads(history)).replace('"lamp.dim.plan"', '"lamp.dim.other"')
    assert changed != json.dumps(json.loads(history))
    replayer = Replayer(
        workflows=worker.WORKFLOWS,
        data_converter=pydantic_data_converter,
        workflow_runner=worker.workflow_runner(),
    )
    with pytest.raises(Exception, match=r"(?i)nondeterminism"):
        await replayer.replay_workflow(WorkflowHistory.from_json(workflow_id, changed))
