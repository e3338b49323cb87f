"""Close an alert in Opsgenie."""

from typing import ClassVar

from activities.opsgenie._alert import MAX_NOTE, PERMISSIONS, Taken, alias_of
from halon.clients.opsgenie import Opsgenie
from halon.contracts.base import JsonObject
from halon.kit.action import Notice, Permission
from halon.kit.env import Env
from halon.kit.once import Reference, Words, words_of


class CloseAlert(Notice[Taken]):
    """Close the open alert of a `reference` in Opsgenie.

    One that is closed already stays as it is. Another tool's alert is reached through its own alias. Errors: a refused
    key is `permission_denied`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = PERMISSIONS
    example: ClassVar[JsonObject] = {"reference": "i-20260102-cart", "note": "Rolled back to revision 41"}

    reference: Reference
    """The reference that it was created with, which is its alias."""
    note: Words = ""
    """What is noted on it; cut to 8,000 characters."""

    def target(self) -> str:
        """Name the alert."""
        return f"opsgenie/{self.reference}"

    async def run(self, env: Env) -> Taken:
        """Close it."""
        alias = alias_of(self.reference)
        found = await env.get(Opsgenie).act(alias, "close", words_of(self.note, MAX_NOTE))
        return Taken(alias=alias, found=found)
