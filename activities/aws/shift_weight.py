"""Shift traffic between weighted records of Route 53."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from activities.aws._account import AccountName
from activities.aws._records import (
    LOOK,
    WRITE,
    RecordName,
    Records,
    RecordType,
    SetId,
    ZoneId,
    look,
    record_target,
    worries,
)
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env

Weight = Annotated[int, Field(ge=0, le=255)]


class ShiftWeight(Change[Records]):
    """Shift traffic between weighted records of one name and type in Route 53, by setting their weights.

    A record whose health check is red, or cannot be read, gets no more traffic, and one step moves at most `max_shift`
    of all of it. Resolvers keep the old answer for its TTL. Weights that are not given stay. Undone, the same holds:
    traffic does not go back to a side that is red.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, WRITE)
    example: ClassVar[JsonObject] = {
        "zone": "Z0123456789ABC",
        "name": "shop.example.com",
        "type": "A",
        "weights": {"eu-west-1": 50, "eu-central-1": 50},
    }

    zone: ZoneId
    """The hosted zone's id."""
    name: RecordName
    """The records' full name."""
    type: RecordType
    """The records' type."""
    weights: Annotated[dict[SetId, Weight], Field(min_length=1, max_length=20)]
    """The new weight, 0 to 255, by the record's set identifier; 0 gives it no traffic."""
    max_shift: Annotated[int, Field(ge=1, le=100)] = 50
    """Percent of all traffic that this may move at most; 100 to move all of it."""
    even_if_unhealthy: bool = False
    """Give traffic to a record whose health check is red or cannot be read, too."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""

    @field_validator("weights")
    @classmethod
    def _some_weight(cls, weights: dict[str, int]) -> dict[str, int]:
        return dict(sorted(weights.items()))

    def target(self) -> str:
        """Name the records."""
        return record_target(self.account, self.zone, self.name, self.type)

    async def observe(self, env: Env) -> Records:
        """Look at the records and their health checks."""
        return await look(env, self.account, self.zone, self.name, self.type)

    def plan(self, state: Records, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and see how much traffic would move where."""
        there = {one.identifier: one.weight for one in state.records if one.weight is not None}
        unknown = sorted({*self.weights} - {*there})
        if unknown:
            known = ", ".join(sorted(there)) or "none"
            return Refusal(f"{state.title} has no weighted record {', '.join(unknown)}; it has {known}")
        after = {**there, **self.weights}
        if after == there:
            return Nothing(f"{state.title} has these weights already")
        if not any(after.values()):
            return Refusal(f"with no weight at all, Route 53 gives every record of {state.title} the same traffic")
        old, new = _shares(there), _shares(after)
        gaining = [one for one in state.records if new.get(one.identifier, 0) > old.get(one.identifier, 0)]
        worry = "" if self.even_if_unhealthy else worries(gaining)
        if worry:
            return Refusal(f"{worry}: it gets no more traffic, unless `even_if_unhealthy` says so")
        moved = sum(max(new[name] - old[name], 0) for name in new)
        if round(moved * 100, 6) > self.max_shift:
            return Refusal(f"this moves {moved:.0%} of the traffic, and `max_shift` is {self.max_shift}%")
        unchecked = [one.identifier for one in gaining if one.health == "unchecked"]
        return Proposal(
            summary=f"Shift {moved:.0%} of the traffic of {state.title}",
            before={"weights": {name: there[name] for name in self.weights}},
            after={"weights": dict(self.weights)},
            rows=[
                Row(
                    field=name,
                    before=f"{there[name]} ({old[name]:.0%})",
                    after=f"{after[name]} ({new[name]:.0%})",
                )
                for name in sorted(after)
                if there[name] != after[name] or old[name] != new[name]
            ],
            notes=[f"{name} has no health check, so nothing says whether it is well" for name in unchecked],
        )

    def owned(self, state: Records) -> JsonObject:
        """The weights that are named."""
        there = {one.identifier: one.weight for one in state.records}
        return {"weights": {name: there.get(name) for name in self.weights}}

    def mark(self, state: Records) -> str:
        """The key of the last change of records in the zone."""
        return state.intent.mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Records, key: str) -> None:
        """Exchange the records whose weights change, all at once."""
        there = {one.identifier: one.weight for one in state.records}
        changed = {name: {"Weight": weight} for name, weight in self.weights.items() if there[name] != weight}
        await state.exchange(env, key, self.owned(state), changed)

    def settled(self, state: Records, after: JsonObject) -> Settlement:
        """Whether all of Route 53's servers know it."""
        if self.owned(state) != after:
            return Settlement(state="broken", reason="somebody changed the weights meanwhile")
        return state.progress()

    def undo(self, before: JsonObject, after: JsonObject) -> "ShiftWeight":
        """Set the weights that were there, however much traffic that moves."""
        return ShiftWeight.model_validate({**self.model_dump(), **before, "max_shift": 100})


def _shares(weights: dict[str, int]) -> dict[str, float]:
    """What part of the traffic each record gets; with no weight at all, all the same."""
    total = sum(weights.values())
    return {name: weight / total if total else 1 / len(weights) for name, weight in weights.items()}
