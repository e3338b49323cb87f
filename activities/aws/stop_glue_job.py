"""Stop a run of a Glue job."""

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
    "STOPPING": "stopped",
    "STOPPED": "stopped",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMEOUT": "failed",
    "ERROR": "failed",
    "EXPIRED": "failed",
}


class StopGlueJob(Change[Work]):
    """Stop a run of a Glue job. Glue keeps nowhere who stopped it, so a run that is stopping counts as ours."""

    effect: ClassVar[Effect] = Effect.DESTROY
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "aws",
            ("glue:BatchStopJobRun", "glue:GetJobRun"),
            "arn:aws:glue:{region}:{account}:job/{job}",
            "to look at it and stop it",
        ),
    )
    example: ClassVar[JsonObject] = {
        "job": "nightly-export",
        "run": "jr_2f6a1d8c0b7e4a59915f0d2c8e3b7a61f4d5c6b7a8e9f0a1b2c3d4e5f6a7b8c9",
    }
    undoable: ClassVar[bool] = False
    marks: ClassVar[bool] = False

    job: Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^/*\x00-\x1f]+$")]
    """The job's name."""
    run: Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9_-]+$")]
    """The run's id."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the run."""
        return target(self.account, self.region, "glue", f"{self.job}/{self.run}")

    async def observe(self, env: Env) -> Work:
        """Look at the run."""
        found = await account_of(env, self.account).call(
            "glue", "get_job_run", region=self.region, JobName=self.job, RunId=self.run
        )
        status = str(inner(found, "JobRun").get("JobRunState", ""))
        return Work(phase=phase_of(status, _PHASES), status=status, ended=status in _PHASES and status != "STOPPING")

    def plan(self, state: Work, now: datetime) -> Proposal | Nothing | Refusal:
        """Stop it, unless it has ended."""
        return stopping(state, f"run {self.run} of Glue job {self.job}", "what it has computed and not stored is lost")

    def owned(self, state: Work) -> JsonObject:
        """Whether it runs."""
        return state.owned

    def mark(self, state: Work) -> str:
        """There is none."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: Work, key: str) -> None:
        """Stop it.

        Raises:
            PermanentError: Glue refused, and said so inside its answer.
        """
        answer = await account_of(env, self.account).call(
            "glue", "batch_stop_job_run", region=self.region, JobName=self.job, JobRunIds=[self.run]
        )
        for one in listed(answer, "Errors"):
            told = inner(one, "ErrorDetail")
            raise PermanentError(f"Glue did not stop run {self.run}: {str(told.get('ErrorMessage', ''))[:300]}")

    def settled(self, state: Work, after: JsonObject) -> Settlement:
        """Whether it has ended."""
        return stopped(state)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """Say why not."""
        return STAYS_STOPPED
