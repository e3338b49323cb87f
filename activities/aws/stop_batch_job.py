"""Stop a job of AWS Batch, wherever it is in its queue."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import listed
from activities.aws._stopping import STAYS_STOPPED, Phase, Work, phase_of, stopped, stopping
from halon.contracts.base import JsonObject
from halon.contracts.plan import Effect, Settlement
from halon.errors import NotFound
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal
from halon.kit.env import Env

_PHASES: dict[str, Phase] = {"SUCCEEDED": "succeeded", "FAILED": "failed"}
_REASON = "stopped by Halon, "


class StopBatchJob(Change[Work]):
    """Stop a job of AWS Batch: one that runs is terminated, one that waits is cancelled. Batch does not retry it.

    Of an array job all children stop. What feeds the queue goes on feeding it: see `aws.disable_job_queue`.
    """

    effect: ClassVar[Effect] = Effect.DESTROY
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("aws", ("batch:DescribeJobs",), "*", "to look at it; Batch knows no narrower right"),
        Permission("aws", ("batch:TerminateJob",), "arn:aws:batch:{region}:{account}:job/{job}", "to stop it"),
    )
    example: ClassVar[JsonObject] = {"job": "876da822-4198-45f2-a252-6cea32512ea8"}
    undoable: ClassVar[bool] = False

    job: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[a-zA-Z0-9:#-]+$")]
    """The job's id."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the job."""
        return target(self.account, self.region, "batch", f"job/{self.job}")

    async def observe(self, env: Env) -> Work:
        """Look at the job."""
        found = await account_of(env, self.account).call("batch", "describe_jobs", region=self.region, jobs=[self.job])
        for one in listed(found, "jobs"):
            status, reason = str(one.get("status", "")), str(one.get("statusReason", ""))
            phase = phase_of(status, _PHASES)
            halted = bool(one.get("isTerminated")) or bool(one.get("isCancelled"))
            return Work(
                phase="stopped" if halted and phase != "succeeded" else phase,
                status=status,
                ended=status in _PHASES,
                key=reason.removeprefix(_REASON) if reason.startswith(_REASON) else "",
            )
        raise NotFound(f"AWS Batch has no job {self.job}: it forgets those that ended more than a week ago")

    def plan(self, state: Work, now: datetime) -> Proposal | Nothing | Refusal:
        """Stop it, unless it has ended."""
        return stopping(state, f"batch job {self.job}", "what it has computed and not stored is lost")

    def owned(self, state: Work) -> JsonObject:
        """Whether it runs."""
        return state.owned

    def mark(self, state: Work) -> str:
        """The key that it was stopped with."""
        return state.key

    async def apply(self, env: Env, after: JsonObject, state: Work, key: str) -> None:
        """Stop it, with the mark in the reason."""
        await account_of(env, self.account).call(
            "batch", "terminate_job", region=self.region, jobId=self.job, reason=f"{_REASON}{key}"
        )

    def settled(self, state: Work, after: JsonObject) -> Settlement:
        """Whether it has ended."""
        return stopped(state)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """Say why not."""
        return STAYS_STOPPED
