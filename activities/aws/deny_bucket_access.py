"""Deny everybody but named principals all access to a bucket, by one statement in its policy."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._bucket import BUCKET, MAX_POLICY, BucketName, PolicyText, parsed, read_policy
from activities.aws._iam import myself
from activities.aws._marks import of_sid, sid
from halon.clients.aws.api import Account
from halon.contracts.base import Json, JsonObject, is_list
from halon.contracts.plan import Row, Settlement
from halon.errors import Conflict
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

MAX_EXCEPT = 20
Principal = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:(root|(user|role)/[A-Za-z0-9_+=,.@*/-]+)$", max_length=600
    ),
]
_ALONE = 1
"""Number in the id of Halon's statement when the other one stood alone before, outside of a list."""
_EXCEPT, _SERVICES = "aws:PrincipalArn", "aws:PrincipalIsAWSService"


class Guarded(State):
    """A bucket's policy, and Halon's statement in it."""

    policy: str
    """The whole text, empty when there is none."""
    sid: str
    """Id of Halon's statement, empty when there is none."""
    spared: tuple[str, ...]
    """Whom Halon's statement excepts."""
    services: bool
    """Whether it excepts AWS's services."""
    several: bool
    """Whether there is more than one such statement."""
    myself: tuple[str, ...]
    """ARNs, with wildcards, that Halon itself acts as."""


