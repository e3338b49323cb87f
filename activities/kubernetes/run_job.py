"""Start a container that halon.yaml allows by name, once, and wait for its end."""

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from activities.kubernetes._object import ClusterName, Namespace, cluster_of, target
from halon.clients.kubernetes.api import Cluster
from halon.clients.kubernetes.connection import ApiRefusal
from halon.clients.kubernetes.jobs import (
    CONTAINER,
    LABEL,
    OF_JOB,
    TEMPLATE,
    JobTemplates,
    fingerprint,
    job_name,
    manifest,
)
from halon.clients.kubernetes.objects import Pod
from halon.clients.kubernetes.workloads import JOBS, Job
from halon.contracts.base import JsonObject
from halon.contracts.plan import Effect, Row, Settlement
from halon.errors import NotFound, PermanentError
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env
from halon.kit.once import Reference
from halon.redaction import redact_text
from halon.settings.jobs import MAX_ARGUMENT, MAX_ARGUMENTS, JobName, JobTemplate

KEY = "halon.dev/change-job"
"""Annotation with the key of the step that started it."""
_LINES = 20
_READ = 16 * 1024
_MAX_LOG = 2000
"""Characters of the end of its log that are told."""


class Started(State):
    """A job that was started, as far as it has come."""

    job: Job
    pods: tuple[Pod, ...] = ()
    log: str = ""
    """The end of it, once it has ended; masked."""

    @property
    def title(self) -> str:
        """What people call it."""
        return f"Job {self.job.metadata.namespace}/{self.job.metadata.name}"


class Runs(State):
    """What may be started, and what was."""

    template: JobTemplate
    run: Started | None
    """What the action is to start."""
    other: Job | None
    """Of the pair of a job and the one that takes it back: the other one than `run`."""


