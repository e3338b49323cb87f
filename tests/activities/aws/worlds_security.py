"""What the changes act on that contain an incident."""

import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aws_stage import stage
from emulator import ACCOUNT, REGION, Answer, Call
from world import Opening, World

from halon.contracts.base import JsonObject

IMAGE = "ami-03cf127a"
"""Any: moto starts instances of images that it has not, too."""
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
DENY_BY_US = {"Sid": "Halon0x6f74686572", "Effect": "Deny", "Action": "*", "Resource": "*"}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@asynccontextmanager
async def access_key() -> AsyncIterator[World]:
    """A user with a key, which expires meanwhile."""

    def expired(call: Call) -> Answer:
        answer = call.forward()
        answer.body = answer.body.replace(b"<Status>Active</Status>", b"<Status>Expired</Status>")
        return answer

    async with stage("aws.deactivate_access_key") as here:
        iam = here.aws.admin("iam")
        iam.create_user(UserName="deployer")
        key = iam.create_access_key(UserName="deployer")["AccessKey"]["AccessKeyId"]

        def drift() -> None:
            here.aws.layers = {("iam", "ListAccessKeys"): expired}

        yield here.world("aws.deactivate_access_key", {"user": "deployer", "key": key}, drift)


@asynccontextmanager
async def console_login() -> AsyncIterator[World]:
    """A user with a password, which an administrator makes anew meanwhile."""

    def newer(call: Call) -> Answer:
        answer = call.forward()
        answer.body = answer.body.replace(b"<CreateDate>20", b"<CreateDate>21")
        return answer

    async with stage("aws.disable_console_login") as here:
        iam = here.aws.admin("iam")
        iam.create_user(UserName="ada")
        iam.create_login_profile(UserName="ada", Password="a-Password-of-1")

        def drift() -> None:
            here.aws.layers = {("iam", "GetLoginProfile"): newer}

        yield here.world("aws.disable_console_login", {"user": "ada"}, drift)


@asynccontextmanager
async def sessions() -> AsyncIterator[World]:
    """A role, whose sessions another run revokes meanwhile."""
    statement = {
        **DENY_BY_US,
        "Sid": "Halon7x6f74686572",
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}},
    }
    async with stage("aws.revoke_role_sessions") as here:
        iam = here.aws.admin("iam")
        iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)

        def drift() -> None:
            iam.put_role_policy(RoleName="web", PolicyName="HalonRevokedSessions", PolicyDocument=policy(statement))

        yield here.world("aws.revoke_role_sessions", {"role": "web"}, drift)


@asynccontextmanager
async def denied(params: JsonObject) -> AsyncIterator[World]:
    """A user, on whom another run puts Halon's policy meanwhile, under conditions of its own."""
    async with stage("aws.attach_deny_policy") as here:
        iam = here.aws.admin("iam")
        iam.create_user(UserName="deployer")

        def drift() -> None:
            somebody = policy({**DENY_BY_US, "Action": "s3:*"})
            iam.put_user_policy(UserName="deployer", PolicyName="HalonDenyAll", PolicyDocument=somebody)

        yield here.world("aws.attach_deny_policy", {"kind": "user", "name": "deployer", **params}, drift)


@asynccontextmanager
async def public(params: JsonObject) -> AsyncIterator[World]:
    """A bucket, or an account, of which somebody else blocks a part meanwhile."""
    async with stage("aws.block_public_access") as here:
        s3 = here.aws.admin("s3")
        s3.create_bucket(Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": REGION})
        part = {"BlockPublicAcls": True}

        def drift() -> None:
            if params:
                s3.put_public_access_block(Bucket="uploads", PublicAccessBlockConfiguration=part)
                return
            whole = here.aws.admin("s3control")
            whole.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=part)

        yield here.world("aws.block_public_access", params, drift)


SOMEBODYS = """{
  "Version": "2012-10-17", "Statement": {"Sid": "web", "Effect": "Allow",
    "Principal": "*",  "Action": "s3:GetObject", "Resource": "arn:aws:s3:::exports/*"}
}"""


