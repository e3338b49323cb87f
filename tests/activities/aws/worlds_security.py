"""What the changes act on that contain an incident."""

import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from emulator import Answer, Call
from stage import stage
from world import Opening, World

from halon.contracts.base import JsonObject

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


WORLDS: dict[str, Opening] = {
    "aws.deactivate_access_key": access_key,
    "aws.disable_console_login": console_login,
    "aws.revoke_role_sessions": sessions,
    "aws.attach_deny_policy": functools.partial(denied, {}),
}
