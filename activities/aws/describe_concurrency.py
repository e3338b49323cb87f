"""Look at how many instances of a Lambda function are kept warm."""

from typing import ClassVar

from activities.aws._account import AccountName, Region, target
from activities.aws._lambda import LOOK_AT_PROVISIONED, FunctionName, Qualifier, provisioned
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env


class ConcurrencySeen(Output):
    """What is kept warm of one alias or version."""

    provisioned: int
    """How many instances shall be kept warm; 0 where nothing is provisioned."""
    available: int
    """How many of them are ready."""
    ready: bool
    """Whether all of them are."""
    trouble: str
    """Why AWS could not provision them; empty when it could."""


class DescribeConcurrency(Read[ConcurrencySeen]):
    """Look at how many instances of a Lambda function's alias or version are kept warm."""

    permissions: ClassVar[tuple[Permission, ...]] = (LOOK_AT_PROVISIONED,)
    example: ClassVar[JsonObject] = {"function": "checkout", "qualifier": "live"}

    function: FunctionName
    """The function's name."""
    qualifier: Qualifier
    """The alias, or the number of a published version."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the alias or version."""
        return target(self.account, self.region, "lambda", f"{self.function}:{self.qualifier}")

    async def run(self, env: Env) -> ConcurrencySeen:
        """Look."""
        found = await provisioned(env, self.account, self.region, self.function, self.qualifier)
        return ConcurrencySeen(
            provisioned=found.wanted,
            available=found.available,
            ready=found.ready,
            trouble=found.trouble,
        )
