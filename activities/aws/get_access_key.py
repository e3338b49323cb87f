"""Find out whose an access key is, and what it was used for last."""

from typing import ClassVar, Literal

from activities.aws._account import GLOBAL, AccountName, account_of, target
from activities.aws._iam import KeyId
from halon.clients.aws.failures import AwsNotFound
from halon.contracts.base import JsonObject
from halon.errors import NotFound, PermissionDenied
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

TEMPORARY = "ASIA"
"""What the ids of keys begin with that belong to a session, and not to a user."""


class AccessKey(Output):
    """An access key, whose it is, and what else they have."""

    key: str
    """Its id."""
    user: str
    """The IAM user whose it is."""
    status: Literal["Active", "Inactive", "Expired"]
    """Whether requests can be signed with it."""
    created: str
    """When it was made, RFC 3339."""
    age_days: int
    """Whole days since then."""
    last_used: str
    """When AWS last saw it, RFC 3339; empty when never."""
    last_service: str
    """For which service, such as `s3`; empty when never."""
    last_region: str
    """In which region; empty when never."""
    other_keys: tuple[str, ...]
    """Other active keys of the same user."""
    console_password: bool
    """Whether the user can sign in to the console with a password."""


class GetAccessKey(Read[AccessKey]):
    """Find out whose an access key is, whether it is active, and what it was used for last.

    A key that begins with `ASIA` is a session's: it has no owner here, and is ended by revoking the role's sessions.

    Raises NotFound when no user of this account has the key, and PermissionDenied with the IAM action that is missing.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("aws", ("iam:GetAccessKeyLastUsed",), "*", "to see whose it is"),
        Permission("aws", ("iam:ListAccessKeys", "iam:GetLoginProfile"), "arn:aws:iam::*:user/*", "to see its state"),
    )
    example: ClassVar[JsonObject] = {"key": "AKIAIOSFODNN7EXAMPLE"}

    key: KeyId
    """The key's id, which is no secret."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the key."""
        return target(self.account, GLOBAL, "iam", f"key/{self.key}")

    async def run(self, env: Env) -> AccessKey:
        """Ask IAM.

        Raises:
            NotFound: no user of this account has it.
        """
        if self.key.startswith(TEMPORARY):
            raise NotFound(
                f"access key {self.key} is a session's and has no owner in IAM: the alert names the role whose it is"
            )
        account, nobody = account_of(env, self.account), f"no user of this account has access key {self.key}"
        try:
            answer = await account.call("iam", "get_access_key_last_used", AccessKeyId=self.key)
        except PermissionDenied as error:  # which is what AWS says of a key of another account
            raise PermissionDenied(f"{error}; AWS says so of another account's key, too") from error
        user, used = str(answer.get("UserName", "")), answer.get("AccessKeyLastUsed", {})
        if not user:
            raise NotFound(nobody)
        keys = await account.pages("iam", "list_access_keys", "AccessKeyMetadata", UserName=user)
        found = next((one for one in keys if one["AccessKeyId"] == self.key), None)
        if found is None:
            raise NotFound(nobody)
        created, last = found["CreateDate"], used.get("LastUsedDate")
        return AccessKey(
            key=self.key,
            user=user,
            status=found["Status"],
            created=created.isoformat(),
            age_days=max(0, (env.now() - created).days),
            last_used=last.isoformat() if last else "",
            last_service=str(used.get("ServiceName", "")) if last else "",
            last_region=str(used.get("Region", "")) if last else "",
            other_keys=tuple(str(one["AccessKeyId"]) for one in keys if one is not found and one["Status"] == "Active"),
            console_password=await self._password(env, user),
        )

    async def _password(self, env: Env, user: str) -> bool:
        try:
            await account_of(env, self.account).call("iam", "get_login_profile", UserName=user)
        except AwsNotFound:
            return False
        return True
