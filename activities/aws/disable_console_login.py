"""Take an IAM user's console password away."""

from datetime import datetime
from typing import ClassVar

from activities.aws._account import GLOBAL, AccountName, account_of, target
from activities.aws._iam import UserName, myself, on
from halon.clients.aws.failures import AwsNotFound
from halon.contracts.base import JsonObject
from halon.contracts.plan import Effect, Row, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env


class Login(State):
    """Whether a user can sign in to the console with a password."""

    password: bool
    created: str
    """When the password was made, empty without one."""
    ours: bool
    """Whether Halon itself is this user."""


class DisableConsoleLogin(Change[Login]):
    """Take an IAM user's console password away, so that nobody can sign in to the console with it.

    It cannot be taken back: AWS gives no password out, so the user gets a new one from whoever administrates IAM. Where
    it must be possible to undo, `aws.attach_deny_policy` leaves the password and denies everything.

    Raises NotFound when there is no such user, and PermissionDenied with the IAM action that is missing.
    """

    effect: ClassVar[Effect] = Effect.DESTROY
    undoable: ClassVar[bool] = False
    marks: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        *on("user", ("iam:GetUser", "iam:GetLoginProfile"), "to see whether there is a password"),
        *on("user", ("iam:DeleteLoginProfile",), "to take it away"),
    )
    example: ClassVar[JsonObject] = {"user": "ada"}

    user: UserName
    """Whose password it is."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the login."""
        return target(self.account, GLOBAL, "iam", f"user/{self.user}/login")

    async def observe(self, env: Env) -> Login:
        """Look at the user's login profile."""
        account = account_of(env, self.account)
        ours = await myself(account) == ("user", self.user)
        try:
            answer = await account.call("iam", "get_login_profile", UserName=self.user)
        except AwsNotFound:
            await account.call("iam", "get_user", UserName=self.user)  # NotFound when it is the user that is missing
            return Login(password=False, created="", ours=ours)
        created = answer["LoginProfile"].get("CreateDate")
        return Login(password=True, created=created.isoformat() if created else "", ours=ours)

    def plan(self, state: Login, now: datetime) -> Proposal | Nothing | Refusal:
        """Say what is lost and what stays open."""
        if not state.password:
            return Nothing(f"user {self.user} has no console password")
        if state.ours:
            return Refusal(f"user {self.user} is whom Halon itself acts as")
        return Proposal(
            summary=f"Take the console password of user {self.user} away",
            before={"password": state.created or "there"},
            after={"password": None},
            rows=[Row(field="password", before=f"made {state.created}" if state.created else "there", after="none")],
            notes=(
                "the user needs a new password from an administrator: this one cannot be put back",
                "consoles that are open stay so, up to 12 hours; a deny policy on the user ends them",
                "access keys of the user stay as they are",
            ),
        )

    def owned(self, state: Login) -> JsonObject:
        """Whether there is a password, and of when: a newer one is another one."""
        return {"password": (state.created or "there") if state.password else None}

    def mark(self, state: Login) -> str:
        """None: what is gone carries no mark."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: Login, key: str) -> None:
        """Delete the login profile."""
        await account_of(env, self.account).call("iam", "delete_login_profile", UserName=self.user)

    def settled(self, state: Login, after: JsonObject) -> Settlement:
        """Whether there is none."""
        if state.password:
            return Settlement(state="waiting", reason=f"user {self.user} still has a console password")
        return Settlement(state="settled", reason=f"user {self.user} has no console password")

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """There is none."""
        return NoUndo("AWS gives no password out, so this one cannot be put back: an administrator makes a new one")
