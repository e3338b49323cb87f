"""Turn a feature flag of Unleash on or off in an environment."""

from datetime import datetime
from typing import Annotated, ClassVar, TypeAlias

from pydantic import StringConstraints

from halon.clients.unleash import Unleash
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

Word: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.~-]*$", max_length=100)]


class ToggleState(State):
    """How the flag is."""

    enabled: bool
    strategies: int
    rules: str


class SetFlag(Change[ToggleState]):
    """Turn a feature flag of Unleash on or off in one environment.

    Only projects and environments in `unleash.allow` of halon.yaml are touched. Unleash keeps no mark with a change.
    Strategies that somebody changes meanwhile are drift. Errors: what is not allowed, a refused token, and an
    environment with change requests are `permission_denied`; a flag that is not there is `not_found`.
    """

    marks: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("http", ("GET",), "/api/admin/projects", "to read the project, for the token"),
        Permission("http", ("POST",), "/api/admin/projects", "`UPDATE_FEATURE_ENVIRONMENT` in the environment"),
    )
    example: ClassVar[JsonObject] = {"project": "default", "environment": "production", "flag": "new-cart", "on": False}

    project: Word = "default"
    """The project's id."""
    environment: Word
    """The environment's name."""
    flag: Word
    """The flag's name."""
    on: bool
    """Whether it shall be on."""

    def target(self) -> str:
        """Name the flag."""
        return f"unleash/{self.project}/{self.environment}/{self.flag}"

    async def observe(self, env: Env) -> ToggleState:
        """Look at the flag."""
        there = await env.get(Unleash).toggle(self.project, self.environment, self.flag)
        return ToggleState(enabled=there.enabled, strategies=there.strategies, rules=there.rules)

    def plan(self, state: ToggleState, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare. Unleash would add a strategy for everybody where there is none: that is somebody's decision."""
        if state.enabled == self.on:
            return Nothing(f"the flag {self.flag} is {_word(on=self.on)} in {self.environment} already")
        if self.on and state.strategies == 0:
            return Refusal(f"the flag {self.flag} has no strategy in {self.environment}: it would be on for everybody")
        return Proposal(
            summary=f"Turn the flag {self.flag} {_word(on=self.on)} in {self.project}/{self.environment}",
            before={"on": state.enabled, "rules": state.rules},
            after={"on": self.on, "rules": state.rules},
            rows=[
                Row(field=f"{self.flag} in {self.environment}", before=_word(on=state.enabled), after=_word(on=self.on))
            ],
        )

    def owned(self, state: ToggleState) -> JsonObject:
        """Whether it is on, and its strategies."""
        return {"on": state.enabled, "rules": state.rules}

    def mark(self, state: ToggleState) -> str:
        """Unleash keeps none."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: ToggleState, key: str) -> None:
        """Turn it."""
        await env.get(Unleash).turn(self.project, self.environment, self.flag, on=self.on)

    def settled(self, state: ToggleState, after: JsonObject) -> Settlement:
        """Whether it is as it should be. Services hear of it within seconds."""
        if state.enabled == after["on"]:
            return Settlement(state="settled", observed={"on": state.enabled})
        return Settlement(state="broken", reason=f"the flag {self.flag} is {_word(on=state.enabled)} again")

    def undo(self, before: JsonObject, after: JsonObject) -> "SetFlag":
        """Turn it back."""
        return SetFlag(project=self.project, environment=self.environment, flag=self.flag, on=bool(before["on"]))


def _word(*, on: bool) -> str:
    return "on" if on else "off"
