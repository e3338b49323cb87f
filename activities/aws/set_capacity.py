"""Set how many instances an Auto Scaling group has, or the bounds that it keeps to."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._groups import GROUP, LOOK, MARK, Group, GroupName, look
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

MAX_INSTANCES = 5000
_PART = "capacity"
Count = Annotated[int, Field(ge=0, le=MAX_INSTANCES)]


class Sized(State):
    """A group, and what else scales it."""

    group: Group
    policies: tuple[str, ...]
    """Names of its scaling policies that are on."""


class SetCapacity(Change[Sized]):
    """Set how many instances an Auto Scaling group has, or the bounds that it keeps to.

    What is not given stays, and is not Halon's to undo. `desired` beyond the bounds is refused, unless the bounds are
    given too. A scaling policy may change `desired` at any time: with one, raise `min` instead. More instances cost
    money: give the step `expires`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        LOOK,
        Permission("aws", ("autoscaling:DescribePolicies",), "*", "to see what else scales it"),
        MARK,
        Permission("aws", ("autoscaling:UpdateAutoScalingGroup",), GROUP, "to change it"),
    )
    example: ClassVar[JsonObject] = {"group": "web", "min": 6, "max": 20}

    group: GroupName
    """The group's name."""
    desired: Count | None = None
    """How many instances, at most 5,000."""
    min: Count | None = None
    """The fewest that scaling leaves; AWS starts more when there are fewer."""
    max: Count | None = None
    """The most that scaling goes to; AWS stops some when there are more."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> "SetCapacity":
        if not self._wanted:
            raise ValueError("give `desired`, `min` or `max`")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"`min` {self.min} is above `max` {self.max}")
        return self

    def target(self) -> str:
        """Name the group."""
        return target(self.account, self.region, "autoscaling", self.group)

    async def observe(self, env: Env) -> Sized:
        """Look at the group and its policies."""
        group = await look(env, self.account, self.region, self.group)
        policies = await account_of(env, self.account).pages(
            "autoscaling",
            "describe_policies",
            "ScalingPolicies[].{name: PolicyName, on: Enabled}",
            region=self.region,
            most=200,
            AutoScalingGroupName=self.group,
        )
        return Sized(group=group, policies=tuple(str(one["name"]) for one in policies if one.get("on") is not False))

    def plan(self, state: Sized, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and keep to the bounds."""
        group = state.group
        if group.status:
            return Refusal(f"{group.title} is being deleted")
        there, wanted = self.owned(state), self._wanted
        if there == wanted:
            return Nothing(f"{group.title} has {_shown(wanted)} already")
        low = group.low if self.min is None else self.min
        high = group.high if self.max is None else self.max
        desired = group.desired if self.desired is None else self.desired
        if low > high:
            return Refusal(f"{group.title} has bounds {group.low} to {group.high}: {low} to {high} is no range")
        if self.desired is not None and not low <= desired <= high:
            return Refusal(f"{group.title} keeps to {low} to {high} instances: give `min` or `max` too")
        settled = max(low, min(desired, high))
        stuck = "Launch" if settled > group.instances else "Terminate" if settled < group.instances else ""
        if stuck and stuck in group.suspended:
            return Refusal(f"the process {stuck} of {group.title} is suspended: resume it first")
        notes = [f"{len(state.policies)} scaling policies may change `desired` at any time"] if state.policies else []
        if settled != group.desired:
            notes.append(f"it goes from {group.desired} to {settled} instances")
        return Proposal(
            summary=f"Set {_shown(wanted)} of {group.title}",
            before=there,
            after=wanted,
            rows=[Row(field=name, before=there[name], after=wanted[name]) for name in wanted],
            notes=notes,
        )

    def owned(self, state: Sized) -> JsonObject:
        """What is given of desired, min and max."""
        group = state.group
        there: JsonObject = {"desired": group.desired, "min": group.low, "max": group.high}
        return {name: there[name] for name in self._wanted}

    def mark(self, state: Sized) -> str:
        """The key of the last change of the capacity."""
        return state.group.intent(_PART).mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Sized, key: str) -> None:
        """Write the mark, then the numbers in one call; AWS has neither a token for it nor a guard."""
        await state.group.announce(env, _PART, key, self.owned(state))
        names = {"desired": "DesiredCapacity", "min": "MinSize", "max": "MaxSize"}
        wanted = {names[name]: value for name, value in after.items()}
        await state.group.call(env, "update_auto_scaling_group", AutoScalingGroupName=self.group, **wanted)

    def settled(self, state: Sized, after: JsonObject) -> Settlement:
        """Whether as many instances serve as are wanted."""
        group, there = state.group, self.owned(state)
        told = f"{group.serving} of {group.desired} instances serve"
        if there != after:
            fixed = {name: value for name, value in after.items() if name != "desired"}
            if state.policies and all(there[name] == value for name, value in fixed.items()):
                return Settlement(state="settled", reason=f"a scaling policy has taken over: {told}")
            return Settlement(state="broken", reason=f"somebody changed it meanwhile: it has {_shown(there)}")
        done = group.serving == group.desired == group.instances
        return Settlement(state="settled" if done else "waiting", reason=told)

    def undo(self, before: JsonObject, after: JsonObject) -> "SetCapacity":
        """Set the numbers that were there."""
        return SetCapacity.model_validate({**self.model_dump(), **before})

    @property
    def _wanted(self) -> JsonObject:
        given: JsonObject = {"desired": self.desired, "min": self.min, "max": self.max}
        return {name: value for name, value in given.items() if value is not None}


def _shown(numbers: JsonObject) -> str:
    return ", ".join(f"{name} {value}" for name, value in numbers.items())
