"""Work that runs until it ends: what is there before a change, and what somebody else does to it."""

from collections.abc import Callable
from typing import Any

from emulator import Emulator
from layers_work import LAYERS, begin
from operations import Given

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:import:one"
RUN = {"job": "nightly-export", "run": "jr_1"}
STEP = {"cluster": "j-2AL4", "step": "s-1000"}


def _runs(name: str, **what: Any) -> Callable[[Emulator], None]:
    return lambda aws: begin(aws, name, **{"status": "RUNNING", **what})


def _ends(name: str, status: str) -> Callable[[Emulator], None]:
    return lambda aws: aws.state["work"][name].update(status=status)


def _queue(aws: Emulator) -> None:
    begin(aws, "queue", state="ENABLED", status="VALID", tags={"team": "reports"})


def _broken(aws: Emulator) -> None:
    aws.state["work"]["queue"]["state"] = "DRAINING"


WORLDS: dict[str, Given] = {
    "stop_execution": Given({"execution": EXECUTION}, _runs(EXECUTION), _ends(EXECUTION, "SUCCEEDED"), LAYERS, loses=1),
    "stop_batch_job": Given({"job": "job-1"}, _runs("job-1"), _ends("job-1", "SUCCEEDED"), LAYERS, loses=1),
    "disable_job_queue": Given({"queue": "reports"}, _queue, _broken, LAYERS),
    "stop_glue_job": Given(RUN, _runs("jr_1"), _ends("jr_1", "SUCCEEDED"), LAYERS, loses=1),
    "stop_emr_step": Given(STEP, _runs("s-1000"), _ends("s-1000", "COMPLETED"), LAYERS, loses=1),
    "terminate_emr_cluster": Given(
        {"cluster": "j-2AL4"}, _runs("j-2AL4"), _ends("j-2AL4", "TERMINATED_WITH_ERRORS"), LAYERS
    ),
}
