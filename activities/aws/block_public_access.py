"""Block public access to a bucket, or to all buckets of an account."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import inner
from activities.aws._bucket import ALL, BUCKET, NOTHING_BLOCKED, Setting
from activities.aws._marks import fulfilled, intent
from halon.clients.aws.api import Account
from halon.clients.aws.failures import AwsNotFound
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env


class Access(State):
    """What is blocked."""

    blocked: tuple[Setting, ...] | None
    """None when nothing was ever said about it."""
    mark: str
    """Halon's mark, as it is in Parameter Store."""


class BlockPublicAccess(Change[Access]):
    """Block public access to a bucket, by policy and by access control list; without `bucket`, to the whole account.

    Whoever has credentials keeps what they may: `aws.deny_bucket_access` is for those. Undoing puts back exactly what
    was blocked before. S3 has no place for Halon's mark here, so it is a parameter `/halon/s3/…` in SSM's Parameter
    Store: when somebody else blocks the same between plan and change, it is not the run's own, and is not undone.

    Raises NotFound when there is no such bucket, and PermissionDenied with the IAM action that is missing.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("aws", ("s3:GetBucketPublicAccessBlock",), BUCKET, "to see what is blocked"),
        Permission("aws", ("s3:PutBucketPublicAccessBlock",), BUCKET, "to block it, and to put it back"),
        Permission(
            "aws",
            ("ssm:GetParameter", "ssm:PutParameter"),
            "arn:aws:ssm:{region}:{account}:parameter/halon/s3/public-access/{bucket}",
            "to leave Halon's mark",
        ),
        Permission(
            "aws",
            ("ssm:GetParameter", "ssm:PutParameter"),
            "arn:aws:ssm:{region}:{account}:parameter/halon/s3/account-public-access",
            "to leave Halon's mark for the whole account",
        ),
        Permission("aws", ("s3:GetAccountPublicAccessBlock",), "*", "to see what is blocked for the whole account"),
        Permission("aws", ("s3:PutAccountPublicAccessBlock",), "*", "to block it for the whole account"),
    )
    example: ClassVar[JsonObject] = {"bucket": "shop-uploads"}

    bucket: Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$", max_length=63)] = ""
    """The bucket; without it, every bucket of the account."""
    block: Annotated[tuple[Setting, ...], Field(max_length=4)] | None = ALL
    """What is blocked; null takes the whole configuration away, as undoing does where there was none."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The bucket's region; without it, the account's own."""

    def target(self) -> str:
        """Name the bucket, or the account."""
        return target(self.account, self.region, "s3", f"{self.bucket or 'all'}/public-access")

    async def observe(self, env: Env) -> Access:
        """Look at what is blocked, and for the mark."""
        account = account_of(env, self.account)
        return Access(blocked=await self._blocked(account, await self._which(env)), mark=await self._read_mark(account))

    async def _blocked(self, account: Account, which: dict[str, Any]) -> tuple[Setting, ...] | None:
        try:
            answer = await account.call(*self._operation("get"), **which)
        except AwsNotFound as error:
            if error.code != NOTHING_BLOCKED:
                raise
            return None
        said = inner(answer, "PublicAccessBlockConfiguration")
        return tuple(one for one in ALL if said.get(one))

    async def _read_mark(self, account: Account) -> str:
        try:
            answer = await account.call("ssm", "get_parameter", region=self.region, Name=self._parameter)
        except AwsNotFound:
            return ""
        return str(inner(answer, "Parameter").get("Value", ""))

    def plan(self, state: Access, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        wanted, what = self._wanted, f"bucket {self.bucket}" if self.bucket else "every bucket of the account"
        if self.owned(state) == wanted:
            return Nothing(f"public access to {what} is blocked in this way already")
        opens = set(state.blocked or ()) - set(self.block or ())
        return Proposal(
            summary=f"{'Change what is blocked of' if opens else 'Block'} public access to {what}",
            before=self.owned(state),
            after=wanted,
            rows=[Row(field=one, before=one in (state.blocked or ()), after=one in (self.block or ())) for one in ALL],
            notes=(
                "what strangers read there, such as a web site or links without a signature, stops at once",
                "whoever has credentials keeps what they may, and links that are signed go on",
            ),
        )

    def owned(self, state: Access) -> JsonObject:
        """What is blocked."""
        return {"blocked": None if state.blocked is None else list(state.blocked)}

    def mark(self, state: Access) -> str:
        """The key of the change that made it so."""
        return fulfilled(state.mark, self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Access, key: str) -> None:
        """Leave the mark, then write the four switches, or take them away."""
        account, which = account_of(env, self.account), await self._which(env)
        if state.mark != intent(key, after):
            await account.call(
                "ssm",
                "put_parameter",
                region=self.region,
                Name=self._parameter,
                Value=intent(key, after),
                Type="String",
                Overwrite=True,
            )
        if self.block is None:
            await account.call(*self._operation("delete"), **which)
            return
        given = {one: one in self.block for one in ALL}
        await account.call(*self._operation("put"), PublicAccessBlockConfiguration=given, **which)

    def settled(self, state: Access, after: JsonObject) -> Settlement:
        """Whether S3 shows it so."""
        done = self.owned(state) == after
        reason = f"blocked: {', '.join(state.blocked or ()) or 'nothing'}"
        return Settlement(state="settled" if done else "waiting", reason=reason)

    def undo(self, before: JsonObject, after: JsonObject) -> "BlockPublicAccess":
        """Block what was blocked before."""
        return BlockPublicAccess.model_validate({**self.model_dump(), "block": before["blocked"]})

    @property
    def _wanted(self) -> JsonObject:
        return {"blocked": None if self.block is None else [one for one in ALL if one in self.block]}

    @property
    def _parameter(self) -> str:
        return f"/halon/s3/public-access/{self.bucket}" if self.bucket else "/halon/s3/account-public-access"

    def _operation(self, verb: str) -> tuple[str, str]:
        return "s3" if self.bucket else "s3control", f"{verb}_public_access_block"

    async def _which(self, env: Env) -> dict[str, Any]:
        if self.bucket:
            return {"Bucket": self.bucket, "region": self.region}
        identity = await account_of(env, self.account).identity()
        return {"AccountId": identity["account"], "region": self.region}