class RunJob(Change[Runs]):
    """Start a container for what no action covers, once for a `reference`, and wait until it has ended well.

    Only what `kubernetes.jobs` of halon.yaml names is started, as it says there: the image, the command, the service
    account, the limits and the deadline are not a playbook's to choose. A playbook may give arguments, as many and such
    as are allowed there; no shell reads them. It runs without root, privileges or a writable file system, and is tried
    once. Its name is made of the reference, so that it exists once; it can be found as long as `keep` says. The end of
    its log is told, masked. Kubernetes itself may start a container twice in rare cases: let it bear that.

    Undoing starts the job that `undo` of its entry in halon.yaml names, with the same arguments; without one there is
    no way back, and a run that fails afterwards says what is left.

    Errors: a job that is not in halon.yaml is `permission_denied`.
    """

    effect: ClassVar[Effect] = Effect.DESTROY
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get",), "batch/jobs", "to see whether it was started, and its end"),
        Permission("kubernetes", ("create",), "batch/jobs", "to start it"),
        Permission("kubernetes", ("list",), "/pods", "to see how it goes"),
        Permission("kubernetes", ("get",), "/pods/log", "to tell the end of its log"),
    )
    example: ClassVar[JsonObject] = {"job": "clear-cache", "namespace": "ops", "reference": "i-20260102-cart"}

    job: JobName
    """Its name in halon.yaml."""
    namespace: Namespace
    """Where it runs: what halon.yaml says of it, so that a playbook's rights can be told."""
    reference: Reference
    """What it is started for, such as the incident's id: the same job for the same reference is one run."""
    arguments: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=MAX_ARGUMENT)], ...], Field(max_length=MAX_ARGUMENTS)
    ] = ()
    """What comes behind its command, a word each; no secrets."""
    undoes: Annotated[str, StringConstraints(max_length=40, pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$")] = ""
    """The job that it takes back, when it does that; the plan of an undo says so."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the job."""
        return target(self.cluster, self.namespace, "Job", job_name(self.job, self.reference))

    async def observe(self, env: Env) -> Runs:
        """Look for the job, and for the one that it takes back or that takes it back."""
        template = env.get(JobTemplates).named(self.job)
        api = cluster_of(env, self.cluster)
        pair = self.undoes or template.undo
        job, other = await asyncio.gather(
            _job(api, self.namespace, job_name(self.job, self.reference)),
            _job(api, self.namespace, job_name(pair, self.reference) if pair else ""),
        )
        return Runs(template=template, run=await _started(api, job) if job else None, other=other)

    def plan(self, state: Runs, now: datetime) -> Proposal | Nothing | Refusal:
        """Start it, unless it was."""
        objection = self._objection(state)
        if objection:
            return Refusal(f"job {self.job} is not started: {objection}")
        if state.run is not None:
            return Nothing(f"{state.run.title} was started for this already; {_how(state.run.job)}")
        there = self.owned(state)
        template = state.template
        account = template.service_account
        return Proposal(
            summary=f"Run job {self.job} in {self.namespace}"
            + (f", which takes {self.undoes} back" if self.undoes else ""),
            before=there,
            after={**there, "done": not self.undoes},
            rows=[
                Row(field="image", before=None, after=template.image),
                *(
                    Row(field=f"argument {number}", before=None, after=one)
                    for number, one in enumerate(self.arguments, 1)
                ),
            ],
            notes=[
                f"it acts as service account {account}" if account else "it gets no token of the cluster",
                f"it is stopped after {template.deadline}",
            ],
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Runs) -> Sequence[str]:
        """Let the API server check it."""
        await self._create(env, state, "", dry_run=True)
        return ()

    def owned(self, state: Runs) -> JsonObject:
        """Whether it was done and not taken back, and what exactly was to be done."""
        run = state.run.job if state.run else None
        forward, back = (state.other, run) if self.undoes else (run, state.other)
        what = (
            forward.metadata.annotations.get(TEMPLATE, "") if forward else fingerprint(state.template, self.arguments)
        )
        takes_back = self.job if self.undoes else state.template.undo or ""
        return {"done": forward is not None and back is None, "what": what, "taken_back_by": takes_back}

    def mark(self, state: Runs) -> str:
        """The key of the step that started it."""
        return state.run.job.metadata.annotations.get(KEY, "") if state.run else ""

    async def apply(self, env: Env, after: JsonObject, state: Runs, key: str) -> None:
        """Start it.

        Raises:
            Conflict: there is one of its name by now.
            PermanentError: it was started and taken back.
        """
        if state.run is not None:
            raise PermanentError(f"{state.run.title} was started for this already, and taken back since")
        await self._create(env, state, key)

    def settled(self, state: Runs, after: JsonObject) -> Settlement:
        """Whether it has ended well."""
        run = state.run
        if run is None:
            reason = f"Job {self.namespace}/{job_name(self.job, self.reference)} is gone: how it ended is not known"
            return Settlement(state="broken", reason=reason)
        log = {"log": run.log} if run.log else {}
        failed = run.job.condition("Failed")
        if failed is not None:
            said = f"; the end of its log:\n{run.log}" if run.log else ""
            return Settlement(state="broken", reason=f"{run.title} failed: {failed.reason}{said}", observed={**log})
        if run.job.condition("Complete") is not None:
            return Settlement(state="settled", reason=f"{run.title} is complete", observed={**log})
        return Settlement(state="waiting", reason=f"{run.title} {_doing(run)}")

    def undo(self, before: JsonObject, after: JsonObject) -> "RunJob | NoUndo":
        """Run the job that takes it back, where halon.yaml names one."""
        back = after["taken_back_by"]
        if self.undoes or not back:
            return NoUndo(f"what the job did is not known here, and kubernetes.jobs.{self.job} names no `undo`")
        return self.model_copy(update={"job": str(back), "undoes": self.job})

    async def _create(self, env: Env, state: Runs, key: str, *, dry_run: bool = False) -> None:
        name = job_name(self.job, self.reference)
        made = manifest(self.job, state.template, self.arguments, name, {KEY: key} if key else {})
        await cluster_of(env, self.cluster).create(JOBS, self.namespace, made, dry_run=dry_run)

    def _objection(self, state: Runs) -> str:
        template = state.template
        if template.namespace != self.namespace:
            return f"halon.yaml lets it run in {template.namespace}, not in {self.namespace}"
        if len(self.arguments) > template.max_arguments:
            return (
                f"halon.yaml allows it {template.max_arguments} arguments, and the playbook gives {len(self.arguments)}"
            )
        wrong = [n for n, one in enumerate(self.arguments, 1) if not re.fullmatch(template.argument, one)]
        if wrong:
            return f"argument {wrong[0]} is not as `kubernetes.jobs.{self.job}.argument` wants it: {template.argument}"
        if state.run is not None and state.run.job.metadata.labels.get(LABEL) != self.job:
            return f"{state.run.title} has its name, and was not made by Halon"
        if self.undoes and state.other is None:
            return f"{self.undoes} was not started for this, or nobody knows of it any more"
        return ""


async def _job(api: Cluster, namespace: str, name: str) -> Job | None:
    if not name:
        return None
    try:
        return await api.get(Job, JOBS, namespace, name)
    except NotFound:
        return None


async def _started(api: Cluster, job: Job) -> Started:
    """Look at its pods, and at the end of its log once it has ended."""
    meta = job.metadata
    pods = await api.pods(meta.namespace, f"{OF_JOB}={meta.name}", most=5)
    mine = tuple(one for one in pods if (owner := one.metadata.controller) is not None and owner.uid == meta.uid)
    return Started(job=job, pods=mine, log=await _log(api, mine[0]) if job.ended and mine else "")


async def _log(api: Cluster, pod: Pod) -> str:
    try:
        raw = await api.logs(pod, CONTAINER, previous=False, lines=_LINES, most=_READ)
    except (ApiRefusal, NotFound):  # it never ran, or the pod is gone meanwhile
        return ""
    text = raw.decode(errors="replace")
    return redact_text(text, len(text))[-_MAX_LOG:]  # masked first, so that no cut takes a secret's key off


def _doing(run: Started) -> str:
    """What it does or waits for."""
    waits = [one.state.waiting for pod in run.pods for one in pod.containers if one.state.waiting is not None]
    said = next((one.reason for one in waits if one.reason), "")
    phase = run.pods[0].status.phase if run.pods else ""
    return f"waits: {said}" if said else "runs" if phase == "Running" else "has not started yet"


def _how(job: Job) -> str:
    ended = job.ended
    return f"it is {ended.type}" if ended is not None else "it has not ended yet"
