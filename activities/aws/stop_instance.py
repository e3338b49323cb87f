"""Stop an instance, and start it again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._ec2 import INSTANCE, LOOK, InstanceId, instance, keepers, rehearse, tags_of, write_tags
from activities.aws._marks import PREFIX, fulfilled, intent
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

TAG = f"{PREFIX}power"
_WANTED = {"pending": "running", "running": "running", "stopping": "stopped", "stopped": "stopped"}
"""What an instance is about to be, by its state."""


class Power(State):
    """An instance, and whether it runs."""

    status: str
    root: str
    """Kind of its root device."""
    spot: bool
    tag: str
    """Halon's tag about this."""
    notes: tuple[str, ...]


class StopInstance(Change[Power]):
    """Stop an instance; `state: running` starts it, and is what undoing does.

    What is in its memory and on its instance store is lost: keep the evidence first, with `aws.snapshot_volumes` and
    `aws.collect_evidence`. Volumes and addresses of an interface stay; a public address that is no Elastic IP does not.

    Raises NotFound when there is no such instance, and PermissionDenied with the IAM action that is missing.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        LOOK,
        Permission("aws", ("ec2:StopInstances", "ec2:StartInstances"), INSTANCE, "to stop it, and to start it again"),
        Permission("aws", ("ec2:CreateTags",), INSTANCE, "to leave Halon's mark on it"),
    )
    example: ClassVar[JsonObject] = {"instance": "i-0123456789abcdef0"}

    instance: InstanceId
    """The instance."""
    state: Literal["stopped", "running"] = "stopped"
    """What it shall be."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The instance's region; without it, the account's own."""

    def target(self) -> str:
        """Name the instance."""
        return target(self.account, self.region, "ec2", f"instance/{self.instance}")

    async def observe(self, env: Env) -> Power:
        """Look at the instance."""
        found = await instance(account_of(env, self.account), self.region, self.instance)
        return Power(
            status=str(found["State"]["Name"]),
            root=str(found.get("RootDeviceType", "ebs")),
            spot=found.get("InstanceLifecycle") == "spot",
            tag=tags_of(found).get(TAG, ""),
            notes=keepers(found),
        )

    def plan(self, state: Power, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        there = _WANTED.get(state.status)
        if there is None:
            return Refusal(f"instance {self.instance} is {state.status}")
        if there == self.state:
            return Nothing(f"instance {self.instance} is {state.status} already")
        if self.state == "stopped" and state.root != "ebs":
            return Refusal(f"instance {self.instance} has its root device on the instance store, and cannot be stopped")
        stops = (
            "what is in its memory and on its instance store is lost",
            "a public address that is no Elastic IP is another one when it runs again",
            *(("it is a spot instance: only some can be stopped, and started again",) if state.spot else ()),
            *state.notes,
        )
        return Proposal(
            summary=f"{'Stop' if self.state == 'stopped' else 'Start'} instance {self.instance}",
            before={"state": there},
            after={"state": self.state},
            rows=[Row(field="state", before=state.status, after=self.state)],
            notes=stops if self.state == "stopped" else (),
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Power) -> Sequence[str]:
        """Let EC2 check it."""
        account = account_of(env, self.account)
        await rehearse(account, self.region, self._operation, InstanceIds=[self.instance])
        return ()

    def owned(self, state: Power) -> JsonObject:
        """Whether it runs, or is about to."""
        return {"state": _WANTED.get(state.status, state.status)}

    def mark(self, state: Power) -> str:
        """The key of the change that made it so."""
        return fulfilled(state.tag, self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Power, key: str) -> None:
        """Tag it, then stop or start it."""
        account = account_of(env, self.account)
        if state.tag != intent(key, after):
            await write_tags(account, self.region, self.instance, {TAG: intent(key, after)})
        await account.call("ec2", self._operation, region=self.region, InstanceIds=[self.instance])

    def settled(self, state: Power, after: JsonObject) -> Settlement:
        """Whether it has come to rest there."""
        observed: dict[str, Any] = {"state": state.status}
        reason = f"instance {self.instance} is {state.status}"
        if state.status == self.state:
            return Settlement(state="settled", reason=reason, observed=observed)
        ends = state.status not in _WANTED
        return Settlement(state="broken" if ends else "waiting", reason=reason, observed=observed)

    def undo(self, before: JsonObject, after: JsonObject) -> "StopInstance":
        """Start what ran, or stop what was started."""
        return StopInstance.model_validate({**self.model_dump(), "state": before["state"]})

    @property
    def _operation(self) -> str:
        return "stop_instances" if self.state == "stopped" else "start_instances"
