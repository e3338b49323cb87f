"""LaunchDarkly's REST API, version 20240415: https://launchdarkly.com/docs/api. A flag in an environment, on or off.

The API has no key against repetition. A change carries the key in its comment, which the audit log of the flag keeps.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from halon.clients.json_api import Access, Call, JsonApi, check_allowed, segment
from halon.contracts.base import digest
from halon.errors import NotFound, PermanentError
from halon.settings.services import LaunchDarklySettings

_MARK = "Halon's key: "
_SEMANTIC = "application/json; domain-model=launchdarkly.semanticpatch"


@dataclass(frozen=True, slots=True)
class FlagName:
    """A flag in an environment."""

    project: str
    environment: str
    flag: str

    def __str__(self) -> str:
        return f"{self.project}/{self.environment}/{self.flag}"


@dataclass(frozen=True, slots=True)
class Flag:
    """How it is."""

    on: bool
    archived: bool
    off_value: str
    """What everybody gets while it is off."""
    rules: str
    """A digest of who gets what while it is on."""
    key: str
    """Of the change that was made last, when Halon made it."""


class _Variation(BaseModel):
    value: Any = None
    name: str | None = None


class _There(BaseModel):
    on: bool
    archived: bool = False
    off_variation: int | None = Field(default=None, alias="offVariation")
    fallthrough: Any = None
    rules: list[Any] = []
    targets: list[Any] = []
    context_targets: list[Any] = Field(default=[], alias="contextTargets")
    prerequisites: list[Any] = []


class _Answer(BaseModel):
    archived: bool = False
    variations: list[_Variation] = []
    environments: dict[str, _There] = {}


class _Entry(BaseModel):
    comment: str | None = None


class _Entries(BaseModel):
    items: list[_Entry] = []


class LaunchDarkly:
    """One account."""

    def __init__(self, access: Access, settings: LaunchDarklySettings) -> None:
        self._api = JsonApi(access)
        self._settings = settings

    async def flag(self, name: FlagName) -> Flag:
        """Look at a flag.

        Raises:
            PermissionDenied: halon.yaml does not allow the environment, or LaunchDarkly the token.
            NotFound: there is no such flag, or not in this environment.
            TransientError: it does not answer, or not now.
            PermanentError: it answers something else.
        """
        self._check(name)
        path = f"/api/v2/flags/{segment(name.project)}/{segment(name.flag)}"
        said = await self._api.object(Call("GET", path, "the role Reader", (("env", name.environment),)))
        try:
            answer = _Answer.model_validate(said)
        except ValidationError:
            raise PermanentError("LaunchDarkly answers with something that is no flag") from None
        there = answer.environments.get(name.environment)
        if there is None:
            raise NotFound(f"LaunchDarkly has no environment {name.environment} in the project {name.project}")
        return Flag(
            on=there.on,
            archived=answer.archived or there.archived,
            off_value=_value(answer.variations, there.off_variation),
            rules=digest(there.model_dump(mode="json", exclude={"on", "archived"}))[:16],
            key=await self._last_key(name),
        )

    async def turn(self, name: FlagName, *, on: bool, key: str) -> None:
        """Turn a flag on or off, with the key in the comment. Raises what `flag` does."""
        self._check(name)
        body = {
            "environmentKey": name.environment,
            "comment": f"Remediation of an incident. {_MARK}{key}",
            "instructions": [{"kind": "turnFlagOn" if on else "turnFlagOff"}],
        }
        path = f"/api/v2/flags/{segment(name.project)}/{segment(name.flag)}"
        call = Call("PATCH", path, "the action `updateOn` on this flag", body=body, headers={"Content-Type": _SEMANTIC})
        await self._api.object(call)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _last_key(self, name: FlagName) -> str:
        spec = f"proj/{name.project}:env/{name.environment}:flag/{name.flag}"
        call = Call("GET", "/api/v2/auditlog", "the role Reader", (("spec", spec), ("limit", "1")))
        try:
            entries = _Entries.model_validate(await self._api.object(call)).items
        except ValidationError:
            raise PermanentError("LaunchDarkly answers with something that is no audit log") from None
        comment = (entries[0].comment or "") if entries else ""
        return comment.rpartition(_MARK)[2] if _MARK in comment else ""

    def _check(self, name: FlagName) -> None:
        check_allowed(self._settings.allow, f"{name.project}/{name.environment}", "launchdarkly.allow")


def _value(variations: list[_Variation], number: int | None) -> str:
    if number is None or not 0 <= number < len(variations):
        return "the code's own default"
    one = variations[number]
    return (one.name or str(one.value))[:100]
