"""Stop an execution of a Step Functions state machine."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.aws._account import AccountName, account_of, target
from activities.aws._stopping import STAYS_STOPPED, Phase, Work, phase_of, stopped, stopping
from halon.contracts.base import JsonObject
from halon.contracts.plan import Effect, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal
from halon.kit.env import Env

_PHASES: dict[str, Phase] = {
    "RUNNING": "open",
    "PENDING_REDRIVE": "open",
    "ABORTED": "stopped",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "failed",
}
_ERROR = "Halon"
_CAUSE = "stopped by Halon, "


class StopExecution(Change[Work]):
    """Stop an execution of a Step Functions state machine.

    What its steps have started goes on, unless they were started to wait for their end. A stopped execution can be
    redriven by hand. An express workflow cannot be stopped.
    """

    effect: ClassVar[Effect] = Effect.DESTROY
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "aws",
            ("states:DescribeExecution", "states:StopExecution"),
            "arn:aws:states:{region}:{account}:execution:*",
            "to look at it and stop it",
        ),
    )
    example: ClassVar[JsonObject] = {
        "execution": "arn:aws:states:eu-west-1:123456789012:execution:import:5d0f2c8e-5b6f-4f5b-9d4e-0d9a4b0f7c11"
    }
    undoable: ClassVar[bool] = False

    execution: Annotated[
        str,
        StringConstraints(
            max_length=400, pattern=r"^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:execution:[^:\s]+:[^:\s]+$"
        ),
    ]
    """The execution's ARN, which says the region too."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the execution."""
        return target(self.account, self._region, "states", self.execution.partition(":execution:")[2])

    async def observe(self, env: Env) -> Work:
        """Look at the execution."""
        found = await account_of(env, self.account).call(
            "stepfunctions", "describe_execution", region=self._region, executionArn=self.execution
        )
        status, cause = str(found.get("status", "")), str(found.get("cause", ""))
        return Work(
            phase=phase_of(status, _PHASES),
            status=status,
            ended=status in _PHASES,
            key=cause.removeprefix(_CAUSE) if cause.startswith(_CAUSE) else "",
        )

    def plan(self, state: Work, now: datetime) -> Proposal | Nothing | Refusal:
        """Stop it, unless it has ended."""
        return stopping(state, f"execution {self.execution.rpartition(':')[2]}", "what it has not done stays undone")

    def owned(self, state: Work) -> JsonObject:
        """Whether it runs."""
        return state.owned

    def mark(self, state: Work) -> str:
        """The key that it was stopped with."""
        return state.key

    async def apply(self, env: Env, after: JsonObject, state: Work, key: str) -> None:
        """Stop it, with the mark in the cause."""
        await account_of(env, self.account).call(
            "stepfunctions",
            "stop_execution",
            region=self._region,
            executionArn=self.execution,
            error=_ERROR,
            cause=f"{_CAUSE}{key}",
        )

    def settled(self, state: Work, after: JsonObject) -> Settlement:
        """Whether it is aborted."""
        return stopped(state)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """Say why not."""
        return STAYS_STOPPED

    @property
    def _region(self) -> str:
        return self.execution.split(":")[3]
