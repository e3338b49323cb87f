"""Tell a channel something."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.notify._message import PERMISSIONS, Channel, Text, Told
from halon.clients.notify import Message, Notifier, Severity
from halon.contracts.base import JsonObject
from halon.kit.action import Notice, Permission
from halon.kit.env import Env


class Send(Notice[Told]):
    """Tell a channel something: chat, mail, or whatever Apprise reaches.

    The channel's addresses are named in halon.yaml and are secrets; a playbook knows the channel only. What looks like
    a secret is masked. Errors: a channel that halon.yaml does not have is `misconfigured`; when an address cannot be
    reached it is tried again, and the others are told again with it.
    """

    permissions: ClassVar[tuple[Permission, ...]] = PERMISSIONS
    example: ClassVar[JsonObject] = {"to": "team-shop", "title": "Cart was rolled back", "severity": "info"}

    to: Channel
    """The channel's name in halon.yaml."""
    title: Annotated[Text, StringConstraints(min_length=1)]
    """One line; cut to 250 characters."""
    body: Text = ""
    """The rest; cut to 8,000 characters."""
    severity: Severity = "info"
    """How it is marked, where the channel can show that."""

    def target(self) -> str:
        """Name who is told."""
        return f"notify/{self.to}"

    async def run(self, env: Env) -> Told:
        """Tell."""
        message = Message(self.title, self.body, self.severity)
        return Told(addresses=await env.get(Notifier).send(self.to, message))
