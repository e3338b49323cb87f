"""Deny a user or a role everything, or what a policy of yours denies, until that is taken back."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from activities.aws._account import GLOBAL, AccountName, account_of, target
from activities.aws._iam import Kind, PolicyArn, UserName, inline_policy, myself, named, statements, tags, write_tag
from activities.aws._marks import PREFIX, fulfilled, intent, of_sid, sid
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

POLICY = "HalonDenyAll"
"""The inline policy's name."""
_PLACES = ("arn:aws:iam::*:{kind}/{name}", "arn:aws:iam::*:{kind}/*/{name}")


def _needed(kind: Kind, what: str) -> Iterator[Permission]:
    """Give what is needed for a user or a role. To attach whatever policy is much, so only who attaches one may."""
    is_kind = ("kind", kind)
    for place in _PLACES:
        yield Permission("aws", (f"iam:Get{what}",), place, "to see who it is", when=(is_kind,))
        yield Permission(
            "aws",
            (f"iam:Get{what}Policy", f"iam:Put{what}Policy", f"iam:Delete{what}Policy"),
            place,
            "to write Halon's own policy and take it away",
            when=(is_kind, ("policy", "")),
        )
        yield Permission(
            "aws",
            (
                *(f"iam:ListAttached{what}Policies", f"iam:List{what}Tags", f"iam:Tag{what}"),
                *(f"iam:Attach{what}Policy", f"iam:Detach{what}Policy"),
            ),
            place,
            "to attach a policy of yours and take it away, with a mark",
            when=(is_kind, ("policy", "*")),
        )


class Denial(State):
    """A user or a role, and whether the policy is on it."""

    path: str
    there: bool
    foreign: bool
    """Whether the inline policy of that name holds what Halon did not write."""
    sid: str
    """Id of the inline policy's statement."""
    tag: str
    """Halon's tag about the managed policy, as it is on the user or role."""
    ours: bool
    """Whether Halon itself is this user or role."""


class AttachDenyPolicy(Change[Denial]):
    """Deny a user or a role everything, or attach a managed policy of yours that denies.

    A denial counts for sessions that are there already, and stronger than whatever allows. It is taken back exactly, so
    it may have an `expires`. With `attached: false` it takes the policy away, which is what undoing does.

    Raises NotFound when there is no such user, role or policy, and PermissionDenied with the IAM action that is
    missing.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*_needed("user", "User"), *_needed("role", "Role"))
    example: ClassVar[JsonObject] = {"kind": "user", "name": "deployer"}

    kind: Kind
    """Whether it is a user or a role."""
    name: UserName
    """The user's or the role's name."""
    policy: PolicyArn = ""
    """ARN of a managed policy, such as `arn:aws:iam::aws:policy/AWSDenyAll`; without it, Halon's own inline policy."""
    attached: bool = True
    """Whether it shall be there."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the user or role."""
        return target(self.account, GLOBAL, "iam", f"{self.kind}/{self.name}/deny")

    async def observe(self, env: Env) -> Denial:
        """Look at what is attached."""
        account, who = account_of(env, self.account), named(self.kind, self.name)
        found = await account.call("iam", f"get_{self.kind}", **who)
        one = found[self.kind.capitalize()]
        inline = statements(None if self.policy else await inline_policy(account, self.kind, self.name, POLICY))
        noted = str(inline[0].get("Sid", "")) if inline else ""
        there, tag = bool(inline), ""
        if self.policy:
            listed = await account.pages(
                "iam", f"list_attached_{self.kind}_policies", "AttachedPolicies", **named(self.kind, self.name)
            )
            there = any(policy["PolicyArn"] == self.policy for policy in listed)
            tag = (await tags(account, self.kind, self.name)).get(self._tag, "")
        foreign = bool(inline) and (len(inline) != 1 or of_sid(noted) is None or inline[0] != _statement(noted))
        ours = await myself(account) == (self.kind, self.name)
        return Denial(path=str(one.get("Path", "/")), there=there, foreign=foreign, sid=noted, tag=tag, ours=ours)

    def plan(self, state: Denial, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, unless it would lock Halon itself out."""
        who, what = f"{self.kind} {self.name}", f"policy {self.policy or POLICY}"
        if state.foreign:
            return Refusal(f"the inline policy {POLICY} of {who} holds what Halon did not write")
        if state.there == self.attached:
            return Nothing(f"{what} is {'' if state.there else 'not '}on {who} already")
        if state.path.startswith("/aws-service-role/"):
            return Refusal(f"{who} is a service's own: AWS lets nobody change it")
        if state.ours and self.attached:
            return Refusal(f"{who} is whom Halon itself acts as")
        notes = (
            f"{who} can do nothing any more, sessions that are there included"
            if not self.policy
            else f"{who} can do no more what {self.policy} denies, sessions that are there included",
            "what already runs goes on: an instance, a database, a job",
        )
        return Proposal(
            summary=f"{'Attach' if self.attached else 'Take away'} {what} {'to' if self.attached else 'from'} {who}",
            before={"attached": state.there},
            after={"attached": self.attached},
            rows=[Row(field=what, before=state.there, after=self.attached)],
            notes=notes if self.attached else (),
        )

    def owned(self, state: Denial) -> JsonObject:
        """Whether the policy is there, and is Halon's."""
        return {"attached": "with other content" if state.foreign else state.there}

    def mark(self, state: Denial) -> str:
        """The key of the change that made it so."""
        if self.policy:
            return fulfilled(state.tag, self.owned(state))
        found = of_sid(state.sid)
        return found[1] if found else ""

    async def apply(self, env: Env, after: JsonObject, state: Denial, key: str) -> None:
        """Write the policy, or take it away."""
        account, who = account_of(env, self.account), named(self.kind, self.name)
        if self.policy:
            if state.tag != intent(key, after):
                await write_tag(account, self.kind, self.name, self._tag, intent(key, after))
            verb = "attach" if self.attached else "detach"
            await account.call(
                "iam", f"{verb}_{self.kind}_policy", PolicyArn=self.policy, **named(self.kind, self.name)
            )
        elif self.attached:
            document = json.dumps({"Version": "2012-10-17", "Statement": [_statement(sid(key))]})
            await account.call("iam", f"put_{self.kind}_policy", PolicyName=POLICY, PolicyDocument=document, **who)
        else:
            await account.call("iam", f"delete_{self.kind}_policy", PolicyName=POLICY, **who)

    def settled(self, state: Denial, after: JsonObject) -> Settlement:
        """Whether IAM shows it so; its answers may be some seconds old."""
        done = self.owned(state) == after
        there = "is" if state.there else "is not"
        reason = f"policy {self.policy or POLICY} {there} on {self.kind} {self.name}"
        return Settlement(state="settled" if done else "waiting", reason=reason)

    def undo(self, before: JsonObject, after: JsonObject) -> "AttachDenyPolicy":
        """Take away what was attached, or attach what was taken away."""
        return AttachDenyPolicy.model_validate({**self.model_dump(), "attached": before["attached"]})

    @property
    def _tag(self) -> str:
        return f"{PREFIX}deny/{self.policy.rpartition('/')[2][:100]}"


def _statement(noted: str) -> JsonObject:
    return {"Sid": noted, "Effect": "Deny", "Action": "*", "Resource": "*"}
