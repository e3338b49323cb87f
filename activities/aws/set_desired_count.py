"""Set how many tasks an ECS service runs."""

import asyncio
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from activities.aws._account import AccountName, Region, target
from activities.aws._ecs import LOOK, WRITE, EcsName, Service, look
from activities.aws._scalable import LOOK_FOR_SCALERS, Scaler, scaler_of
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

MAX_TASKS = 5000
_PART = "desired-count"


class Counted(State):
    """A service, and who else sets its count."""

    service: Service
    scaler: Scaler | None


class SetDesiredCount(Change[Counted]):
    """Set how many tasks an ECS service runs.

    Where Application Auto Scaling sets the number it is refused, unless people have suspended all of its scaling.
    More tasks cost money: give the step `expires` when they are for a while.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (LOOK, LOOK_FOR_SCALERS, WRITE)
    example: ClassVar[JsonObject] = {"cluster": "web", "service": "cart", "count": 6}

    cluster: EcsName
    """The cluster's name."""
    service: EcsName
    """The service's name."""
    count: Annotated[int, Field(ge=0, le=MAX_TASKS)]
    """How many tasks, at most 5,000."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the service."""
        return target(self.account, self.region, "ecs", f"{self.cluster}/{self.service}")

    async def observe(self, env: Env) -> Counted:
        """Look at the service, and for a scaler."""
        resource = f"service/{self.cluster}/{self.service}"
        service, scaler = await asyncio.gather(
            look(env, self.account, self.region, self.cluster, self.service),
            scaler_of(env, (self.account, self.region), "ecs", resource, "ecs:service:DesiredCount"),
        )
        return Counted(service=service, scaler=scaler)

    def plan(self, state: Counted, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and ask the scaler."""
        service = state.service
        if service.strategy == "DAEMON":
            return Refusal(f"{service.title} is a daemon: it runs one task on each instance")
        if service.controller == "EXTERNAL":
            return Refusal(f"{service.title} is deployed by an external controller, which sets the count")
        if service.desired == self.count:
            return Nothing(f"{service.title} has {self.count} tasks already")
        objection = state.scaler.objection(f"the count of {service.title}") if state.scaler else ""
        if objection:
            return Refusal(objection)
        return Proposal(
            summary=f"Run {self.count} tasks of {service.title}, instead of {service.desired}",
            before={"count": service.desired},
            after={"count": self.count},
            rows=[Row(field="desired count", before=service.desired, after=self.count)],
            notes=["nothing serves any more once it has no tasks"] if self.count == 0 else [],
        )

    def owned(self, state: Counted) -> JsonObject:
        """The number that is wanted."""
        return {"count": state.service.desired}

    def mark(self, state: Counted) -> str:
        """The key of the last change of the count."""
        return state.service.intent(_PART).mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Counted, key: str) -> None:
        """Write the number."""
        await state.service.update(env, _PART, key, self.owned(state), desiredCount=after["count"])

    def settled(self, state: Counted, after: JsonObject) -> Settlement:
        """Whether so many tasks run."""
        service = state.service
        if self.owned(state) != after:
            return Settlement(state="broken", reason=f"somebody set the count to {service.desired} meanwhile")
        newest = service.primary
        if newest is not None and newest.state == "FAILED":
            return service.progress()
        reason = f"{service.running} of {service.desired} tasks run"
        return Settlement(state="settled" if service.running == service.desired else "waiting", reason=reason)

    def undo(self, before: JsonObject, after: JsonObject) -> "SetDesiredCount":
        """Set the number that was there."""
        return SetDesiredCount.model_validate({**self.model_dump(), "count": before["count"]})
