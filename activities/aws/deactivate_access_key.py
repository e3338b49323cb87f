"""Deactivate an access key of an IAM user, so that nobody can sign a request with it."""

from datetime import datetime
from typing import ClassVar, Literal

from activities.aws._account import GLOBAL, AccountName, account_of, target
from activities.aws._iam import KeyId, UserName, myself, on, tags, write_tag
from activities.aws._marks import PREFIX, fulfilled, intent
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.errors import NotFound
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

Status = Literal["Active", "Inactive", "Expired"]


class Key(State):
    """An access key, and what else its user signs with."""

    status: Status
    others: tuple[str, ...]
    """Other active keys of the user."""
    tag: str
    """Halon's tag about this key, as it is on the user."""
    ours: bool
    """Whether Halon itself is this user."""


class DeactivateAccessKey(Change[Key]):
    """Deactivate an access key of an IAM user; `status: Active` takes that back, and is what undoing does.

    The user is named by `aws.get_access_key`. Sessions that were made with the key, with GetSessionToken or by assuming
    a role, go on until they end: `aws.attach_deny_policy` and `aws.revoke_role_sessions` are for those.

    Raises NotFound when the user has no such key, and PermissionDenied with the IAM action that is missing.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        *on("user", ("iam:ListAccessKeys", "iam:ListUserTags"), "to see the key, and who changed it last"),
        *on("user", ("iam:TagUser",), "to leave Halon's mark on the user"),
        *on("user", ("iam:UpdateAccessKey",), "to deactivate the key"),
    )
    example: ClassVar[JsonObject] = {"user": "deployer", "key": "AKIAIOSFODNN7EXAMPLE"}

    user: UserName
    """Whose key it is."""
    key: KeyId
    """The key's id, which is no secret."""
    status: Literal["Inactive", "Active"] = "Inactive"
    """What the key shall be."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the key."""
        return target(self.account, GLOBAL, "iam", f"user/{self.user}/key/{self.key}")

    async def observe(self, env: Env) -> Key:
        """Look at the user's keys and tags."""
        account = account_of(env, self.account)
        keys = await account.pages("iam", "list_access_keys", "AccessKeyMetadata", UserName=self.user)
        found = next((one for one in keys if one["AccessKeyId"] == self.key), None)
        if found is None:
            raise NotFound(f"user {self.user} has no access key {self.key}")
        others = [str(one["AccessKeyId"]) for one in keys if one is not found and one["Status"] == "Active"]
        return Key(
            status=found["Status"],
            others=tuple(others),
            tag=(await tags(account, "user", self.user)).get(self._tag, ""),
            ours=await myself(account) == ("user", self.user),
        )

    def plan(self, state: Key, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and say what it leaves open."""
        if state.status == self.status:
            return Nothing(f"access key {self.key} of user {self.user} is {state.status} already")
        if state.status == "Expired":
            return Refusal(f"access key {self.key} of user {self.user} has expired")
        if state.ours and self.status == "Inactive":
            return Refusal(f"user {self.user} is whom Halon itself acts as: deactivate its key by hand")
        notes = [
            "sessions that were made with it go on until they end, up to 36 hours; a deny policy on the user ends them",
            "the user's console password stays",
        ]
        if state.others:
            notes.append(f"the user has other active keys, which stay: {', '.join(state.others)}")
        verb = "Deactivate" if self.status == "Inactive" else "Activate"
        return Proposal(
            summary=f"{verb} access key {self.key} of user {self.user}",
            before={"status": state.status},
            after={"status": self.status},
            rows=[Row(field="status", before=state.status, after=self.status)],
            notes=notes if self.status == "Inactive" else (),
        )

    def owned(self, state: Key) -> JsonObject:
        """Whether the key is active."""
        return {"status": state.status}

    def mark(self, state: Key) -> str:
        """The key of the change that made it so."""
        return fulfilled(state.tag, self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Key, key: str) -> None:
        """Tag the user, then change the key."""
        account = account_of(env, self.account)
        if state.tag != intent(key, after):
            await write_tag(account, "user", self.user, self._tag, intent(key, after))
        await account.call(
            "iam", "update_access_key", UserName=self.user, AccessKeyId=self.key, Status=str(after["status"])
        )

    def settled(self, state: Key, after: JsonObject) -> Settlement:
        """Whether IAM says so; its answers may be some seconds old."""
        done = self.owned(state) == after
        return Settlement(state="settled" if done else "waiting", reason=f"access key {self.key} is {state.status}")

    def undo(self, before: JsonObject, after: JsonObject) -> "DeactivateAccessKey":
        """Give the key the status that it had."""
        return DeactivateAccessKey.model_validate({**self.model_dump(), "status": before["status"]})

    @property
    def _tag(self) -> str:
        return f"{PREFIX}key/{self.key}"
