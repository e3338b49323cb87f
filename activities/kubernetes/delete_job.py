"""Delete a Job and its pods."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from activities.kubernetes._job import JobWord, word
from activities.kubernetes._object import ClusterName, Name, Namespace, cluster_of, target, title
from activities.kubernetes._told import controller
from halon.clients.kubernetes.objects import Metadata
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.workloads import JOBS, Job
from halon.contracts.base import JsonObject
from halon.contracts.plan import Effect, Row, Settlement
from halon.errors import NotFound
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env

_SAID: dict[JobWord, str] = {
    "running": "runs",
    "suspended": "is suspended",
    "complete": "is complete",
    "failed": "has failed",
}
_DELETED: JsonObject = {"uid": "", "state": "deleted"}


class Seen(State):
    """The Job, or none when the one that is meant is gone."""

    job: Job | None

    @property
    def owned(self) -> JsonObject:
        """Which Job it is, and how far; one that is being deleted counts as deleted."""
        if self.job is None or self.job.metadata.deletion_timestamp is not None:
            return _DELETED
        return {"uid": self.job.metadata.uid, "state": word(self.job)}


class DeleteJob(Change[Seen]):
    """Delete a Job and its pods: the one that the plan saw, and no later one of its name.

    One that has not ended is refused unless `if_unfinished` says otherwise. It cannot be taken back: keep what its pods
    said first, with `kubernetes.collect_evidence`.
    """

    effect: ClassVar[Effect] = Effect.DESTROY
    undoable: ClassVar[bool] = False
    marks: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get",), "batch/jobs", "to look at it", name="{name}"),
        Permission("kubernetes", ("delete",), "batch/jobs", "to delete it", name="{name}"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "import-28411200"}

    namespace: Namespace
    """The Job's namespace."""
    name: Name
    """The Job's name."""
    uid: Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9-]*$")] = ""
    """Which Job of that name, as `kubernetes.get_job` tells it; without it, the one that the plan sees."""
    if_unfinished: Literal["refuse", "delete"] = "refuse"
    """What to do when it has not ended: refuse, or delete it all the same; its pods are stopped."""
    propagation: Literal["Background", "Foreground"] = "Background"
    """`Background` is done when the Job is gone, and its pods stop after that; `Foreground` waits for them."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the Job."""
        return target(self.cluster, self.namespace, "Job", self.name)

    async def observe(self, env: Env) -> Seen:
        """Look for the Job.

        Raises:
            NotFound: there is none of that name, and no uid tells that there was.
        """
        try:
            found = await cluster_of(env, self.cluster).get(Job, JOBS, self.namespace, self.name)
        except NotFound:
            if not self.uid:
                raise
            return Seen(job=None)
        return Seen(job=found if self.uid in {"", found.metadata.uid} else None)

    def plan(self, state: Seen, now: datetime) -> Proposal | Nothing | Refusal:
        """See whether it is there, and has ended."""
        job = state.job
        if job is None:
            return Nothing(f"Job {self.namespace}/{self.name} with uid {self.uid} is gone")
        named, how = title("Job", job.metadata), word(job)
        if job.metadata.deletion_timestamp is not None:
            return Nothing(f"{named} is being deleted already")
        if job.ended is None and self.if_unfinished == "refuse":
            why = f"{named} has not ended: it {_SAID[how]}, with {job.status.active} pods"
            return Refusal(f"{why}; `if_unfinished: delete` deletes it all the same")
        return Proposal(
            summary=f"Delete {named}, which {_SAID[how]}",
            before=state.owned,
            after=_DELETED,
            rows=[Row(field="state", before=how, after="deleted")],
            notes=_notes(job),
            pinned={"uid": job.metadata.uid},
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Seen) -> Sequence[str]:
        """Let the API server check the deletion."""
        await self._delete(env, state, dry_run=True)
        return ()

    def owned(self, state: Seen) -> JsonObject:
        """Which Job it is, and how far."""
        return state.owned

    def mark(self, state: Seen) -> str:
        """None: what is gone carries nothing."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: Seen, key: str) -> None:
        """Delete it as it was seen."""
        await self._delete(env, state, dry_run=False)

    async def _delete(self, env: Env, state: Seen, *, dry_run: bool) -> None:
        if state.job is not None:
            api = cluster_of(env, self.cluster)
            meta = state.job.metadata
            await api.delete(JOBS, meta, propagation=self.propagation, as_seen=True, dry_run=dry_run)

    def settled(self, state: Seen, after: JsonObject) -> Settlement:
        """Whether it is gone."""
        if state.job is None:
            return Settlement(state="settled", reason=f"Job {self.namespace}/{self.name} is gone")
        named, kept = title("Job", state.job.metadata), ", ".join(state.job.metadata.finalizers)
        if state.owned == after:
            return Settlement(state="waiting", reason=f"{named} is being deleted; it is kept for {kept or 'its end'}")
        return Settlement(state="broken", reason=f"{named} is there, and nobody is deleting it")

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """There is none."""
        return NoUndo("a deleted Job does not come back: applying its manifest again makes another one, from the start")


def _notes(job: Job) -> tuple[str, ...]:
    """Say what goes with it, and what may make it anew."""
    meta, status = job.metadata, job.status
    running = (f"pods of it that run are stopped: {status.active}",) if job.ended is None and status.active else ()
    logs = "its pods and their logs go with it"
    return (*running, logs, *_makers(meta), *managers(meta))


def _makers(meta: Metadata) -> tuple[str, ...]:
    owner = meta.controller
    if owner is None:
        return ()
    if owner.kind == "CronJob":
        return (f"its CronJob {owner.name} does not make this one again, and may start a run that it missed at once",)
    return (f"controlled by {controller(meta)}, which may make it anew",)