class DenyBucketAccess(Change[Guarded]):
    """Deny all access to a bucket to everybody but named principals, by one statement in the bucket's policy.

    Halon itself is always excepted, so that it can take the statement out again; the account's root user can, too.
    Other statements stay as they are, byte for byte. S3 has no way to write a policy only if nobody else did meanwhile:
    two who write it in the same second overwrite each other, and confirming shows that.

    Raises NotFound when there is no such bucket, and PermissionDenied with the IAM action that is missing.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("aws", ("s3:GetBucketPolicy",), BUCKET, "to see the policy"),
        Permission("aws", ("s3:PutBucketPolicy",), BUCKET, "to put Halon's statement into it"),
        Permission("aws", ("s3:DeleteBucketPolicy",), BUCKET, "to take it away when there is no other statement"),
    )
    example: ClassVar[JsonObject] = {
        "bucket": "shop-exports",
        "spare": ["arn:aws:iam::123456789012:role/forensics"],
    }

    bucket: BucketName
    """The bucket."""
    spare: Annotated[tuple[Principal, ...], Field(max_length=MAX_EXCEPT)] = ()
    """ARNs of users and roles that keep what they may; `*` stands for any characters."""
    spare_services: bool = False
    """Whether AWS's own services, such as those that write logs or replicate, keep what they may."""
    denied: bool = True
    """Whether the statement shall be there."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The bucket's region; without it, the account's own."""

    def target(self) -> str:
        """Name the bucket's policy."""
        return target(self.account, self.region, "s3", f"{self.bucket}/policy")

    async def observe(self, env: Env) -> Guarded:
        """Look at the policy."""
        account = account_of(env, self.account)
        text = await read_policy(account, self.bucket, self.region)
        ours = [one for one in parsed(text).values if of_sid(str(one.get("Sid", ""))) is not None]
        first = ours[0] if ours else {}
        condition: dict[str, Any] = first.get("Condition", {})
        spared = condition.get("ArnNotLike", {}).get(_EXCEPT, ())
        return Guarded(
            policy=text,
            sid=str(first.get("Sid", "")),
            spared=tuple(spared) if is_list(spared) else ((str(spared),) if spared else ()),
            services="BoolIfExists" in condition,
            several=len(ours) > 1,
            myself=await _myself(account),
        )

    def plan(self, state: Guarded, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        if state.several:
            return Refusal(
                f"the policy of bucket {self.bucket} has several statements of Halon's: take them out by hand"
            )
        if self.denied and not state.myself:
            return Refusal("Halon acts as the account's root user, whom no statement can except: give it a role")
        before, after = self.owned(state), self._wanted(state)
        if before == after:
            return Nothing(
                f"access to bucket {self.bucket} is {'denied in this way' if state.sid else 'not denied'} already"
            )
        if self.denied and state.sid:
            return Refusal(
                f"another run denies access to bucket {self.bucket} already, and excepts others than this one"
            )
        spared = self._spared(state)
        if self.denied and len(self._text(state, "k" * 64).encode()) > MAX_POLICY:
            return Refusal(f"the policy of bucket {self.bucket} would become larger than S3 takes")
        services = self.denied and not self.spare_services
        others = len(parsed(state.policy).statements) - bool(state.sid)
        return Proposal(
            summary=f"{'Deny' if self.denied else 'No longer deny'} access to bucket {self.bucket}"
            f"{f' to everybody but {len(spared)} principals' if self.denied else ''}",
            before=before,
            after=after,
            rows=[Row(field="denied to all but", before=before["spare"], after=after["spare"])],
            notes=(
                f"the {others} other statements of its policy stay as they are",
                *(("AWS services that read or write it are denied, too",) if services else ()),
            ),
        )

    def owned(self, state: Guarded) -> JsonObject:
        """Whether Halon's statement is there, and whom it excepts."""
        if not state.sid:
            return {"spare": None, "services": False}
        return {"spare": list[Json](sorted(state.spared)), "services": state.services}

    def mark(self, state: Guarded) -> str:
        """The key of the change that wrote the statement."""
        found = of_sid(state.sid)
        return found[1] if found else ""

    async def apply(self, env: Env, after: JsonObject, state: Guarded, key: str) -> None:
        """Put the statement into the policy, or take it out.

        Raises:
            Conflict: the policy changed since it was seen.
        """
        account, where = account_of(env, self.account), {"Bucket": self.bucket, "region": self.region}
        if await read_policy(account, self.bucket, self.region) != state.policy:
            raise Conflict(f"the policy of bucket {self.bucket} changed meanwhile")
        text = self._text(state, key)
        if text:
            await account.call("s3", "put_bucket_policy", Policy=text, **where)
        else:
            await account.call("s3", "delete_bucket_policy", **where)

    def settled(self, state: Guarded, after: JsonObject) -> Settlement:
        """Whether the policy has it."""
        if self.owned(state) == after:
            return Settlement(state="settled", reason=f"the policy of bucket {self.bucket} says so")
        return Settlement(state="waiting", reason=f"the policy of bucket {self.bucket} does not say so, or no longer")

    def undo(self, before: JsonObject, after: JsonObject) -> "DenyBucketAccess":
        """Take the statement out, or put it in again."""
        spare = before["spare"]
        given = {"denied": spare is not None, "spare": spare or (), "spare_services": before["services"]}
        return DenyBucketAccess.model_validate({**self.model_dump(), **given})

    def _wanted(self, state: Guarded) -> JsonObject:
        if not self.denied:
            return {"spare": None, "services": False}
        return {"spare": self._spared(state), "services": self.spare_services}

    def _spared(self, state: Guarded) -> list[Json]:
        return list[Json](sorted({*self.spare, *state.myself}))

    def _text(self, state: Guarded, key: str) -> str:
        policy: PolicyText = parsed(state.policy)
        if not self.denied:
            found = of_sid(state.sid)
            return policy.without(state.sid, alone=found is not None and found[0] == _ALONE)
        noted = sid(key, _ALONE if policy.alone else 0)
        return policy.with_first(_statement(self.bucket, noted, self._spared(state), services=self.spare_services))


def _statement(bucket: str, noted: str, spared: Sequence[Json], *, services: bool) -> dict[str, Any]:
    condition: dict[str, Any] = {"ArnNotLike": {_EXCEPT: list(spared)}}
    if services:
        condition["BoolIfExists"] = {_SERVICES: "false"}
    return {
        "Sid": noted,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": condition,
    }


async def _myself(account: Account) -> tuple[str, ...]:
    """ARNs that fit Halon's own user or role. A session's ARN does not have the role's path, so any path fits."""
    kind, name = await myself(account)
    if kind == "root":
        return ()
    identity = await account.identity()
    own = f"arn:{identity['partition']}:iam::{identity['account']}:{kind}"
    return f"{own}/{name}", f"{own}/*/{name}"
