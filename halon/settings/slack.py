"""Slack: where messages go, and who may press their buttons."""

from typing import Annotated, TypeAlias

from pydantic import StringConstraints

from halon.settings.credentials import SecretRef
from halon.settings.section import SafeUrl, Section

ChannelId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[CGD][A-Z0-9]{2,30}$")]


class SlackSettings(Section):
    """A Slack app of one's own: docs/slack.md."""

    token: SecretRef
    """The bot token, `xoxb-…`."""
    signing_secret: SecretRef
    """What Slack signs its requests with."""
    channel: ChannelId
    """Id of the channel that is told of incidents."""
    url: SafeUrl = "https://slack.com/api"
    """Address of the Web API."""
    hooks: SafeUrl = "https://hooks.slack.com"
    """Where answers to a button go: addresses that do not begin so are not used."""
