"""Terminate an EMR cluster."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import inner
from activities.aws._intent import intent, tag_name, tag_value, tags_of
from activities.aws._stopping import STAYS_STOPPED, Phase, Work, phase_of, stopped, stopping
from halon.contracts.base import JsonObject
from halon.contracts.plan import Effect, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal
from halon.kit.env import Env

_PHASES: dict[str, Phase] = {
    "TERMINATING": "stopped",
    "TERMINATED": "stopped",
    "TERMINATED_WITH_ERRORS": "failed",
}
_PART = "termination"


class EmrCluster(Work):
    """A cluster."""

    protected: bool
    tags: dict[str, str]


class TerminateEmrCluster(Change[EmrCluster]):
    """Terminate an EMR cluster with everything that runs on it and everything that only its own disks hold.

    One whose termination protection is on is refused.
    """

    effect: ClassVar[Effect] = Effect.DESTROY
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "aws",
            (
                "elasticmapreduce:AddTags",
                "elasticmapreduce:DescribeCluster",
                "elasticmapreduce:TerminateJobFlows",
            ),
            "arn:aws:elasticmapreduce:{region}:{account}:cluster/{cluster}",
            "to look at it, mark it and terminate it",
        ),
    )
    example: ClassVar[JsonObject] = {"cluster": "j-2AL4XXXXXX5T9"}
    undoable: ClassVar[bool] = False

    cluster: Annotated[str, StringConstraints(min_length=3, max_length=40, pattern=r"^j-[A-Z0-9]+$")]
    """The cluster's id."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the cluster."""
        return target(self.account, self.region, "emr", self.cluster)

    async def observe(self, env: Env) -> EmrCluster:
        """Look at the cluster."""
        found = await account_of(env, self.account).call(
            "emr", "describe_cluster", region=self.region, ClusterId=self.cluster
        )
        cluster = inner(found, "Cluster")
        status = str(inner(cluster, "Status").get("State", ""))
        return EmrCluster(
            phase=phase_of(status, _PHASES),
            status=status,
            ended=status.startswith("TERMINATED"),
            protected=bool(cluster.get("TerminationProtected")),
            tags=tags_of(cluster.get("Tags")),
        )

    def plan(self, state: EmrCluster, now: datetime) -> Proposal | Nothing | Refusal:
        """Terminate it, unless it is over or protected."""
        if state.phase == "open" and state.protected:
            return Refusal(f"the termination protection of EMR cluster {self.cluster} is on: take it off first")
        return stopping(state, f"EMR cluster {self.cluster}", "what only its own disks hold is lost")

    def owned(self, state: EmrCluster) -> JsonObject:
        """Whether it runs."""
        return state.owned

    def mark(self, state: EmrCluster) -> str:
        """The key that it was terminated with."""
        return intent(state.tags, _PART).mark(state.owned)

    async def apply(self, env: Env, after: JsonObject, state: EmrCluster, key: str) -> None:
        """Write the mark, then terminate it."""
        api = account_of(env, self.account)
        if not intent(state.tags, _PART).stands(key, state.owned):
            tag = {"Key": tag_name(_PART), "Value": tag_value(key, state.owned)}
            await api.call("emr", "add_tags", region=self.region, ResourceId=self.cluster, Tags=[tag])
        await api.call("emr", "terminate_job_flows", region=self.region, JobFlowIds=[self.cluster])

    def settled(self, state: EmrCluster, after: JsonObject) -> Settlement:
        """Whether it is terminated."""
        return stopped(state)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """Say why not."""
        return STAYS_STOPPED
