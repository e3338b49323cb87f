"""Unleash's admin API: https://docs.getunleash.io/reference/api/unleash. A flag in an environment, on or off.

The API keeps neither a key nor a comment with a change, so nothing shows that one was Halon's.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from halon.clients.json_api import Access, Call, JsonApi, check_allowed, segment
from halon.contracts.base import digest
from halon.errors import PermanentError
from halon.settings.services import UnleashSettings


@dataclass(frozen=True, slots=True)
class Toggle:
    """A flag in an environment, as it is."""

    enabled: bool
    strategies: int
    """How many say who gets it while it is on."""
    rules: str
    """A digest of them."""


class _There(BaseModel):
    enabled: bool
    strategies: list[Any] = []
    variants: list[Any] = []


class Unleash:
    """One Unleash."""

    def __init__(self, access: Access, settings: UnleashSettings) -> None:
        self._api = JsonApi(access)
        self._settings = settings

    async def toggle(self, project: str, environment: str, flag: str) -> Toggle:
        """Look at a flag.

        Raises:
            PermissionDenied: halon.yaml does not allow the environment, or Unleash the token.
            NotFound: there is no such flag, or not in this environment.
            TransientError: it does not answer, or not now.
            PermanentError: it answers something else.
        """
        path = self._path(project, environment, flag)
        try:
            there = _There.model_validate(await self._api.object(Call("GET", path, "to read this project")))
        except ValidationError:
            raise PermanentError("Unleash answers with something that is no flag in an environment") from None
        rules = digest(there.model_dump(mode="json", exclude={"enabled"}))[:16]
        return Toggle(there.enabled, len(there.strategies), rules)

    async def turn(self, project: str, environment: str, flag: str, *, on: bool) -> None:
        """Turn a flag on or off. Raises what `toggle` does."""
        path = f"{self._path(project, environment, flag)}/{'on' if on else 'off'}"
        needs = "`UPDATE_FEATURE_ENVIRONMENT` here, and an environment without change requests"
        await self._api.any(Call("POST", path, needs))

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def _path(self, project: str, environment: str, flag: str) -> str:
        check_allowed(self._settings.allow, f"{project}/{environment}", "unleash.allow")
        feature = f"/api/admin/projects/{segment(project)}/features/{segment(flag)}"
        return f"{feature}/environments/{segment(environment)}"
