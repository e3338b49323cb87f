"""The rights of whoever calls a command that acts.

The command talks to Temporal itself, so a name is only claimed: this keeps people from what they should not do by
mistake, and says so. What must hold is kept by Temporal's own authentication, and by `approvals.trust: signed`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from halon.cli.connections import connected
from halon.cli.output import note
from halon.clients.oncall import OnCall, directory_of
from halon.contracts.people import Method, Principal, Right
from halon.errors import InvalidInput, PermissionDenied, TransientError
from halon.operations.denials import Attempt, Guard
from halon.operations.rights import Rights
from halon.operations.showing import found
from halon.settings import Settings, os_user
from halon.store.store import open_store


def named(settings: Settings, by: str) -> str:
    """Give who acts, as `halon.yaml` calls them where it knows them.

    Raises:
        InvalidInput: nobody is named, and the system has no name for this user.
    """
    name = by.strip() or os_user()
    if not name:
        raise InvalidInput("this system has no name for you: say who decides with --by NAME")
    return directory_of(settings).who(name) or name


async def demand(settings: Settings, by: str, right: Right, what: str, labels: Mapping[str, str] | None = None) -> None:
    """Go on only when they may. The store is only asked to write down that they may not.

    Raises:
        PermissionDenied: they may not, and why.
    """
    principal = Principal(person=by, method=Method.CLAIMED)
    if not settings.people or _written(settings).may(principal, right, labels).allowed:
        return
    rights = await _rights(settings)
    ruling = rights.may(principal, right, labels)
    if ruling.allowed:
        return
    try:
        async with open_store(settings) as store:
            await Guard(rights, store, _now).deny(Attempt(principal, right, what), ruling.reason)
    except TransientError as error:
        note(f"{error}; what was denied is not in the audit")
    raise PermissionDenied(ruling.reason)


async def demand_at(settings: Settings, attempt: Attempt) -> None:
    """Go on only when they may at the attempt's incident. Whose it is, is only looked up where that matters.

    Raises:
        PermissionDenied: they may not, and why.
        NotFound: no incident's id begins so.
        InvalidInput: several do.
        TransientError: the store does not answer.
    """
    if not settings.people or _written(settings).may(attempt.principal, attempt.right).allowed:
        return
    rights = await _rights(settings)
    if rights.may(attempt.principal, attempt.right).allowed:
        return
    async with open_store(settings) as store:
        row = await found(store, partial(connected, settings), attempt.incident)
        await Guard(rights, store, _now).demand(attempt, row.labels)


def _written(settings: Settings) -> Rights:
    """What halon.yaml alone gives: whoever has the right by it need not wait for a schedule that does not answer."""
    people = directory_of(settings)
    return Rights(lambda: people, settings.environment, _now)


async def _rights(settings: Settings) -> Rights:
    async with OnCall(settings) as on_call:
        people, _ = await on_call.directory(_now())
    return Rights(lambda: people, settings.environment, _now)


def _now() -> datetime:
    return datetime.now(UTC)
