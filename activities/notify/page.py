"""Call a person."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.notify._message import PERMISSIONS, Channel, Text, Told
from halon.clients.notify import Message, Notifier
from halon.contracts.base import JsonObject
from halon.kit.action import Notice, Permission
from halon.kit.env import Env


class Page(Notice[Told]):
    """Call a person, because something needs one now. It is sent as critical.

    The same channels as for `notify.send`. Errors are the same as well.
    """

    permissions: ClassVar[tuple[Permission, ...]] = PERMISSIONS
    example: ClassVar[JsonObject] = {
        "to": "team-shop",
        "summary": "The rollback of cart failed and could not be put back",
    }

    to: Channel
    """The channel's name in halon.yaml."""
    summary: Annotated[Text, StringConstraints(min_length=1)]
    """What is wrong, in a sentence; cut to 250 characters."""
    details: Text = ""
    """The rest; cut to 8,000 characters."""

    def target(self) -> str:
        """Name who is called."""
        return f"notify/{self.to}"

    async def run(self, env: Env) -> Told:
        """Tell."""
        message = Message(self.summary, self.details, "critical")
        return Told(addresses=await env.get(Notifier).send(self.to, message))
