"""Take snapshots of all volumes of an instance at one moment."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._ec2 import INSTANCE, InstanceId, instance, rehearse, tags_of
from activities.aws._marks import PREFIX
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env

OF, NUMBER, KEY = f"{PREFIX}instance", f"{PREFIX}number", f"{PREFIX}key"
"""Tags of a snapshot: of which instance, in which round, for which change."""
MAX_SNAPSHOTS = 1000


class Snapshot(State):
    """One snapshot that Halon took."""

    id: str
    volume: str
    status: str
    progress: str
    number: int
    key: str


class Snapshots(State):
    """The volumes of an instance, and Halon's snapshots of them."""

    volumes: tuple[str, ...]
    taken: tuple[Snapshot, ...]

    @property
    def number(self) -> int:
        """How often snapshots were taken."""
        return max((one.number for one in self.taken), default=0)

    @property
    def last(self) -> tuple[Snapshot, ...]:
        """The last ones."""
        return tuple(one for one in self.taken if one.number == self.number)


class SnapshotVolumes(Change[Snapshots]):
    """Take snapshots of all volumes of an instance at one moment, and wait until they are complete.

    They are evidence, so nothing of Halon's deletes them: they cost money until you do. Their tags say of which
    instance and for which run they are.

    Raises NotFound when there is no such instance, and PermissionDenied with the IAM action that is missing.
    """

    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("aws", ("ec2:DescribeInstances", "ec2:DescribeSnapshots"), "*", "to see volumes and snapshots"),
        Permission("aws", ("ec2:CreateSnapshots",), INSTANCE, "to take them"),
        Permission("aws", ("ec2:CreateSnapshots",), "arn:aws:ec2:{region}:*:volume/*", "to take them"),
        Permission("aws", ("ec2:CreateSnapshots", "ec2:CreateTags"), "arn:aws:ec2:*::snapshot/*", "to name them"),
    )
    example: ClassVar[JsonObject] = {"instance": "i-0123456789abcdef0"}

    instance: InstanceId
    """The instance."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The instance's region; without it, the account's own."""

    def target(self) -> str:
        """Name the instance's snapshots."""
        return target(self.account, self.region, "ec2", f"instance/{self.instance}/snapshots")

    async def observe(self, env: Env) -> Snapshots:
        """Look at the volumes, and for snapshots that Halon took of them."""
        account = account_of(env, self.account)
        found = await instance(account, self.region, self.instance)
        listed = await account.pages(
            "ec2",
            "describe_snapshots",
            "Snapshots",
            region=self.region,
            most=MAX_SNAPSHOTS,
            OwnerIds=["self"],
            Filters=[{"Name": f"tag:{OF}", "Values": [self.instance]}],
        )
        volumes = [str(one["Ebs"]["VolumeId"]) for one in found.get("BlockDeviceMappings", ()) if "Ebs" in one]
        taken = [
            Snapshot(
                id=str(one["SnapshotId"]),
                volume=str(one.get("VolumeId", "")),
                status=str(one["State"]),
                progress=str(one.get("Progress", "")),
                number=int(tags_of(one).get(NUMBER, "0")),
                key=tags_of(one).get(KEY, ""),
            )
            for one in listed
        ]
        return Snapshots(volumes=tuple(sorted(volumes)), taken=tuple(sorted(taken, key=lambda one: one.id)))

    def plan(self, state: Snapshots, now: datetime) -> Proposal | Nothing | Refusal:
        """Count one up."""
        if not state.volumes:
            return Refusal(f"instance {self.instance} has no volumes")
        return Proposal(
            summary=f"Take snapshots of the {len(state.volumes)} volumes of instance {self.instance}",
            before={"rounds": state.number},
            after={"rounds": state.number + 1},
            rows=[Row(field="rounds of snapshots", before=state.number, after=state.number + 1)],
            notes=(f"of {', '.join(state.volumes)}", "snapshots cost money until somebody deletes them"),
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Snapshots) -> Sequence[str]:
        """Let EC2 check it."""
        spec = {"InstanceId": self.instance}
        await rehearse(account_of(env, self.account), self.region, "create_snapshots", InstanceSpecification=spec)
        return ()

    def owned(self, state: Snapshots) -> JsonObject:
        """How often snapshots were taken."""
        return {"rounds": state.number}

    def mark(self, state: Snapshots) -> str:
        """The key in the tags of the last ones."""
        return state.last[0].key if state.last else ""

    async def apply(self, env: Env, after: JsonObject, state: Snapshots, key: str) -> None:
        """Take them, with tags in the same write."""
        tags = {OF: self.instance, NUMBER: str(after["rounds"]), KEY: key}
        listed = [{"Key": name, "Value": value} for name, value in tags.items()]
        await account_of(env, self.account).call(
            "ec2",
            "create_snapshots",
            region=self.region,
            InstanceSpecification={"InstanceId": self.instance},
            Description=f"Taken by Halon of {self.instance}",
            TagSpecifications=[{"ResourceType": "snapshot", "Tags": listed}],
        )

    def settled(self, state: Snapshots, after: JsonObject) -> Settlement:
        """Whether all of them are complete."""
        if self.owned(state) != after:
            return Settlement(state="waiting", reason="the snapshots do not show yet")
        observed: JsonObject = {one.id: f"{one.status} {one.progress}".strip() for one in state.last}
        failed = [one.id for one in state.last if one.status in {"error", "recoverable"}]
        if failed:
            return Settlement(state="broken", reason=f"snapshots failed: {', '.join(failed)}", observed=observed)
        waits = [one for one in state.last if one.status != "completed"]
        if waits:
            return Settlement(state="waiting", reason=f"{len(waits)} snapshots are not complete yet", observed=observed)
        reason = f"{len(state.last)} snapshots are complete"
        return Settlement(state="settled", reason=reason, observed=observed)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """There is none."""
        return NoUndo("snapshots are evidence and change nothing that runs: delete them when nobody needs them")
