"""Work that runs on AWS until it ends, which moto has not or ends by itself: executions, jobs, runs, steps, clusters.

Tests put what there is into `Emulator.state["work"]` by `begin`; a stop takes a look to come to its end, as it does
at AWS. What is answered is checked against botocore's model of the answer.
"""

from collections.abc import Callable
from typing import Any

from botocore.session import get_session
from botocore.validate import ParamValidator
from emulator import Answer, Call, Emulator, Layer

QUEUE_ARN = "arn:aws:batch:eu-west-1:123456789012:job-queue/reports"


def begin(aws: Emulator, name: str, **what: Any) -> None:
    """Something is there."""
    aws.state.setdefault("work", {})[name] = what


def shaped(call: Call, data: dict[str, Any]) -> Answer:
    """Answer, if that is what AWS could answer."""
    shape = get_session().get_service_model(call.service).operation_model(call.operation).output_shape
    report = ParamValidator().validate(data, shape)
    assert not report.has_errors(), report.generate_report()
    return call.answer(data)


def _one(call: Call, name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = call.emulator.state.get("work", {}).get(name)
    if found is not None and "then" in found:
        found["looks"] = found.get("looks", 0) + 1
        if found["looks"] > 1:
            found["status"] = found.pop("then")
    return found


def _known(look: Callable[[Call, dict[str, Any]], Answer], *path: str, missing: str) -> Layer:
    """A layer that looks at one thing, whose name is at `path` in the parameters."""

    def layer(call: Call) -> Answer:
        name: Any = call.data
        for step in path:
            name = name[0] if step == "0" else name[step]
        found = _one(call, name)
        return call.error(missing, f"there is no {name}") if found is None else look(call, found)

    return layer


def describe_execution(call: Call, found: dict[str, Any]) -> Answer:
    arn = call.data["executionArn"]
    told = {
        "executionArn": arn,
        "stateMachineArn": arn.replace(":execution:", ":stateMachine:").rpartition(":")[0],
        "status": found["status"],
        **{name: found[name] for name in ("error", "cause") if name in found},
    }
    return call.answer(told)


def stop_execution(call: Call, found: dict[str, Any]) -> Answer:
    found |= {"status": "ABORTED", "error": call.data["error"], "cause": call.data["cause"]}
    return call.answer({"stopDate": 1767323045})


def describe_jobs(call: Call) -> Answer:
    jobs: list[dict[str, Any]] = []
    for name in call.data["jobs"]:
        found = _one(call, name)
        if found is not None:
            jobs.append(
                {
                    "jobId": name,
                    "jobName": "report",
                    "jobQueue": QUEUE_ARN,
                    "jobDefinition": "arn:aws:batch:eu-west-1:123456789012:job-definition/report:1",
                    "startedAt": 1767323045000,
                    "status": found["status"],
                    "statusReason": found.get("reason", ""),
                    "isTerminated": "reason" in found,
                }
            )
    return shaped(call, {"jobs": jobs})


def terminate_job(call: Call) -> Answer:
    call.emulator.state["work"][call.data["jobId"]] |= {"reason": call.data["reason"], "then": "FAILED", "looks": 0}
    return shaped(call, {})


def describe_queues(call: Call) -> Answer:
    found = _one(call, "queue")
    assert found is not None
    queue = {
        "jobQueueName": "reports",
        "jobQueueArn": QUEUE_ARN,
        "state": found["state"],
        "status": found["status"],
        "priority": 1,
        "computeEnvironmentOrder": [],
        "tags": found["tags"],
    }
    return shaped(call, {"jobQueues": [queue] if call.data["jobQueues"] == ["reports"] else []})


def update_queue(call: Call) -> Answer:
    call.emulator.state["work"]["queue"] |= {
        "state": call.data["state"],
        "status": "UPDATING",
        "then": "VALID",
        "looks": 0,
    }
    return shaped(call, {"jobQueueName": "reports", "jobQueueArn": QUEUE_ARN})


def tag_queue(call: Call) -> Answer:
    call.emulator.state["work"]["queue"]["tags"] |= call.data["tags"]
    return shaped(call, {})


def get_run(call: Call, found: dict[str, Any]) -> Answer:
    run = {"Id": call.data["RunId"], "JobName": call.data["JobName"], "JobRunState": found["status"]}
    return shaped(call, {"JobRun": run})


def stop_run(call: Call, found: dict[str, Any]) -> Answer:
    run = {"JobName": call.data["JobName"], "JobRunId": call.data["JobRunIds"][0]}
    if found.get("stuck"):
        error = {"ErrorCode": "JobRunNotInTerminalStateException", "ErrorMessage": "the run cannot be stopped now"}
        return shaped(call, {"SuccessfulSubmissions": [], "Errors": [{**run, "ErrorDetail": error}]})
    found |= {"status": "STOPPING", "then": "STOPPED", "looks": 0}
    return shaped(call, {"SuccessfulSubmissions": [run], "Errors": []})


def describe_step(call: Call, found: dict[str, Any]) -> Answer:
    step = {"Id": call.data["StepId"], "Name": "import", "Status": {"State": found["status"]}}
    return shaped(call, {"Step": step})


def cancel_steps(call: Call, found: dict[str, Any]) -> Answer:
    step = call.data["StepIds"][0]
    if found.get("stuck"):
        told = {"StepId": step, "Status": "FAILED", "Reason": "the step cannot be cancelled"}
        return shaped(call, {"CancelStepsInfoList": [told]})
    found |= {"status": "CANCEL_PENDING", "then": "CANCELLED", "looks": 0}
    return shaped(call, {"CancelStepsInfoList": [{"StepId": step, "Status": "SUBMITTED"}]})


def describe_cluster(call: Call, found: dict[str, Any]) -> Answer:
    tags = [{"Key": name, "Value": value} for name, value in found.setdefault("tags", {}).items()]
    cluster = {
        "Id": call.data["ClusterId"],
        "Name": "etl",
        "Status": {"State": found["status"]},
        "TerminationProtected": found.get("protected", False),
        "Tags": tags,
    }
    return shaped(call, {"Cluster": cluster})


def tag_cluster(call: Call, found: dict[str, Any]) -> Answer:
    found.setdefault("tags", {}).update({one["Key"]: one["Value"] for one in call.data["Tags"]})
    return shaped(call, {})


def terminate_cluster(call: Call, found: dict[str, Any]) -> Answer:
    found |= {"status": "TERMINATING", "then": "TERMINATED", "looks": 0}
    return call.answer({})


LAYERS: dict[tuple[str, str], Layer] = {
    ("stepfunctions", "DescribeExecution"): _known(describe_execution, "executionArn", missing="ExecutionDoesNotExist"),
    ("stepfunctions", "StopExecution"): _known(stop_execution, "executionArn", missing="ExecutionDoesNotExist"),
    ("batch", "DescribeJobs"): describe_jobs,
    ("batch", "TerminateJob"): terminate_job,
    ("batch", "DescribeJobQueues"): describe_queues,
    ("batch", "UpdateJobQueue"): update_queue,
    ("batch", "TagResource"): tag_queue,
    ("glue", "GetJobRun"): _known(get_run, "RunId", missing="EntityNotFoundException"),
    ("glue", "BatchStopJobRun"): _known(stop_run, "JobRunIds", "0", missing="EntityNotFoundException"),
    ("emr", "DescribeStep"): _known(describe_step, "StepId", missing="InvalidRequestException"),
    ("emr", "CancelSteps"): _known(cancel_steps, "StepIds", "0", missing="InvalidRequestException"),
    ("emr", "DescribeCluster"): _known(describe_cluster, "ClusterId", missing="InvalidRequestException"),
    ("emr", "AddTags"): _known(tag_cluster, "ResourceId", missing="InvalidRequestException"),
    ("emr", "TerminateJobFlows"): _known(terminate_cluster, "JobFlowIds", "0", missing="InvalidRequestException"),
}
