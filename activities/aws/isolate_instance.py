"""Put every network interface of an instance into a security group that lets nothing in or out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from activities.aws._account import AccountName, Region, account_of, section, target
from activities.aws._ec2 import (
    ANY_GROUP,
    ANY_INTERFACE,
    INSTANCE,
    GroupId,
    InstanceId,
    instance,
    keepers,
    profile,
    rehearse,
    tags_of,
    write_tags,
)
from activities.aws._marks import PREFIX, fulfilled, intent
from halon.clients.aws.api import Account
from halon.contracts.base import Json, JsonObject, is_object
from halon.contracts.plan import Row, Settlement
from halon.errors import Conflict, TransientError
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

QUARANTINE = "halon-quarantine"
"""Name of the security group that Halon makes in a VPC, and what plans call it."""
MAX_INTERFACES, MAX_GROUPS = 50, 16
TAG, GROUPS, OURS = f"{PREFIX}network", f"{PREFIX}groups", f"{PREFIX}quarantine"
"""Tags: of the instance, of an interface with the groups that it had, of the group that Halon made."""
_GONE = {"terminated", "shutting-down"}


class Interface(State):
    """A network interface and its security groups."""

    id: str
    groups: tuple[str, ...]
    noted: tuple[str, ...]
    """The groups that Halon noted before it took them away."""


class Isolation(State):
    """An instance, and who its interfaces may speak with."""

    status: str
    vpc: str
    interfaces: tuple[Interface, ...]
    group: str
    """Id of Halon's quarantine group in the VPC; empty when there is none yet."""
    foreign: bool
    """Whether somebody else made the group of that name, or lets it accept connections."""
    tag: str
    notes: tuple[str, ...]


