"""Look at an instance of EC2."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import inner, listed
from activities.aws._ec2 import LOOK, InstanceId, instance, keepers, profile, tags_of
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.redaction import cut_text, redact

_MAX_TEXT = 300


class VolumeSeen(Output):
    """A volume of an instance."""

    id: str
    device: str
    kept: bool


class InstanceSeen(Output):
    """An instance, as far as an incident needs it."""

    instance: str
    """Its id."""
    name: str
    """Its tag `Name`; empty without one."""
    state: str
    """EC2's own word: `pending`, `running`, `stopping`, `stopped`, `shutting-down`, `terminated`."""
    reason: str
    """Why it is in that state, in EC2's words; empty when EC2 says nothing."""
    launched: datetime
    """When it was started last."""
    type: str
    """Such as `m7g.large`."""
    image: str
    """The AMI that it was made of."""
    spot: bool
    """Whether it is a spot instance, which AWS may take away."""
    zone: str
    """Its availability zone."""
    subnet: str
    """Of its first interface; empty for one that is terminated."""
    vpc: str
    """Of its first interface; empty for one that is terminated."""
    private_ip: str
    """Of its first interface."""
    public_ip: str
    """Of its first interface; empty without one."""
    interfaces: tuple[str, ...]
    """Its network interfaces."""
    security_groups: tuple[str, ...]
    """The security groups of all its interfaces."""
    profile: str
    """Name of its instance profile, whose role its programs may act as; empty without one."""
    metadata_v2_only: bool
    """Whether its metadata service refuses requests without a session token, as forged ones are."""
    volumes: tuple[VolumeSeen, ...]
    """Its volumes: `id`, `device`, and whether each is `kept` when the instance is terminated."""
    tags: dict[str, str]
    """Its tags; what looks like a secret is masked."""
    keepers: tuple[str, ...]
    """Who would replace it or start it again by itself, such as an Auto Scaling group."""


class DescribeInstance(Read[InstanceSeen]):
    """Look at an instance of EC2: its state, where it is, what it may do, and what would be lost with it.

    Raises NotFound when there is no such instance: EC2 forgets one about an hour after it was terminated.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (LOOK,)
    example: ClassVar[JsonObject] = {"instance": "i-0123456789abcdef0"}

    instance: InstanceId
    """The instance."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The instance's region; without it, the account's own."""

    def target(self) -> str:
        """Name the instance."""
        return target(self.account, self.region, "ec2", f"instance/{self.instance}")

    async def run(self, env: Env) -> InstanceSeen:
        """Look."""
        found = await instance(account_of(env, self.account), self.region, self.instance)
        interfaces = listed(found, "NetworkInterfaces")
        tags: Any = redact(tags_of(found), _MAX_TEXT)
        return InstanceSeen(
            instance=self.instance,
            name=str(tags.get("Name", "")),
            state=str(inner(found, "State").get("Name", "")),
            reason=cut_text(str(inner(found, "StateReason").get("Message", "")), _MAX_TEXT),
            launched=found["LaunchTime"].astimezone(UTC),
            type=str(found.get("InstanceType", "")),
            image=str(found.get("ImageId", "")),
            spot=found.get("InstanceLifecycle") == "spot",
            zone=str(inner(found, "Placement").get("AvailabilityZone", "")),
            subnet=str(found.get("SubnetId", "")),
            vpc=str(found.get("VpcId", "")),
            private_ip=str(found.get("PrivateIpAddress", "")),
            public_ip=str(found.get("PublicIpAddress", "")),
            interfaces=tuple(str(one.get("NetworkInterfaceId", "")) for one in interfaces),
            security_groups=_groups(found, interfaces),
            profile=profile(found),
            metadata_v2_only=inner(found, "MetadataOptions").get("HttpTokens") == "required",
            volumes=tuple(_volume(one) for one in listed(found, "BlockDeviceMappings") if "Ebs" in one),
            tags=tags,
            keepers=keepers(found),
        )


def _groups(found: dict[str, Any], interfaces: list[dict[str, Any]]) -> tuple[str, ...]:
    """The groups of all interfaces; one that is stopped or terminated may have none left, so the instance's own too."""
    return tuple(
        dict.fromkeys(
            str(group.get("GroupId", ""))
            for one in (*interfaces, {"Groups": found.get("SecurityGroups")})
            for group in listed(one, "Groups")
        )
    )


def _volume(mapping: dict[str, Any]) -> VolumeSeen:
    ebs = inner(mapping, "Ebs")
    return VolumeSeen(
        id=str(ebs.get("VolumeId", "")),
        device=str(mapping.get("DeviceName", "")),
        kept=not ebs.get("DeleteOnTermination", False),
    )