@asynccontextmanager
async def guarded() -> AsyncIterator[World]:
    """A bucket with somebody's policy, to which another run adds a statement of Halon's meanwhile."""
    async with stage("aws.deny_bucket_access") as here:
        s3 = here.aws.admin("s3")
        s3.create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_policy(Bucket="exports", Policy=SOMEBODYS)

        def drift() -> None:
            condition = {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/x"}}
            theirs = {**DENY_BY_US, "Resource": "arn:aws:s3:::exports/*", "Principal": "*", "Condition": condition}
            s3.put_bucket_policy(Bucket="exports", Policy=policy(theirs))

        params: JsonObject = {"bucket": "exports", "spare": ["arn:aws:iam::123456789012:role/forensics"]}
        yield here.world("aws.deny_bucket_access", params, drift)


def launched(ec2: Any) -> tuple[str, str]:
    """Start an instance in the default VPC; gives its id and the VPC's."""
    (one,) = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"]
    return one["InstanceId"], one["VpcId"]


@asynccontextmanager
async def isolated() -> AsyncIterator[World]:
    """An instance with two interfaces, of which somebody changes the groups of one meanwhile."""
    async with stage("aws.isolate_instance") as here:
        ec2 = here.aws.admin("ec2")
        name, vpc = launched(ec2)
        (one,) = ec2.describe_instances(InstanceIds=[name])["Reservations"][0]["Instances"]
        second = ec2.create_network_interface(SubnetId=one["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
        ec2.attach_network_interface(DeviceIndex=1, InstanceId=name, NetworkInterfaceId=second)
        web = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]

        def drift() -> None:
            ec2.modify_network_interface_attribute(NetworkInterfaceId=second, Groups=[web])

        yield here.world("aws.isolate_instance", {"instance": name}, drift)


@asynccontextmanager
async def stopped() -> AsyncIterator[World]:
    """An instance that runs, and is terminated meanwhile."""
    async with stage("aws.stop_instance") as here:
        ec2 = here.aws.admin("ec2")
        name, _ = launched(ec2)

        def drift() -> None:
            ec2.terminate_instances(InstanceIds=[name])

        yield here.world("aws.stop_instance", {"instance": name}, drift)


@asynccontextmanager
async def snapshots() -> AsyncIterator[World]:
    """An instance, of which another run takes snapshots meanwhile."""
    async with stage("aws.snapshot_volumes") as here:
        ec2 = here.aws.admin("ec2")
        name, _ = launched(ec2)

        def drift() -> None:
            tags = [
                {"Key": "halon:instance", "Value": name},
                {"Key": "halon:number", "Value": "7"},
                {"Key": "halon:key", "Value": "other"},
            ]
            ec2.create_snapshots(
                InstanceSpecification={"InstanceId": name},
                TagSpecifications=[{"ResourceType": "snapshot", "Tags": tags}],
            )

        yield here.world("aws.snapshot_volumes", {"instance": name}, drift)


@asynccontextmanager
async def ingress() -> AsyncIterator[World]:
    """A group that lets the world in on a port, to which somebody adds a rule meanwhile."""
    async with stage("aws.revoke_ingress") as here:
        ec2 = here.aws.admin("ec2")
        group = ec2.create_security_group(GroupName="web", Description="web")["GroupId"]
        ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
        world = [{"CidrIp": "0.0.0.0/0", "Description": "for now"}, {"CidrIp": "10.0.0.0/8"}]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**ssh, "IpRanges": world}])

        def drift() -> None:
            everything = {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everything])

        yield here.world("aws.revoke_ingress", {"group": group, "port": 22}, drift)


WORLDS: dict[str, Opening] = {
    "aws.deactivate_access_key": access_key,
    "aws.disable_console_login": console_login,
    "aws.revoke_role_sessions": sessions,
    "aws.attach_deny_policy": functools.partial(denied, {}),
    "aws.block_public_access": functools.partial(public, {"bucket": "uploads"}),
    "aws.deny_bucket_access": guarded,
    "aws.isolate_instance": isolated,
    "aws.stop_instance": stopped,
    "aws.snapshot_volumes": snapshots,
    "aws.revoke_ingress": ingress,
}
