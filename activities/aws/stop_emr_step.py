"""Cancel a step of an EMR cluster."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import inner, listed
from activities.aws._stopping import STAYS_STOPPED, Phase, Work, phase_of, stopped, stopping
from halon.contracts.base import JsonObject
from halon.contracts.plan import Effect, Settlement
from halon.errors import PermanentError
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal
from halon.kit.env import Env

_PHASES: dict[str, Phase] = {
    "CANCEL_PENDING": "stopped",
    "CANCELLED": "stopped",
    "INTERRUPTED": "stopped",
    "COMPLETED": "succeeded",
    "FAILED": "failed",
}


class StopEmrStep(Change[Work]):
    """Cancel a step of an EMR cluster: one that waits never begins, one that runs gets its processes terminated.

    The cluster goes on, and so do its costs: see `aws.terminate_emr_cluster`. EMR keeps nowhere who cancelled a step,
    so one that is being cancelled counts as ours.
    """

    effect: ClassVar[Effect] = Effect.DESTROY
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "aws",
            ("elasticmapreduce:CancelSteps", "elasticmapreduce:DescribeStep"),
            "arn:aws:elasticmapreduce:{region}:{account}:cluster/{cluster}",
            "to look at it and cancel it",
        ),
    )
    example: ClassVar[JsonObject] = {"cluster": "j-2AL4XXXXXX5T9", "step": "s-1000XXXXXX7R3"}
    undoable: ClassVar[bool] = False
    marks: ClassVar[bool] = False

    cluster: Annotated[str, StringConstraints(min_length=3, max_length=40, pattern=r"^j-[A-Z0-9]+$")]
    """The cluster's id."""
    step: Annotated[str, StringConstraints(min_length=3, max_length=40, pattern=r"^s-[A-Z0-9]+$")]
    """The step's id."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the step."""
        return target(self.account, self.region, "emr", f"{self.cluster}/{self.step}")

    async def observe(self, env: Env) -> Work:
        """Look at the step."""
        found = await account_of(env, self.account).call(
            "emr", "describe_step", region=self.region, ClusterId=self.cluster, StepId=self.step
        )
        status = str(inner(inner(found, "Step"), "Status").get("State", ""))
        return Work(phase=phase_of(status, _PHASES), status=status, ended=status != "CANCEL_PENDING")

    def plan(self, state: Work, now: datetime) -> Proposal | Nothing | Refusal:
        """Cancel it, unless it has ended."""
        return stopping(state, f"EMR step {self.cluster}/{self.step}", "what it has computed and not stored is lost")

    def owned(self, state: Work) -> JsonObject:
        """Whether it runs."""
        return state.owned

    def mark(self, state: Work) -> str:
        """There is none."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: Work, key: str) -> None:
        """Cancel it.

        Raises:
            PermanentError: EMR refused, and said so inside its answer.
        """
        answer = await account_of(env, self.account).call(
            "emr",
            "cancel_steps",
            region=self.region,
            ClusterId=self.cluster,
            StepIds=[self.step],
            StepCancellationOption="TERMINATE_PROCESS",
        )
        for one in listed(answer, "CancelStepsInfoList"):
            if one.get("Status") == "FAILED":
                raise PermanentError(f"EMR did not cancel step {self.step}: {str(one.get('Reason', ''))[:300]}")

    def settled(self, state: Work, after: JsonObject) -> Settlement:
        """Whether it has ended."""
        return stopped(state)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """Say why not."""
        return STAYS_STOPPED