class IsolateInstance(Change[Isolation]):
    """Put every network interface of an instance into a security group that lets nothing in or out.

    The group is made once in a VPC, named `halon-quarantine`; with `quarantine` it is one of yours, which may let your
    forensics in. The instance runs on, so its memory is kept. Connections that are open go on until they are idle,
    because security groups follow connections. The groups of each interface are recorded, and undoing puts them back.

    Raises NotFound when there is no such instance or group, and PermissionDenied with the IAM action that is missing.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "aws",
            (
                *("ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups"),
                "ec2:DescribeInstanceAttribute",
            ),
            "*",
            "to see the instance; EC2 has no narrower right to look",
        ),
        Permission("aws", ("ec2:CreateSecurityGroup",), "arn:aws:ec2:{region}:*:vpc/*", "to make the group"),
        Permission("aws", ("ec2:CreateSecurityGroup", "ec2:CreateTags"), ANY_GROUP, "to make the group"),
        Permission("aws", ("ec2:RevokeSecurityGroupEgress",), ANY_GROUP, "to let nothing out of it"),
        Permission("aws", ("ec2:ModifyNetworkInterfaceAttribute",), ANY_INTERFACE, "to change an interface's groups"),
        Permission("aws", ("ec2:ModifyNetworkInterfaceAttribute",), ANY_GROUP, "to change an interface's groups"),
        Permission("aws", ("ec2:CreateTags",), ANY_INTERFACE, "to note the groups that it had"),
        Permission("aws", ("ec2:CreateTags", "ec2:ModifyNetworkInterfaceAttribute"), INSTANCE, "to leave Halon's mark"),
    )
    example: ClassVar[JsonObject] = {"instance": "i-0123456789abcdef0"}

    instance: InstanceId
    """The instance."""
    quarantine: GroupId | None = None
    """A security group of yours to use instead of Halon's; its rules are not touched."""
    groups: Annotated[
        dict[
            Annotated[str, StringConstraints(pattern=r"^eni-[0-9a-f]+$", max_length=30)],
            Annotated[tuple[GroupId, ...], Field(min_length=1, max_length=MAX_GROUPS)],
        ],
        Field(max_length=MAX_INTERFACES),
    ] = {}
    """Security groups by interface, to go back to, as undoing does; without it, isolate."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The instance's region; without it, the account's own."""

    def target(self) -> str:
        """Name the instance's network."""
        return target(self.account, self.region, "ec2", f"instance/{self.instance}/network")

    async def observe(self, env: Env) -> Isolation:
        """Look at the instance, its interfaces and the quarantine group."""
        account = account_of(env, self.account)
        found = await instance(account, self.region, self.instance)
        vpc = str(found.get("VpcId", ""))
        listed = await account.pages(
            "ec2",
            "describe_network_interfaces",
            "NetworkInterfaces",
            region=self.region,
            Filters=[{"Name": "attachment.instance-id", "Values": [self.instance]}],
        )
        group = None if self.quarantine else await self._group(account, vpc)
        return Isolation(
            status=str(found["State"]["Name"]),
            vpc=vpc,
            interfaces=tuple(sorted((_interface(one) for one in listed), key=lambda one: one.id)),
            group=self.quarantine or (str(group["GroupId"]) if group else ""),
            foreign=group is not None and (OURS not in tags_of(group) or bool(group.get("IpPermissions"))),
            tag=tags_of(found).get(TAG, ""),
            notes=await self._notes(account, found),
        )

    def plan(self, state: Isolation, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, interface by interface."""
        if state.status in _GONE:
            return Refusal(f"instance {self.instance} is {state.status}")
        if not state.vpc or not state.interfaces:
            return Refusal(f"instance {self.instance} has no network interface in a VPC")
        if state.foreign:
            return Refusal(f"{state.vpc} has a group {QUARANTINE} that is not as Halon makes it: name one of yours")
        before, after = self.owned(state), self._wanted(state)
        if before == after:
            return Nothing(f"every interface of instance {self.instance} is in these security groups already")
        isolating = not self.groups
        return Proposal(
            summary=f"Isolate instance {self.instance}"
            if isolating
            else f"Let instance {self.instance} back on its network",
            before=before,
            after=after,
            rows=[
                Row(field=one.id, before=_object(before)[one.id], after=_object(after)[one.id])
                for one in state.interfaces
            ],
            notes=(
                "it runs on, and its memory is kept; connections that are open go on until they are idle",
                *state.notes,
            )
            if isolating
            else (),
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Isolation) -> Sequence[str]:
        """Let EC2 check that an interface's groups may be changed."""
        first = state.interfaces[0]
        given = {"NetworkInterfaceId": first.id, "Groups": list(first.groups)}
        await rehearse(account_of(env, self.account), self.region, "modify_network_interface_attribute", **given)
        return ()

    def owned(self, state: Isolation) -> JsonObject:
        """The groups of each interface. When only some have been changed, as if none had: the rest is still to do."""
        there: JsonObject = {one.id: self._shown(state, one.groups) for one in state.interfaces}
        if self._is_done(state):
            return {"interfaces": there}
        for one in state.interfaces:
            if there[one.id] == self._goal(state, one):
                there[one.id] = self._origin(state, one)
        return {"interfaces": there}

    def mark(self, state: Isolation) -> str:
        """The key of the change that made it so."""
        return fulfilled(state.tag, self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Isolation, key: str) -> None:
        """Make the group when there is none, then tag, note and move what is not there yet."""
        account = account_of(env, self.account)
        group = state.group if self.groups or self.quarantine else await self._made(account, state)
        if state.tag != intent(key, after):
            await write_tags(account, self.region, self.instance, {TAG: intent(key, after)})
        for one in state.interfaces:
            if self._shown(state, one.groups) == self._goal(state, one):
                continue
            if not self.groups and one.noted != one.groups:
                await write_tags(account, self.region, one.id, {GROUPS: " ".join(one.groups)})
            wanted = list(self.groups.get(one.id, one.groups)) if self.groups else [group]
            given: dict[str, Any] = {"NetworkInterfaceId": one.id, "Groups": wanted}
            await account.call("ec2", "modify_network_interface_attribute", region=self.region, **given)

    def settled(self, state: Isolation, after: JsonObject) -> Settlement:
        """Whether every interface has its groups."""
        if state.status in _GONE:
            return Settlement(state="broken", reason=f"instance {self.instance} is {state.status}")
        done = self.owned(state) == after
        reason = "every interface is" if done else "not every interface is"
        return Settlement(state="settled" if done else "waiting", reason=f"{reason} in the planned security groups")

    def undo(self, before: JsonObject, after: JsonObject) -> "IsolateInstance":
        """Put the groups back that each interface had."""
        given: JsonObject = {}
        if not self.groups:
            given = {name: groups for name, groups in _object(before).items() if groups != self._label}
        return IsolateInstance.model_validate({**self.model_dump(), "groups": given})

    @property
    def _label(self) -> list[Json]:
        """What plans call the groups of an interface in quarantine: Halon's group may have no id yet."""
        return [self.quarantine or QUARANTINE]

    def _shown(self, state: Isolation, groups: Sequence[str]) -> list[Json]:
        return self._label if tuple(groups) == (state.group,) else list[Json](groups)

    def _goal(self, state: Isolation, one: Interface) -> list[Json]:
        if not self.groups:
            return self._label
        return self._shown(state, sorted(self.groups.get(one.id, one.groups)))

    def _origin(self, state: Isolation, one: Interface) -> list[Json]:
        """What an interface had that is at its goal already."""
        if not self.groups:
            return list[Json](one.noted) or self._label
        return self._label if one.id in self.groups else self._shown(state, one.groups)

    def _wanted(self, state: Isolation) -> JsonObject:
        return {"interfaces": {one.id: self._goal(state, one) for one in state.interfaces}}

    def _is_done(self, state: Isolation) -> bool:
        return all(self._shown(state, one.groups) == self._goal(state, one) for one in state.interfaces)

    async def _group(self, account: Account, vpc: str) -> dict[str, Any] | None:
        """Find Halon's group in a VPC."""
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": [QUARANTINE]}]
        found = await account.pages(
            "ec2", "describe_security_groups", "SecurityGroups", region=self.region, Filters=filters
        )
        return found[0] if found else None

    async def _made(self, account: Account, state: Isolation) -> str:
        """Make Halon's group when there is none, and take every rule out of it: a new one lets everything out."""
        if not state.group:
            tags = [{"Key": OURS, "Value": "yes"}, {"Key": "Name", "Value": QUARANTINE}]
            await account.call(
                "ec2",
                "create_security_group",
                region=self.region,
                GroupName=QUARANTINE,
                Description="Lets nothing in or out. Made by Halon for instances that it isolates.",
                VpcId=state.vpc,
                TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
            )
        group = await self._group(account, state.vpc)
        if group is None:
            raise TransientError(f"the security group {QUARANTINE} does not show yet")
        if group.get("IpPermissions"):
            raise Conflict(f"somebody let {QUARANTINE} in {state.vpc} accept connections")
        if group.get("IpPermissionsEgress"):
            rules = group["IpPermissionsEgress"]
            await account.call(
                "ec2",
                "revoke_security_group_egress",
                region=self.region,
                GroupId=group["GroupId"],
                IpPermissions=rules,
            )
        return str(group["GroupId"])

    async def _notes(self, account: Account, found: dict[str, Any]) -> tuple[str, ...]:
        protection = await account.call(
            "ec2",
            "describe_instance_attribute",
            region=self.region,
            InstanceId=self.instance,
            Attribute="disableApiTermination",
        )
        protected = bool(section(protection, "DisableApiTermination").get("Value"))
        role = profile(found)
        return (
            *keepers(found),
            *(() if protected else ("it has no termination protection: whoever may can destroy the evidence",)),
            *((f"credentials of its profile {role} work elsewhere, too: revoke the role's sessions",) if role else ()),
        )


def _interface(one: dict[str, Any]) -> Interface:
    noted = tags_of(one).get(GROUPS, "").split()
    return Interface(
        id=str(one["NetworkInterfaceId"]),
        groups=tuple(sorted(str(group["GroupId"]) for group in one.get("Groups", ()))),
        noted=tuple(sorted(noted)),
    )


def _object(state: JsonObject) -> JsonObject:
    given = state.get("interfaces")
    return given if is_object(given) else {}
