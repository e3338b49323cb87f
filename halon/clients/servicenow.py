"""ServiceNow's Table API: https://www.servicenow.com/docs, 'Table API'.

It takes no key against repetition, so a record carries a mark in `correlation_id` and a note in its last line, and both
are looked for first. A query for a field that an instance does not know gives every record instead of an error, so what
comes back is compared with what was asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from halon.clients.json_api import Access, Call, JsonApi, check_allowed, segment
from halon.errors import NotFound, PermanentError
from halon.settings.services import ServiceNowSettings

DONE = frozenset({"6", "7", "8"})
"""States of an incident that is resolved, closed or cancelled."""
_FIELDS = "sys_id,number,state,correlation_id"
_NEEDS = "a role that may {} the table {}, such as `itil` for incidents"
ModelT = TypeVar("ModelT", bound=BaseModel)


class Record(BaseModel):
    """A record of a table that extends `task`."""

    sys_id: str
    number: str
    state: str = ""
    correlation_id: str = ""


class _Records(BaseModel):
    result: list[Record]


class _One(BaseModel):
    result: Record


class _Group(BaseModel):
    sys_id: str
    name: str


class _Groups(BaseModel):
    result: list[_Group]


class _Notes(BaseModel):
    work_notes: str = ""
    comments: str = ""


class _Noted(BaseModel):
    result: _Notes


@dataclass(frozen=True, slots=True)
class Entered:
    """A record, and whether it was made now."""

    record: Record
    new: bool


class ServiceNow:
    """One instance."""

    def __init__(self, access: Access, settings: ServiceNowSettings) -> None:
        self._api = JsonApi(access)
        self._settings = settings

    def address(self, table: str, record: Record) -> str:
        """Where people see a record."""
        return f"{self._settings.url.rstrip('/')}/nav_to.do?uri={table}.do%3Fsys_id%3D{record.sys_id}"

    async def create(self, table: str, fields: Mapping[str, str], mark: str) -> Entered:
        """Make a record with the mark in `correlation_id`, unless one is there.

        Raises:
            PermissionDenied: halon.yaml does not allow the table, or ServiceNow the credential.
            InvalidInput: ServiceNow does not take the record.
            TransientError: it does not answer, or not now.
            PermanentError: it answers something else.
        """
        there = await self._find(table, "correlation_id", mark)
        if there is not None:
            return Entered(there, new=False)
        body = {**fields, "correlation_id": mark, "correlation_display": "Halon"}
        needs, query = _NEEDS.format("create in", table), (("sysparm_fields", _FIELDS),)
        said = await self._api.object(Call("POST", self._table(table), needs, query, body))
        return Entered(_read(_One, said).result, new=True)

    async def record(self, table: str, number: str) -> Record:
        """Look at a record. Raises what `create` does, and NotFound when there is none with this number."""
        there = await self._find(table, "number", number)
        if there is None:
            raise NotFound(f"ServiceNow has no {number} in the table {table}, or does not show it to Halon")
        return there

    async def has_noted(self, table: str, record: Record, mark: str) -> bool:
        """Whether a note or comment of a record shows the mark. Raises what `create` does."""
        query = (("sysparm_fields", "work_notes,comments"), ("sysparm_display_value", "true"))
        path = f"{self._table(table)}/{segment(record.sys_id)}"
        said = _read(_Noted, await self._api.object(Call("GET", path, _NEEDS.format("read", table), query))).result
        return mark in said.work_notes or mark in said.comments

    async def update(self, table: str, record: Record, fields: Mapping[str, str]) -> Record:
        """Write fields of a record. Raises what `create` does."""
        path = f"{self._table(table)}/{segment(record.sys_id)}"
        needs = _NEEDS.format("write in", table)
        said = await self._api.object(Call("PATCH", path, needs, (("sysparm_fields", _FIELDS),), fields))
        return _read(_One, said).result

    async def group(self, name: str) -> str:
        """Find the id of a group by its name. Raises what `create` does, and NotFound when there is none."""
        query = (("sysparm_query", f"name={name}"), ("sysparm_fields", "sys_id,name"), ("sysparm_limit", "2"))
        call = Call("GET", "/api/now/table/sys_user_group", _NEEDS.format("read", "sys_user_group"), query)
        found = [one for one in _read(_Groups, await self._api.object(call)).result if one.name == name]
        if not found:
            raise NotFound(f"ServiceNow has no group '{name}', or does not show it to Halon")
        return found[0].sys_id

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _find(self, table: str, field: str, value: str) -> Record | None:
        asked = f"{field}={value}^ORDERBYsys_created_on"
        query = (("sysparm_query", asked), ("sysparm_fields", _FIELDS), ("sysparm_limit", "1"))
        said = await self._api.object(Call("GET", self._table(table), _NEEDS.format("read", table), query))
        found = _read(_Records, said).result
        if found and getattr(found[0], field) != value:
            raise PermanentError(
                f"ServiceNow does not search the table {table} by `{field}`: may Halon's user read that field?"
            )
        return found[0] if found else None

    def _table(self, table: str) -> str:
        check_allowed(self._settings.allow, table, "servicenow.allow")
        return f"/api/now/table/{segment(table)}"


def _read(kind: type[ModelT], said: object) -> ModelT:
    try:
        return kind.model_validate(said)
    except ValidationError:
        raise PermanentError("ServiceNow answers with something else than was asked for") from None
