"""A workflow runner that does not let a query run a workflow ahead of its time.

When a worker has died, a query that another one answers may bring events along whose workflow task nobody has started
yet, such as a timer that fired. The SDK (Core of temporalio 1.35) hands them to the workflow there and then, with the
time of the task before. What the workflow decides by that time goes into its history with the next task, and no replay
decides it again: the workflow is stuck for good. Here such an activation fails instead. The query is answered with an
error and asked again, the workflow is read anew, and its next task brings the events with the right time.
"""

from collections.abc import Callable
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

AHEAD = "a query brought events whose workflow task has not been started: asked again it is answered"
_HARMLESS = frozenset({"query_workflow", "remove_from_cache"})
"""Jobs that let no workflow go on."""


class PunctualRunner(SandboxedWorkflowRunner):
    """Temporal's sandbox, for workflows that decide by the time of their tasks only."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Watch over a workflow's activations."""
        instance: Any = super().create_instance(det)
        instance.activate = punctual(instance.activate)
        return instance  # type: ignore[no-any-return]  # `Any` lets its method be replaced


def punctual(
    activate: Callable[[WorkflowActivation], WorkflowActivationCompletion],
) -> Callable[[WorkflowActivation], WorkflowActivationCompletion]:
    """Wrap a workflow's `activate`: new events without a later time are not taken."""
    length, at = 0, 0

    def activated(activation: WorkflowActivation) -> WorkflowActivationCompletion:
        nonlocal length, at
        if {job.WhichOneof("variant") for job in activation.jobs} <= _HARMLESS:
            return activate(activation)
        now = activation.timestamp.ToNanoseconds()
        # A replay is not asked: its times are those of tasks that were completed.
        if not activation.is_replaying and activation.history_length > length > 0 and now <= at:
            completion = WorkflowActivationCompletion()
            completion.failed.failure.message = AHEAD
            completion.failed.failure.application_failure_info.type = "ahead_of_time"
            return completion
        length, at = activation.history_length, now
        return activate(activation)

    return activated
