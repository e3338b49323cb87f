"""Slack as a channel: an incident's thread, whose first message shows how it stands, and questions with buttons."""

from halon.clients.asking import Asked
from halon.clients.slack import Posted, Slack
from halon.clients.slack_blocks import SlackMessage, escaped, question_message
from halon.contracts.coordination import DeliverRequest, Notice
from halon.errors import PermanentError
from halon.settings import Settings

NAME = "slack"
"""What the channel is called where channels are named."""


class SlackChannel:
    """Tells people in Slack: all in the channel of the settings, one person in a message of their own."""

    def __init__(self, settings: Settings, slack: Slack | None) -> None:
        self._settings = settings
        self._slack = slack

    def takes(self, channel: str) -> bool:
        """Whether the channel is this one."""
        return self._slack is not None and channel == NAME

    async def deliver(self, request: DeliverRequest, asked: Asked | None, console: str) -> str:
        """Tell. Gives what names the thread.

        Raises:
            TransientError: Slack does not take it now.
            PermanentError: it never will, and why.
        """
        if self._slack is None:
            raise PermanentError("`slack` is not configured in halon.yaml")
        notice = request.notice
        if notice.kind == "update":
            return await self._update(self._slack, notice, request.thread)
        message = _plain(notice) if asked is None else question_message(asked.row, asked.gate, asked.run, console)
        where, _, thread = request.thread.partition("/")
        if request.person:
            person = self._settings.people.get(request.person)
            if person is None or person.slack is None:
                raise PermanentError(f"`people.{request.person}.slack` in halon.yaml names no user of Slack")
            where, thread = person.slack, ""
        posted = await self._slack.post(message, key=notice.id, channel=where, thread=thread)
        return f"{posted.channel}/{thread or posted.ts}"

    async def _update(self, slack: Slack, notice: Notice, thread: str) -> str:
        head = _head(notice)
        where, _, ts = thread.partition("/")
        if ts:
            await slack.update(Posted(where, ts), head)
        else:
            posted = await slack.post(head, key=f"{notice.incident}/head")
            where, ts = posted.channel, posted.ts
        await slack.post(SlackMessage(escaped(notice.body)), key=notice.id, channel=where, thread=ts)
        return f"{where}/{ts}"


def _head(notice: Notice) -> SlackMessage:
    return SlackMessage(f"*{escaped(notice.title, 300)}*\nIncident `{notice.incident}`")


def _plain(notice: Notice) -> SlackMessage:
    return SlackMessage(f"*{escaped(notice.title, 300)}*\n{escaped(notice.body)}")
