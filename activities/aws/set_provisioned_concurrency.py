"""Set how many instances of a Lambda function are kept warm."""

import asyncio
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from activities.aws._account import AccountName, Region, target
from activities.aws._lambda import (
    FUNCTION,
    LOOK,
    LOOK_AT_PROVISIONED,
    MARK,
    Function,
    FunctionName,
    Qualifier,
    Warm,
    look,
    provisioned,
)
from activities.aws._scalable import LOOK_FOR_SCALERS, Scaler, scaler_of
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

MAX_INSTANCES = 10_000


class Provisioned(State):
    """What is kept warm of one alias or version, and who else sets it."""

    function: Function
    warm: Warm
    scaler: Scaler | None


class SetProvisionedConcurrency(Change[Provisioned]):
    """Set how many instances of a Lambda function's alias or version are kept warm; 0 keeps none.

    They cost money for as long as they are kept, used or not: give the step `expires`. Where Application Auto Scaling
    sets the number it is refused. AWS takes a minute or more to start the instances, and refuses what the account's
    concurrency does not hold.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        LOOK,
        LOOK_AT_PROVISIONED,
        LOOK_FOR_SCALERS,
        MARK,
        Permission(
            "aws",
            ("lambda:PutProvisionedConcurrencyConfig", "lambda:DeleteProvisionedConcurrencyConfig"),
            f"{FUNCTION}:{{qualifier}}",
            "to change it",
        ),
    )
    example: ClassVar[JsonObject] = {"function": "checkout", "qualifier": "live", "concurrency": 20}

    function: FunctionName
    """The function's name."""
    qualifier: Qualifier
    """The alias, or the number of a published version; AWS provisions nothing for `$LATEST`."""
    concurrency: Annotated[int, Field(ge=0, le=MAX_INSTANCES)]
    """How many instances, at most 10,000; 0 takes the setting away."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the alias or version."""
        return target(self.account, self.region, "lambda", f"{self.function}:{self.qualifier}")

    async def observe(self, env: Env) -> Provisioned:
        """Look at what is provisioned, and for a scaler."""
        resource = f"function:{self.function}:{self.qualifier}"
        function, warm, scaler = await asyncio.gather(
            look(env, self.account, self.region, self.function),
            provisioned(env, self.account, self.region, self.function, self.qualifier),
            scaler_of(env, (self.account, self.region), "lambda", resource, "lambda:function:ProvisionedConcurrency"),
        )
        return Provisioned(function=function, warm=warm, scaler=scaler)

    def plan(self, state: Provisioned, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and ask the scaler."""
        if state.warm.wanted == self.concurrency:
            return Nothing(f"{self._title} keeps {state.warm.wanted} instances warm already")
        objection = state.scaler.objection(f"what {self._title} keeps warm") if state.scaler else ""
        if objection:
            return Refusal(objection)
        notes = ["kept instances cost money, used or not, until this is taken back"] if self.concurrency else []
        return Proposal(
            summary=f"Keep {self.concurrency} instances of {self._title} warm, instead of {state.warm.wanted}",
            before={"concurrency": state.warm.wanted},
            after={"concurrency": self.concurrency},
            rows=[Row(field="provisioned concurrency", before=state.warm.wanted, after=self.concurrency)],
            notes=notes,
        )

    def owned(self, state: Provisioned) -> JsonObject:
        """The number that is asked for."""
        return {"concurrency": state.warm.wanted}

    def mark(self, state: Provisioned) -> str:
        """The key of the last change to this alias or version."""
        return state.function.intent(self._part).mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Provisioned, key: str) -> None:
        """Write the mark, then the number; AWS has neither a token for this call nor a guard."""
        await state.function.announce(env, self._part, key, self.owned(state))
        which = {"FunctionName": self.function, "Qualifier": self.qualifier}
        if after["concurrency"]:
            await state.function.call(
                env,
                "put_provisioned_concurrency_config",
                **which,
                ProvisionedConcurrentExecutions=after["concurrency"],
            )
        else:
            await state.function.call(env, "delete_provisioned_concurrency_config", **which)

    def settled(self, state: Provisioned, after: JsonObject) -> Settlement:
        """Whether so many instances are ready."""
        if self.owned(state) != after:
            return Settlement(state="broken", reason=f"somebody set the number to {state.warm.wanted} meanwhile")
        if not state.warm.wanted:
            return Settlement(state="settled", reason="nothing is kept warm any more")
        if state.warm.status == "FAILED":
            return Settlement(
                state="broken", reason=f"AWS could not provision them: {state.warm.trouble or 'no reason'}"
            )
        reason = f"{state.warm.available} of {state.warm.wanted} instances are ready"
        return Settlement(state="settled" if state.warm.ready else "waiting", reason=reason)

    def undo(self, before: JsonObject, after: JsonObject) -> "SetProvisionedConcurrency":
        """Set the number that was there."""
        return SetProvisionedConcurrency.model_validate({**self.model_dump(), "concurrency": before["concurrency"]})

    @property
    def _title(self) -> str:
        return f"Lambda function {self.function}:{self.qualifier}"

    @property
    def _part(self) -> str:
        return f"provisioned/{self.qualifier}"
