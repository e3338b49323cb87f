"""Rotate a secret of Secrets Manager now."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import inner, words
from halon.clients.aws.failures import AwsRefusal
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.errors import Conflict
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
ARN = "arn:aws:secretsmanager:{region}:{account}:secret:{secret}-??????"
_IN_PROGRESS = "InvalidRequestException"
"""What Secrets Manager says when a rotation is under way, among other things."""
_SHOWN = 8


class Versions(State):
    """Which version of a secret has which label; no value is ever read."""

    current: str
    pending: str
    """A version that is being made: not the current one; empty when none is."""
    previous: str
    all: tuple[str, ...]
    enabled: bool
    function: str
    """ARN of the function that rotates it; empty without one."""
    service: str
    """The service of AWS that manages it; empty when none does."""
    deleted: bool
    home: str
    """The region that it is replicated from, when it is a replica; otherwise empty."""

    @property
    def replaced(self) -> str:
        """The version that the newest one replaces, or is about to."""
        return self.current if self.pending else self.previous


class RotateSecret(Change[Versions]):
    """Rotate a secret of Secrets Manager now, with the rotation function that it has, and wait until that has finished.

    Whoever reads `AWSCURRENT` gets the new value from then on; programs that keep the old one must read it again. The
    value itself is never read here. A secret without a rotation function is refused, and so is one of which a rotation
    is under way, or has failed half-way: `AWSPENDING` is then on a version that is not the current one.

    Raises NotFound when there is no such secret, and PermissionDenied with the IAM action that is missing.
    """

    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "aws", ("secretsmanager:DescribeSecret", "secretsmanager:RotateSecret"), ARN, "to look, and to rotate it"
        ),
        Permission(
            "aws",
            ("lambda:InvokeFunction",),
            "arn:aws:lambda:{region}:{account}:function:*",
            "which AWS asks for of who rotates: the secret's own function",
        ),
    )
    example: ClassVar[JsonObject] = {"secret": "prod/orders/database"}

    secret: Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9/_+=.@-]+$")]
    """The secret's name."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The secret's region; without it, the account's own."""

    def target(self) -> str:
        """Name the secret."""
        return target(self.account, self.region, "secretsmanager", self.secret)

    async def observe(self, env: Env) -> Versions:
        """Look at the secret's versions."""
        account = account_of(env, self.account)
        found = await account.call("secretsmanager", "describe_secret", region=self.region, SecretId=self.secret)
        labels = {
            str(version): words(inner(found, "VersionIdsToStages"), version)
            for version in inner(found, "VersionIdsToStages")
        }
        current = _labelled(labels, CURRENT)
        pending = _labelled(labels, PENDING)
        home = str(found.get("PrimaryRegion", ""))
        return Versions(
            current=current,
            pending="" if pending == current else pending,
            previous=_labelled(labels, PREVIOUS),
            all=tuple(sorted(labels)),
            enabled=bool(found.get("RotationEnabled")),
            function=str(found.get("RotationLambdaARN", "")),
            service=str(found.get("OwningService", "")),
            deleted="DeletedDate" in found,
            home="" if home == str(found.get("ARN", "")).split(":")[3] else home,
        )

    def plan(self, state: Versions, now: datetime) -> Proposal | Nothing | Refusal:
        """See whether it can be rotated."""
        objection = self._objection(state)
        if objection:
            return Refusal(f"secret {self.secret} {objection}")
        return Proposal(
            summary=f"Rotate secret {self.secret} now",
            before=self.owned(state),
            after={"replaced": state.current},
            rows=[Row(field=CURRENT, before=state.current[:_SHOWN], after="a new version")],
            notes=(
                f"by {state.function}",
                "programs that keep the old value fail once it stops being valid: they must read it again",
            ),
        )

    def _objection(self, state: Versions) -> str:
        """Why it cannot be rotated, beginning with a verb."""
        half = f"has a rotation under way, or one that failed half-way: version {state.pending[:_SHOWN]} is {PENDING}"
        reasons = (
            (state.deleted, "is scheduled for deletion"),
            (state.home, f"is a replica: rotate it in {state.home}"),
            (state.service and not state.function, f"is managed by the service {state.service}: have that rotate it"),
            (not state.function, "has no rotation function: nothing can make a new value"),
            (not state.enabled, "has its rotation switched off: switch it on, or rotate it by hand"),
            (not state.current, "has no current version"),
            (state.pending, f"{half}; the log of its rotation function says why"),
        )
        return next((reason for applies, reason in reasons if applies), "")

    def owned(self, state: Versions) -> JsonObject:
        """Which version the newest one replaces."""
        return {"replaced": state.replaced}

    def mark(self, state: Versions) -> str:
        """None: the version's id is made of the key."""
        return ""

    def ours(self, state: Versions, key: str) -> bool:
        """Whether there is a version that was made with this key."""
        return _token(key) in state.all

    async def apply(self, env: Env, after: JsonObject, state: Versions, key: str) -> None:
        """Rotate it, with a version id that is made of the key.

        Raises:
            Conflict: somebody else has begun a rotation meanwhile.
        """
        account = account_of(env, self.account)
        try:
            await account.call(
                "secretsmanager",
                "rotate_secret",
                region=self.region,
                SecretId=self.secret,
                ClientRequestToken=_token(key),
                RotateImmediately=True,
            )
        except AwsRefusal as error:
            if error.code == _IN_PROGRESS and (await self.observe(env)).replaced != state.replaced:
                raise Conflict(str(error)) from error
            raise

    def settled(self, state: Versions, after: JsonObject) -> Settlement:
        """Whether the new version is the current one."""
        if state.replaced != after["replaced"]:
            reason = f"the rotation was cancelled, or another one has come since: {CURRENT} is {state.current[:_SHOWN]}"
            return Settlement(state="broken", reason=reason)
        if state.pending:
            reason = f"version {state.pending[:_SHOWN]} is {PENDING}: its rotation function has not finished"
            return Settlement(state="waiting", reason=reason)
        observed: JsonObject = {"version": state.current}
        return Settlement(state="settled", reason=f"{CURRENT} is {state.current[:_SHOWN]}", observed=observed)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """There is none."""
        return NoUndo("a secret is rotated because its old value may be known; AWSPREVIOUS has it until the next time")


def _labelled(labels: Mapping[str, list[str]], label: str) -> str:
    return next((version for version, found in sorted(labels.items()) if label in found), "")


def _token(key: str) -> str:
    """Give the id of the version that a key makes: 64 characters, as many as it may have."""
    return hashlib.sha256(key.encode()).hexdigest()
