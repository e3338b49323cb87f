"""Keep a queue of AWS Batch from taking jobs."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import inner, listed
from activities.aws._intent import halons, intent, tag_name, tag_value
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.errors import NotFound, TransientError
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

_PART = "state"
QUEUE = "arn:aws:batch:{region}:{account}:job-queue/{queue}"
_BUSY = frozenset({"CREATING", "UPDATING"})


class Queue(State):
    """A queue."""

    arn: str
    state: str
    """ENABLED or DISABLED."""
    status: str
    tags: dict[str, str]


class DisableJobQueue(Change[Queue]):
    """Keep a queue of AWS Batch from taking new jobs; those that are in it go on. With `enable` it takes them again."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("aws", ("batch:DescribeJobQueues",), "*", "to look at it; Batch knows no narrower right"),
        Permission("aws", ("batch:TagResource", "batch:UpdateJobQueue"), QUEUE, "to change it, with Halon's mark"),
    )
    example: ClassVar[JsonObject] = {"queue": "reports"}

    queue: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_-]+$")]
    """The queue's name."""
    enable: bool = False
    """Let it take jobs again."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the queue."""
        return target(self.account, self.region, "batch", f"queue/{self.queue}")

    async def observe(self, env: Env) -> Queue:
        """Look at the queue."""
        found = await account_of(env, self.account).call(
            "batch", "describe_job_queues", region=self.region, jobQueues=[self.queue]
        )
        for one in listed(found, "jobQueues"):
            tags = {name: str(value) for name, value in inner(one, "tags").items()}
            return Queue(
                arn=str(one["jobQueueArn"]),
                state=str(one.get("state", "")),
                status=str(one.get("status", "")),
                tags=halons(tags),
            )
        raise NotFound(f"AWS Batch has no queue {self.queue}")

    def plan(self, state: Queue, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        wanted = "ENABLED" if self.enable else "DISABLED"
        if state.status in {"DELETING", "DELETED"}:
            return Refusal(f"batch queue {self.queue} is being deleted")
        if state.state == wanted:
            return Nothing(f"batch queue {self.queue} is {wanted} already")
        return Proposal(
            summary=f"Let batch queue {self.queue} {'take jobs again' if self.enable else 'take no new jobs'}",
            before={"state": state.state},
            after={"state": wanted},
            rows=[Row(field="state", before=state.state, after=wanted)],
            notes=[] if self.enable else ["jobs that are in the queue go on", "whoever submits a job gets an error"],
        )

    def owned(self, state: Queue) -> JsonObject:
        """Whether it takes jobs."""
        return {"state": state.state}

    def mark(self, state: Queue) -> str:
        """The key of the last change of it."""
        return intent(state.tags, _PART).mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Queue, key: str) -> None:
        """Write the mark, then the state.

        Raises:
            TransientError: Batch is busy with another change of it.
        """
        if state.status in _BUSY:
            raise TransientError(f"batch queue {self.queue} is {state.status}: Batch takes no change now")
        api, owned = account_of(env, self.account), self.owned(state)
        if not intent(state.tags, _PART).stands(key, owned):
            tags = {tag_name(_PART): tag_value(key, owned)}
            await api.call("batch", "tag_resource", region=self.region, resourceArn=state.arn, tags=tags)
        await api.call("batch", "update_job_queue", region=self.region, jobQueue=self.queue, state=after["state"])

    def settled(self, state: Queue, after: JsonObject) -> Settlement:
        """Whether Batch has taken it up."""
        told = f"it is {state.state} and {state.status}"
        if self.owned(state) != after:
            return Settlement(state="broken", reason=f"somebody changed it meanwhile: {told}")
        if state.status == "INVALID":
            return Settlement(state="broken", reason=told)
        return Settlement(state="waiting" if state.status in _BUSY else "settled", reason=told)

    def undo(self, before: JsonObject, after: JsonObject) -> "DisableJobQueue":
        """Set the state that was there."""
        return DisableJobQueue.model_validate({**self.model_dump(), "enable": before["state"] == "ENABLED"})
