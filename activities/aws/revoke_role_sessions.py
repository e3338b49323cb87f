"""Revoke the sessions of an IAM role that began before now, as the console's button does."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field

from activities.aws._account import GLOBAL, AccountName, account_of, target
from activities.aws._iam import RoleName, inline_policy, myself, on, statements
from activities.aws._marks import of_sid, sid
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

POLICY = "HalonRevokedSessions"
"""The inline policy's name."""
MAX_KEPT = 5
"""Revocations that the policy keeps; a later one covers what an earlier one did."""


class Revocation(State):
    """One statement of the policy."""

    number: int
    before: str
    """Sessions that began before this are denied everything."""
    key: str
    """The key of the change that wrote it."""


class Revocations(State):
    """A role, and which of its sessions are revoked by Halon's policy."""

    path: str
    kept: tuple[Revocation, ...]
    foreign: bool
    """Whether the policy of that name holds what Halon did not write."""
    ours: bool
    """Whether Halon itself acts with this role."""

    @property
    def number(self) -> int:
        """How often the role's sessions were revoked."""
        return self.kept[-1].number if self.kept else 0


class RevokeRoleSessions(Change[Revocations]):
    """Deny everything to the sessions of a role that began before now, by an inline policy of Halon's own.

    It is what the console's *Revoke active sessions* does. Applications that hold such a session must get a new one; on
    instances that takes until their credentials are renewed. Whoever may assume the role can begin a new session, so
    close that way first: `aws.deactivate_access_key`, `aws.isolate_instance`. Undoing takes the policy's last
    revocation away, and no session lasts longer than 12 hours, so `expires` of 12 hours tidies up.

    Raises NotFound when there is no such role, and PermissionDenied with the IAM action that is missing.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        *on("role", ("iam:GetRole", "iam:GetRolePolicy"), "to see the role, and what was revoked before"),
        *on("role", ("iam:PutRolePolicy", "iam:DeleteRolePolicy"), "to write Halon's policy, and to take it away"),
    )
    example: ClassVar[JsonObject] = {"role": "web"}

    role: RoleName
    """The role's name."""
    to: Annotated[int, Field(ge=0)] | None = None
    """Take revocations back until so many are left, as undoing does; without it, revoke."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the role's sessions."""
        return target(self.account, GLOBAL, "iam", f"role/{self.role}/sessions")

    async def observe(self, env: Env) -> Revocations:
        """Look at the role and at the policy."""
        account = account_of(env, self.account)
        found = await account.call("iam", "get_role", RoleName=self.role)
        document = await inline_policy(account, "role", self.role, POLICY)
        read = [_read(one) for one in statements(document)]
        kept = sorted((one for one in read if one is not None), key=lambda one: one.number)
        return Revocations(
            path=str(found["Role"].get("Path", "/")),
            kept=tuple(kept),
            foreign=len(kept) != len(read),
            ours=await myself(account) == ("role", self.role),
        )

    def plan(self, state: Revocations, now: datetime) -> Proposal | Nothing | Refusal:
        """Count one up, or back to where it was."""
        if state.path.startswith("/aws-service-role/"):
            return Refusal(f"role {self.role} is a service's own: AWS lets nobody change it")
        if state.ours:
            return Refusal(f"role {self.role} is the one that Halon itself acts with")
        if state.foreign:
            return Refusal(f"the inline policy {POLICY} of role {self.role} holds what Halon did not write")
        if self.to is not None:
            return self._back(state, self.to)
        return Proposal(
            summary=f"Revoke the sessions of role {self.role} that began before now",
            before={"revocations": state.number},
            after={"revocations": state.number + 1},
            rows=[Row(field="revocations by Halon", before=state.number, after=state.number + 1)],
            notes=(
                "whoever may assume the role can begin a new session at once: see its trust policy",
                "applications on the role fail until they get new credentials; an instance renews its own within hours",
            ),
        )

    def owned(self, state: Revocations) -> JsonObject:
        """How often sessions were revoked."""
        return {"revocations": state.number}

    def mark(self, state: Revocations) -> str:
        """The key of the last revocation."""
        return state.kept[-1].key if state.kept else ""

    async def apply(self, env: Env, after: JsonObject, state: Revocations, key: str) -> None:
        """Write the policy, or take it away."""
        account, number = account_of(env, self.account), int(str(after["revocations"]))
        kept = [one for one in state.kept if one.number <= number]
        if self.to is None:
            began = env.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            kept.append(Revocation(number=number, before=began, key=key))
        if not kept:
            await account.call("iam", "delete_role_policy", RoleName=self.role, PolicyName=POLICY)
            return
        document = {"Version": "2012-10-17", "Statement": [_written(one) for one in kept[-MAX_KEPT:]]}
        await account.call(
            "iam", "put_role_policy", RoleName=self.role, PolicyName=POLICY, PolicyDocument=json.dumps(document)
        )

    def settled(self, state: Revocations, after: JsonObject) -> Settlement:
        """Whether IAM shows the policy; its answers may be some seconds old."""
        done = self.owned(state) == after
        began = f", of those before {state.kept[-1].before}" if state.kept else ""
        reason = f"role {self.role} has {state.number} revocations{began}"
        return Settlement(state="settled" if done else "waiting", reason=reason)

    def undo(self, before: JsonObject, after: JsonObject) -> "RevokeRoleSessions":
        """Take the last revocation away."""
        return RevokeRoleSessions.model_validate({**self.model_dump(), "to": before["revocations"]})

    def _back(self, state: Revocations, to: int) -> Proposal | Nothing | Refusal:
        if state.number == to:
            return Nothing(f"role {self.role} has {to} revocations already")
        known = {0, *(one.number for one in state.kept)}
        if to > state.number or to not in known:
            return Refusal(f"role {self.role} has {state.number} revocations, and none of number {to} to go back to")
        return Proposal(
            summary=f"Take the last revocation of sessions of role {self.role} back",
            before={"revocations": state.number},
            after={"revocations": to},
            rows=[Row(field="revocations by Halon", before=state.number, after=to)],
            notes=("sessions that it stopped and that have not ended yet may act again",),
        )


def _read(statement: dict[str, Any]) -> Revocation | None:
    found = of_sid(str(statement.get("Sid", "")))
    cutoff = statement.get("Condition", {}).get("DateLessThan", {}).get("aws:TokenIssueTime")
    if found is None or not isinstance(cutoff, str) or statement.get("Effect") != "Deny":
        return None
    return Revocation(number=found[0], before=cutoff, key=found[1])


def _written(one: Revocation) -> dict[str, Any]:
    return {
        "Sid": sid(one.key, one.number),
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": one.before}},
    }
