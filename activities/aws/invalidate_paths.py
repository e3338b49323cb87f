"""Have CloudFront fetch paths anew."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from activities.aws._account import GLOBAL, AccountName, account_of, target
from activities.aws._answers import inner, listed
from activities.aws._once import Text, call_digest, read, text_of
from halon.clients.aws.failures import AwsRefusal
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.errors import TransientError
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env
from halon.kit.once import Reference

MAX_PATHS = 50
REMEMBERED = timedelta(days=1)
"""How old an invalidation may be to be found again."""
_LOOKED_AT = 50
_AT_ONCE = 5
_TOO_MANY = "TooManyInvalidationsInProgress"
_AGAIN = timedelta(seconds=30)


class Invalidation(State):
    """The invalidation of this reference."""

    id: str = ""
    """Empty when there is none."""
    status: str = ""
    text: Text = Text()


class InvalidatePaths(Change[Invalidation]):
    """Have CloudFront drop paths from its caches, so that it fetches them anew, and wait until it has everywhere.

    The same `reference` within a day is the same invalidation, also for another run. What is fetched anew comes from
    the origin: it must take that load. AWS charges for more than a thousand paths a month.

    Raises NotFound when there is no such distribution, and PermissionDenied with the IAM action that is missing.
    """

    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "aws",
            ("cloudfront:ListInvalidations", "cloudfront:GetInvalidation", "cloudfront:CreateInvalidation"),
            "arn:aws:cloudfront::{account}:distribution/{distribution}",
            "to look for it, to make it, and to see that it is complete",
        ),
    )
    example: ClassVar[JsonObject] = {
        "distribution": "E1A2B3C4D5E6F7",
        "paths": ["/index.html", "/assets/*"],
        "reference": "i-20260102-shop",
    }

    distribution: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{8,20}$", max_length=20)]
    """The distribution's id."""
    paths: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=1000, pattern=r"^/[^\s*<>\"]*\*?$")], ...],
        Field(min_length=1, max_length=MAX_PATHS),
    ]
    """From 1 to 50 paths, each with its slash; a `*` at the end stands for whatever begins so, and `/*` for all."""
    reference: Reference
    """What it is for, such as the incident's id: the same reference is the same invalidation."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the distribution."""
        return target(self.account, GLOBAL, "cloudfront", self.distribution)

    async def observe(self, env: Env) -> Invalidation:
        """Look for it among the newest ones."""
        account, since = account_of(env, self.account), env.now() - REMEMBERED
        answer = await account.call(
            "cloudfront", "list_invalidations", DistributionId=self.distribution, MaxItems=str(_LOOKED_AT)
        )
        ids = [
            str(one["Id"]) for one in listed(inner(answer, "InvalidationList"), "Items") if one["CreateTime"] >= since
        ]
        slots = asyncio.Semaphore(_AT_ONCE)

        async def look(name: str) -> Invalidation | None:
            async with slots:
                got = await account.call("cloudfront", "get_invalidation", DistributionId=self.distribution, Id=name)
            found = inner(got, "Invalidation")
            text = read(str(inner(found, "InvalidationBatch").get("CallerReference", "")), self.reference)
            return Invalidation(id=name, status=str(found.get("Status", "")), text=text) if text else None

        seen = await asyncio.gather(*(look(name) for name in ids))
        return next((one for one in seen if one), Invalidation())

    def plan(self, state: Invalidation, now: datetime) -> Proposal | Nothing | Refusal:
        """Make it, unless it was."""
        if state.id and state.text.call == call_digest(self._call):
            return Nothing(f"invalidation {state.id} was made for this already; it is {state.status}")
        if state.id:
            return Refusal(f"invalidation {state.id} of other paths has this reference: give another `reference`")
        return Proposal(
            summary=f"Have CloudFront distribution {self.distribution} fetch {len(self.paths)} paths anew",
            before=self.owned(state),
            after={"invalidation": call_digest(self._call)},
            rows=[Row(field=one, before="cached", after="fetched anew") for one in self.paths],
            notes=("the origin takes the load of what is fetched anew",),
        )

    def owned(self, state: Invalidation) -> JsonObject:
        """What was made for this reference."""
        return {"invalidation": state.text.call}

    def mark(self, state: Invalidation) -> str:
        """A digest of the key."""
        return state.text.key

    def ours(self, state: Invalidation, key: str) -> bool:
        """Whether it was made with this key."""
        return state.text.of(key)

    async def apply(self, env: Env, after: JsonObject, state: Invalidation, key: str) -> None:
        """Make it; CloudFront makes one for each caller's reference.

        Raises:
            TransientError: CloudFront has too many under way.
        """
        batch = {
            "Paths": {"Quantity": len(self.paths), "Items": list(self.paths)},
            "CallerReference": text_of(self.reference, self._call, key),
        }
        try:
            await account_of(env, self.account).call(
                "cloudfront", "create_invalidation", DistributionId=self.distribution, InvalidationBatch=batch
            )
        except AwsRefusal as error:
            if error.code != _TOO_MANY:
                raise
            raise TransientError(str(error), retry_after=_AGAIN) from error

    def settled(self, state: Invalidation, after: JsonObject) -> Settlement:
        """Whether CloudFront has dropped them everywhere."""
        if self.owned(state) != after:
            return Settlement(state="waiting", reason="the invalidation does not show yet")
        observed: JsonObject = {"invalidation": state.id}
        done = state.status.lower() == "completed"
        reason = f"invalidation {state.id} is {state.status}"
        return Settlement(state="settled" if done else "waiting", reason=reason, observed=observed)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """There is none."""
        return NoUndo("what was dropped from the caches is fetched anew by itself")

    @property
    def _call(self) -> JsonObject:
        return {"distribution": self.distribution, "paths": [*sorted(set(self.paths))]}
