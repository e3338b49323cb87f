"""Suspend processes of an Auto Scaling group, and resume others."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from activities.aws._account import AccountName, Region, target
from activities.aws._groups import GROUP, LOOK, MARK, Group, GroupName, look
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env

Process = Literal[
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "Launch",
    "ReplaceUnhealthy",
    "ScheduledActions",
    "Terminate",
]
Processes = Annotated[tuple[Process, ...], Field(max_length=9)]
_PART = "processes"


class SuspendProcesses(Change[Group]):
    """Suspend processes of an Auto Scaling group, such as `ReplaceUnhealthy`, so that it leaves broken instances alone.

    `resume` lets others go on; a step does one or the other, because AWS does them by two calls. What is not named
    stays as it is. A group whose processes stay suspended no longer heals itself: give the step `expires`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        LOOK,
        MARK,
        Permission("aws", ("autoscaling:ResumeProcesses", "autoscaling:SuspendProcesses"), GROUP, "to change it"),
    )
    example: ClassVar[JsonObject] = {"group": "web", "processes": ["ReplaceUnhealthy", "Terminate"]}

    group: GroupName
    """The group's name."""
    processes: Processes = ()
    """What is suspended."""
    resume: Processes = ()
    """What goes on."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> "SuspendProcesses":
        if not self._named:
            raise ValueError("give `processes` or `resume`")
        both = sorted({*self.processes} & {*self.resume})
        if both:
            raise ValueError(f"{', '.join(both)} cannot be suspended and go on")
        return self

    def target(self) -> str:
        """Name the group."""
        return target(self.account, self.region, "autoscaling", self.group)

    async def observe(self, env: Env) -> Group:
        """Look at the group."""
        return await look(env, self.account, self.region, self.group)

    def plan(self, state: Group, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        there = self.owned(state)
        after: JsonObject = {**dict.fromkeys(self.processes, True), **dict.fromkeys(self.resume, False)}
        changed = [name for name in self._named if there[name] != after[name]]
        if not changed:
            return Nothing(f"{state.title} has these processes as wanted already")
        stopped = [name for name in changed if after[name]]
        if stopped and len(stopped) < len(changed):
            return Refusal("AWS suspends and resumes by two calls, which may be half done: make it two steps")
        return Proposal(
            summary=f"{'Suspend' if stopped else 'Resume'} {', '.join(changed)} of {state.title}",
            before=there,
            after=after,
            rows=[Row(field=name, before=_word(there[name]), after=_word(after[name])) for name in changed],
            notes=["no instance is started or replaced meanwhile"] if "Launch" in stopped else [],
        )

    def owned(self, state: Group) -> JsonObject:
        """Which of the named processes are suspended."""
        return {name: name in state.suspended for name in self._named}

    def mark(self, state: Group) -> str:
        """The key of the last change of the processes."""
        return state.intent(_PART).mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Group, key: str) -> None:
        """Write the mark, then the processes that are not as wanted; AWS has neither a token for it nor a guard."""
        there = self.owned(state)
        await state.announce(env, _PART, key, there)
        changed = [name for name in self._named if there[name] != after[name]]
        operation = "suspend_processes" if after[changed[0]] else "resume_processes"
        await state.call(env, operation, AutoScalingGroupName=self.group, ScalingProcesses=changed)

    def settled(self, state: Group, after: JsonObject) -> Settlement:
        """It holds as soon as it is written."""
        if self.owned(state) == after:
            return Settlement(state="settled", reason="the processes are as wanted")
        return Settlement(state="broken", reason="somebody changed the processes meanwhile")

    def undo(self, before: JsonObject, after: JsonObject) -> "SuspendProcesses":
        """Let go on what went on before; what was suspended already stays so."""
        back = {
            "processes": [name for name in before if before[name]],
            "resume": [name for name in before if not before[name]],
        }
        return SuspendProcesses.model_validate({**self.model_dump(), **back})

    @property
    def _named(self) -> tuple[str, ...]:
        return tuple(sorted({*self.processes, *self.resume}))


def _word(suspended: object) -> str:
    return "suspended" if suspended else "goes on"
