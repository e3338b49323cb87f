"""What the actions on EC2 share: instances and their tags, and EC2's own way of checking a write without doing it."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import StringConstraints

from halon.clients.aws.api import Account
from halon.clients.aws.failures import AwsRefusal
from halon.contracts.base import JsonObject
from halon.errors import NotFound
from halon.kit.action import Permission

InstanceId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^i-[0-9a-f]{8,17}$", max_length=19)]
GroupId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^sg-[0-9a-f]{8,17}$", max_length=20)]
INSTANCE = "arn:aws:ec2:{region}:*:instance/{instance}"
ANY_INTERFACE = "arn:aws:ec2:{region}:*:network-interface/*"
ANY_GROUP = "arn:aws:ec2:{region}:*:security-group/*"
LOOK = Permission("aws", ("ec2:DescribeInstances",), "*", "to see the instance; EC2 has no narrower right to look")
_CHECKED = "DryRunOperation"
"""How EC2 says that it would have done it."""


async def instance(account: Account, region: str, name: str) -> dict[str, Any]:
    """Read an instance as EC2 describes it.

    Raises:
        NotFound: there is none of that id.
    """
    found = await account.pages(
        "ec2", "describe_instances", "Reservations[].Instances[]", region=region, InstanceIds=[name]
    )
    if not found:
        raise NotFound(f"there is no instance {name}")
    return found[0]


def tags_of(thing: Mapping[str, Any]) -> dict[str, str]:
    """The tags of anything that EC2 describes."""
    listed: list[dict[str, Any]] = thing.get("Tags") or thing.get("TagSet") or []
    return {str(one["Key"]): str(one["Value"]) for one in listed}


async def write_tags(account: Account, region: str, thing: str, tags: Mapping[str, str]) -> None:
    """Write tags of an instance, a network interface, a security group or a volume."""
    given = [{"Key": name, "Value": value} for name, value in tags.items()]
    await account.call("ec2", "create_tags", region=region, Resources=[thing], Tags=given)


async def rehearse(account: Account, region: str, operation: str, **params: Any) -> None:
    """Let EC2 check a write without doing it.

    Raises:
        PermissionDenied: the credentials may not.
        PermanentError: EC2 would refuse it.
    """
    try:
        await account.call("ec2", operation, region=region, DryRun=True, **params)
    except AwsRefusal as error:
        if error.code != _CHECKED:
            raise


def keepers(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Say who may put an instance out of the way, or back, by itself."""
    group = tags_of(found).get("aws:autoscaling:groupName")
    return (f"Auto Scaling group {group} replaces it, and terminates it, once it is not healthy",) if group else ()


def profile(found: Mapping[str, Any]) -> str:
    """Name of the instance profile; empty without one."""
    given: JsonObject = found.get("IamInstanceProfile") or {}
    return str(given.get("Arn", "")).rpartition("/")[2]
