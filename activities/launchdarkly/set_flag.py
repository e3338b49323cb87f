"""Turn a feature flag of LaunchDarkly on or off in an environment."""

from datetime import datetime
from typing import Annotated, ClassVar, TypeAlias

from pydantic import StringConstraints

from halon.clients.launchdarkly import FlagName, LaunchDarkly
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

Key: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=256)]


class FlagState(State):
    """How the flag is."""

    on: bool
    archived: bool
    off_value: str
    rules: str
    key: str


class SetFlag(Change[FlagState]):
    """Turn a feature flag of LaunchDarkly on or off in one environment, by a semantic patch.

    Only projects and environments in `launchdarkly.allow` of halon.yaml are touched. The key of the change stands in
    its comment, where the audit log shows it. Rules that somebody changes meanwhile are drift: what is approved is the
    flag as it was seen. Errors: what is not allowed, and a refused token, are `permission_denied`; a flag or an
    environment that is not there is `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("http", ("GET",), "/api/v2/flags, /api/v2/auditlog", "the role Reader, for the token"),
        Permission("http", ("PATCH",), "/api/v2/flags", "the action `updateOn` on `proj/*:env/*:flag/*`"),
    )
    example: ClassVar[JsonObject] = {"project": "shop", "environment": "production", "flag": "new-cart", "on": False}

    project: Key
    """The project's key."""
    environment: Key
    """The environment's key."""
    flag: Key
    """The flag's key."""
    on: bool
    """Whether it shall be on."""

    def target(self) -> str:
        """Name the flag."""
        return f"launchdarkly/{self._name()}"

    async def observe(self, env: Env) -> FlagState:
        """Look at the flag and at the last entry of its audit log."""
        there = await env.get(LaunchDarkly).flag(self._name())
        return FlagState(
            on=there.on, archived=there.archived, off_value=there.off_value, rules=there.rules, key=there.key
        )

    def plan(self, state: FlagState, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        if state.archived:
            return Refusal(f"the flag {self.flag} is archived")
        if state.on == self.on:
            return Nothing(f"the flag {self.flag} is {_word(on=self.on)} in {self.environment} already")
        note = "everybody gets what its rules say" if self.on else f"everybody gets `{state.off_value}`"
        return Proposal(
            summary=f"Turn the flag {self.flag} {_word(on=self.on)} in {self.project}/{self.environment}",
            before={"on": state.on, "rules": state.rules},
            after={"on": self.on, "rules": state.rules},
            rows=[Row(field=f"{self.flag} in {self.environment}", before=_word(on=state.on), after=_word(on=self.on))],
            notes=(note,),
        )

    def owned(self, state: FlagState) -> JsonObject:
        """Whether it is on, and its rules."""
        return {"on": state.on, "rules": state.rules}

    def mark(self, state: FlagState) -> str:
        """The key in the comment of the last change."""
        return state.key

    async def apply(self, env: Env, after: JsonObject, state: FlagState, key: str) -> None:
        """Turn it, with the key in the comment."""
        await env.get(LaunchDarkly).turn(self._name(), on=self.on, key=key)

    def settled(self, state: FlagState, after: JsonObject) -> Settlement:
        """Whether it is as it should be. Services hear of it within seconds."""
        if state.on == after["on"]:
            return Settlement(state="settled", observed={"on": state.on})
        return Settlement(state="broken", reason=f"the flag {self.flag} is {_word(on=state.on)} again")

    def undo(self, before: JsonObject, after: JsonObject) -> "SetFlag":
        """Turn it back."""
        return SetFlag(project=self.project, environment=self.environment, flag=self.flag, on=bool(before["on"]))

    def _name(self) -> FlagName:
        return FlagName(self.project, self.environment, self.flag)


def _word(*, on: bool) -> str:
    return "on" if on else "off"
