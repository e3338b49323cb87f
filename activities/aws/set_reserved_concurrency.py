"""Set how many instances of a Lambda function may run at once: none throttles it."""

import asyncio
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import inner
from activities.aws._lambda import FUNCTION, LOOK, MARK, Function, FunctionName, look
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

MAX_INSTANCES = 100_000
LEFT_TO_OTHERS = 100
"""What AWS keeps of an account's concurrency for functions without a reservation."""
_PART = "reserved"


class Reserved(State):
    """What one function may use, and what the account has left."""

    function: Function
    reserved: int | None
    """None when it takes from what all functions share."""
    unreserved: int
    """What the functions without a reservation share."""


class SetReservedConcurrency(Change[Reserved]):
    """Set how many instances of a Lambda function may run at once: AWS keeps so many for it, and gives it no more.

    `0` stops it: every call is throttled, and what queues call it again later. `null` takes the limit away.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        LOOK,
        Permission("aws", ("lambda:GetFunctionConcurrency",), FUNCTION, "to see what is there"),
        Permission("aws", ("lambda:GetAccountSettings",), "*", "to see what is left for the others"),
        MARK,
        Permission(
            "aws", ("lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency"), FUNCTION, "to change it"
        ),
    )
    example: ClassVar[JsonObject] = {"function": "thumbnails", "concurrency": 0}

    function: FunctionName
    """The function's name."""
    concurrency: Annotated[int, Field(ge=0, le=MAX_INSTANCES)] | None
    """How many instances; 0 throttles every call, null takes the limit away."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the function."""
        return target(self.account, self.region, "lambda", self.function)

    async def observe(self, env: Env) -> Reserved:
        """Look at the function's limit and at what the account has left."""
        api = account_of(env, self.account)
        function, limit, settings = await asyncio.gather(
            look(env, self.account, self.region, self.function),
            api.call("lambda", "get_function_concurrency", region=self.region, FunctionName=self.function),
            api.call("lambda", "get_account_settings", region=self.region),
        )
        reserved = limit.get("ReservedConcurrentExecutions")
        return Reserved(
            function=function,
            reserved=None if reserved is None else int(reserved),
            unreserved=int(inner(settings, "AccountLimit").get("UnreservedConcurrentExecutions", 0)),
        )

    def plan(self, state: Reserved, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and leave the other functions what AWS keeps for them."""
        if state.reserved == self.concurrency:
            return Nothing(f"Lambda function {self.function} has {_shown(state.reserved)} already")
        more = (self.concurrency or 0) - (state.reserved or 0)
        spare = state.unreserved - LEFT_TO_OTHERS
        if more > 0 and more > spare:
            return Refusal(
                f"AWS keeps {LEFT_TO_OTHERS} for functions without a reservation: "
                f"of the account's concurrency {max(spare, 0)} can be reserved, and this takes {more} more"
            )
        return Proposal(
            summary=f"Give Lambda function {self.function} {_shown(self.concurrency)}, not {_shown(state.reserved)}",
            before={"concurrency": state.reserved},
            after={"concurrency": self.concurrency},
            rows=[Row(field="reserved concurrency", before=state.reserved, after=self.concurrency)],
            notes=["every call of the function is throttled then"] if self.concurrency == 0 else [],
        )

    def owned(self, state: Reserved) -> JsonObject:
        """The limit."""
        return {"concurrency": state.reserved}

    def mark(self, state: Reserved) -> str:
        """The key of the last change to the limit."""
        return state.function.intent(_PART).mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Reserved, key: str) -> None:
        """Write the mark, then the limit; AWS has neither a token for this call nor a guard."""
        await state.function.announce(env, _PART, key, self.owned(state))
        limit = after["concurrency"]
        if limit is None:
            await state.function.call(env, "delete_function_concurrency", FunctionName=self.function)
        else:
            await state.function.call(
                env, "put_function_concurrency", FunctionName=self.function, ReservedConcurrentExecutions=limit
            )

    def settled(self, state: Reserved, after: JsonObject) -> Settlement:
        """It holds as soon as it is written."""
        if self.owned(state) == after:
            return Settlement(state="settled", reason=f"it has {_shown(state.reserved)}")
        return Settlement(state="broken", reason=f"somebody gave it {_shown(state.reserved)} meanwhile")

    def undo(self, before: JsonObject, after: JsonObject) -> "SetReservedConcurrency":
        """Set the limit that was there."""
        return SetReservedConcurrency.model_validate({**self.model_dump(), "concurrency": before["concurrency"]})


def _shown(limit: object) -> str:
    return "no limit of its own" if limit is None else f"a limit of {limit}"
