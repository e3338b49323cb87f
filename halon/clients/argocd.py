"""Argo CD's API: applications. https://argo-cd.readthedocs.io/en/stable/developer-guide/api-docs/.

The server retries an update that meets another one, so a resource version guards nothing; the patch itself tests what
was seen.
"""

import json
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from halon.clients.json_api import Access, Call, JsonApi, check_allowed, segment
from halon.contracts.base import JsonObject, is_object
from halon.errors import PermanentError
from halon.settings.services import ArgoCdSettings


class _View(BaseModel):
    model_config = {"frozen": True, "extra": "ignore", "alias_generator": to_camel, "populate_by_name": True}


class Owner(_View):
    """Who made the application."""

    kind: str
    name: str


class _Metadata(_View):
    name: str
    namespace: str = ""
    annotations: dict[str, str] = {}
    owner_references: tuple[Owner, ...] = ()


class _SyncPolicy(_View):
    automated: dict[str, Any] | None = None


class _Spec(_View):
    project: str = "default"
    sync_policy: _SyncPolicy | None = None


class Revision(_View):
    """An entry of the application's history, or what an operation asks for."""

    id: int = 0
    revision: str = ""
    revisions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The revision; of several sources all of them."""
        return ",".join(self.revisions) or self.revision


class _Operation(_View):
    sync: Revision | None = None


class _OperationState(_View):
    phase: str = ""
    message: str = ""
    operation: _Operation = _Operation()


class _Word(_View):
    status: str = ""


class _Status(_View):
    history: tuple[Revision, ...] = ()
    health: _Word = _Word()
    sync: _Word = _Word()
    operation_state: _OperationState | None = None


class Application(_View):
    """An application, as far as actions read it."""

    metadata: _Metadata
    spec: _Spec
    status: _Status = _Status()
    operation: _Operation | None = None
    """What is asked for, and not begun."""

    @property
    def automated(self) -> dict[str, Any] | None:
        """The policy of automated sync, as it stands there."""
        return self.spec.sync_policy.automated if self.spec.sync_policy else None

    @property
    def syncs(self) -> bool:
        """Whether it syncs by itself."""
        return self.automated is not None and self.automated.get("enabled") is not False


class ArgoCd:
    """One Argo CD."""

    def __init__(self, access: Access, settings: ArgoCdSettings) -> None:
        self._api = JsonApi(access)
        self._settings = settings

    async def application(self, name: str, namespace: str = "") -> Application:
        """Look at an application; without a namespace, in Argo CD's own.

        Raises:
            PermissionDenied: halon.yaml does not allow it, or Argo CD the token; it also answers so when there is none.
            NotFound: there is none.
            TransientError: it does not answer, or not now.
            PermanentError: it answers something else.
        """
        path = self._path(name, namespace)
        query = (("appNamespace", namespace),) if namespace else ()
        said = await self._api.object(Call("GET", path, "`applications, get` on it", query))
        try:
            return Application.model_validate(_without_nulls(said))
        except ValidationError:
            raise PermanentError("Argo CD answers with something that is no application") from None

    async def patch(self, name: str, namespace: str, operations: list[JsonObject]) -> None:
        """Change it by a JSON patch. Raises what `application` does.

        A `test` that does not hold is an internal error of the server's, so a TransientError: the next attempt looks.
        """
        body = _body(name, namespace) | {"patch": json.dumps(operations), "patchType": "json"}
        call = Call("PATCH", self._path(name, namespace), "`applications, update` on it", body=body)
        await self._api.object(call)

    async def roll_back(self, name: str, namespace: str, *, history: int, prune: bool) -> None:
        """Deploy an entry of the history again. Raises what `application` does."""
        body = _body(name, namespace) | {"id": str(history), "prune": prune, "dryRun": False}
        path = f"{self._path(name, namespace)}/rollback"
        await self._api.object(Call("POST", path, "`applications, sync` on it", body=body))

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def _path(self, name: str, namespace: str) -> str:
        check_allowed(self._settings.allow, f"{namespace}/{name}" if namespace else name, "argocd.allow")
        return f"/api/v1/applications/{segment(name)}"


def _body(name: str, namespace: str) -> dict[str, Any]:
    return {"name": name, **({"appNamespace": namespace} if namespace else {})}


def _without_nulls(value: Any) -> Any:
    """Go writes empty lists and maps as null."""
    if is_object(value):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return value
