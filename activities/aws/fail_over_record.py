"""Fail over a name in Route 53: what was secondary becomes primary."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.aws._account import AccountName
from activities.aws._records import (
    LOOK,
    WRITE,
    Record,
    RecordName,
    Records,
    RecordType,
    ZoneId,
    look,
    record_target,
    worries,
)
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env

_ROLES = ("PRIMARY", "SECONDARY")


class FailOverRecord(Change[Records]):
    """Fail over a name with failover records in Route 53: the secondary record becomes the primary one, and back.

    The two records change places in one piece. A health check is not inverted to get there, as is sometimes done:
    inverted, it sends traffic back to the broken side as soon as that really fails. Refused when the health check of
    the record that would become primary is red or cannot be read. Resolvers keep the old answer for its TTL.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, WRITE)
    example: ClassVar[JsonObject] = {"zone": "Z0123456789ABC", "name": "shop.example.com", "type": "A"}

    zone: ZoneId
    """The hosted zone's id."""
    name: RecordName
    """The records' full name."""
    type: RecordType
    """The records' type."""
    to: Annotated[str, StringConstraints(max_length=128)] = ""
    """The set identifier of the record that shall be primary; without it, the one that is secondary now."""
    even_if_unhealthy: bool = False
    """Fail over to a record whose health check is red or cannot be read, too."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the records."""
        return record_target(self.account, self.zone, self.name, self.type)

    async def observe(self, env: Env) -> Records:
        """Look at the records and their health checks."""
        return await look(env, self.account, self.zone, self.name, self.type)

    def plan(self, state: Records, now: datetime) -> Proposal | Nothing | Refusal:
        """Say which record becomes primary."""
        primary, secondary = _pair(state)
        if primary is None or secondary is None:
            return Refusal(f"{state.title} has no primary and secondary failover record in this zone")
        if self.to == primary.identifier:
            return Nothing(f"{self.to} is the primary record of {state.title} already")
        if self.to not in {"", secondary.identifier}:
            return Refusal(f"{state.title} has no failover record {self.to}")
        worry = "" if self.even_if_unhealthy else worries([secondary])
        if worry:
            return Refusal(f"{worry}: it does not become primary, unless `even_if_unhealthy` says so")
        notes: list[str] = []
        if secondary.health == "unchecked":
            notes.append(f"{secondary.identifier} has no health check, so Route 53 will never leave it by itself")
        if primary.health == "green":
            notes.append(f"the health check of {primary.identifier}, which is left, is green")
        return Proposal(
            summary=f"Fail over {state.title} from {primary.identifier} to {secondary.identifier}",
            before={"primary": primary.identifier},
            after={"primary": secondary.identifier},
            rows=[
                Row(field="primary", before=primary.identifier, after=secondary.identifier),
                Row(field="secondary", before=secondary.identifier, after=primary.identifier),
            ],
            notes=notes,
        )

    def owned(self, state: Records) -> JsonObject:
        """Which record is primary."""
        primary, _ = _pair(state)
        return {"primary": primary.identifier if primary else ""}

    def mark(self, state: Records) -> str:
        """The key of the last change of records in the zone."""
        return state.intent.mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Records, key: str) -> None:
        """Let the two records change places."""
        changed = {
            one.identifier: {"Failover": _ROLES[0] if one.identifier == after["primary"] else _ROLES[1]}
            for one in state.records
            if one.failover
        }
        await state.exchange(env, key, self.owned(state), changed)

    def settled(self, state: Records, after: JsonObject) -> Settlement:
        """Whether all of Route 53's servers know it."""
        if self.owned(state) != after:
            return Settlement(state="broken", reason="somebody changed the records meanwhile")
        return state.progress()

    def undo(self, before: JsonObject, after: JsonObject) -> "FailOverRecord":
        """Make the record primary that was."""
        return FailOverRecord.model_validate({**self.model_dump(), "to": before["primary"]})


def _pair(state: Records) -> tuple[Record | None, Record | None]:
    first, second = (next((one for one in state.records if one.failover == role), None) for role in _ROLES)
    return first, second
