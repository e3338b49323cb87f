"""Look at the records of Route 53 that share a name."""

from typing import ClassVar

from activities.aws._account import AccountName
from activities.aws._records import LOOK, RecordName, RecordType, ZoneId, look, plain, record_target
from halon.contracts.base import JsonObject
from halon.errors import NotFound
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env


class RecordsSeen(Output):
    """The records of a name and type."""

    count: int
    """How many there are."""
    weights: dict[str, int]
    """The weight by set identifier, of those that have one."""
    primary: str
    """The set identifier of the primary one of failover records; empty without these."""
    secondary: str
    """The set identifier of the secondary one; empty without these."""
    health: dict[str, str]
    """By set identifier `green`, `red`, `unknown` when its health check cannot be read, or `unchecked` without one."""


class GetRecords(Read[RecordsSeen]):
    """Look at the records of Route 53 that share a name and type: weights, which is primary, and their health checks.

    Raises NotFound when there is no such zone or no record of this name and type.
    """

    permissions: ClassVar[tuple[Permission, ...]] = LOOK
    example: ClassVar[JsonObject] = {"zone": "Z0123456789ABC", "name": "shop.example.com", "type": "A"}

    zone: ZoneId
    """The hosted zone's id."""
    name: RecordName
    """The records' full name."""
    type: RecordType
    """The records' type."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the records."""
        return record_target(self.account, self.zone, self.name, self.type)

    async def run(self, env: Env) -> RecordsSeen:
        """Look."""
        found = (await look(env, self.account, self.zone, self.name, self.type)).records
        if not found:
            raise NotFound(f"zone {self.zone} has no record {self.type} {plain(self.name)}")
        return RecordsSeen(
            count=len(found),
            weights={one.identifier: one.weight for one in found if one.weight is not None},
            primary=next((one.identifier for one in found if one.failover == "PRIMARY"), ""),
            secondary=next((one.identifier for one in found if one.failover == "SECONDARY"), ""),
            health={one.identifier: one.health for one in found},
        )
