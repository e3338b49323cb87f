"""What people are told of incidents, and by which channels. Meaning: docs/communication.md."""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from halon.contracts.base import Duration
from halon.contracts.communication import (
    CHANNEL,
    MAX_RULES,
    OWNER,
    ChannelName,
    DeadlineRule,
    PageRule,
    StatusRule,
    Templates,
)
from halon.contracts.people import GROUP, Person
from halon.settings.credentials import SecretRef
from halon.settings.people import Group
from halon.settings.section import Section

Channels = Annotated[tuple[ChannelName, ...], Field(max_length=20)]


class StatusPageSettings(Section):
    """A status page that is reached as Atlassian's Statuspage is."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+(/[^\s@]*)?$", max_length=2048)] = (
        "https://api.statuspage.io/v1"
    )
    page: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """Id of the page."""
    token: SecretRef | None = None
    """An API key."""
    incidents: Annotated[tuple[StatusRule, ...], Field(max_length=MAX_RULES)] = ()
    """Which incidents are shown there, and how."""

    @model_validator(mode="after")
    def _whole(self) -> "StatusPageSettings":
        if self.incidents and (self.page is None or self.token is None):
            raise ValueError("`incidents` needs `page` and `token`")
        return self


class CommunicationSettings(Section):
    """Whom Halon tells of an incident. Without any of it, it tells nobody."""

    threads: Channels = ()
    """Channels that follow every incident, each incident in one thread."""
    tickets: Channels = ()
    """Channels of what waits until the morning: incidents that threaten no objective."""
    fallback: Channels = ()
    """Channels that are tried when none of somebody's own takes a message."""
    page: Annotated[tuple[PageRule, ...], Field(max_length=MAX_RULES)] = ()
    """When an objective is threatened, so that people are called, and whom; the first rule that holds counts."""
    deadlines: Annotated[tuple[DeadlineRule, ...], Field(max_length=MAX_RULES)] = ()
    """Duties that incidents start."""
    status_page: StatusPageSettings = StatusPageSettings()
    templates: Templates = Templates()
    gather: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))] = timedelta(seconds=10)
    """How long news of an incident gather before its thread is told again."""
    patience: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))] = timedelta(minutes=1)
    """How long a channel that does not answer is tried before the next one is."""
    keep_trying: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=7))] = timedelta(hours=24)
    """How long a message that no channel took is tried again."""
    per_minute: Annotated[int, Field(ge=1, le=1000)] = 20
    """Messages a minute that one worker sends to one channel; what is more goes into a digest."""

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to tell and nothing to demand."""
        return not (self.threads or self.tickets or self.page or self.deadlines or self.status_page.incidents)

    @model_validator(mode="after")
    def _names_once(self) -> "CommunicationSettings":
        names = [one.name for one in self.deadlines]
        if len(frozenset(names)) != len(names):
            raise ValueError("two `deadlines` share a name")
        return self


def check_communication(
    given: CommunicationSettings,
    channels: Collection[str],
    people: Mapping[str, Person],
    groups: Mapping[str, Group],
) -> None:
    """Whether every channel, person and group that is named is there.

    Raises:
        ValueError: the first that is not, and where it stands.
    """
    for place, channel in _channels(given, people, groups):
        if channel not in channels:
            raise ValueError(
                f"`{place}` names the channel {channel}, which is not under `notify.channels`{_slack(channel)}"
            )
    known = {name.casefold() for person, whose in people.items() for name in (person, *whose.names)}
    for place, reference in _references(given):
        group = reference.removeprefix(GROUP) if reference.startswith(GROUP) else None
        if reference == OWNER or reference.startswith(CHANNEL):
            continue
        if (group not in groups) if group is not None else (reference.casefold() not in known):
            raise ValueError(f"`{place}` names {reference}, who is not under `people` or `groups`")


def _slack(channel: str) -> str:
    return ", and `slack` is not configured" if channel == "slack" else ""


def _channels(
    given: CommunicationSettings, people: Mapping[str, Person], groups: Mapping[str, Group]
) -> Iterator[tuple[str, str]]:
    for place in ("threads", "tickets", "fallback"):
        yield from ((f"communication.{place}", one) for one in getattr(given, place))
    for place, reference in _references(given):
        if reference.startswith(CHANNEL):
            yield place, reference.removeprefix(CHANNEL)
    if given.is_silent:
        return
    for person, whose in people.items():
        yield from ((f"people.{person}.channels", one) for one in whose.channels)
    for name, group in groups.items():
        yield from ((f"groups.{name}.channels", one) for one in group.channels)


def _references(given: CommunicationSettings) -> Iterator[tuple[str, str]]:
    for index, rule in enumerate(given.page):
        yield from ((f"communication.page[{index}].to", one) for one in rule.to)
        for level in rule.acknowledge.then if rule.acknowledge else ():
            yield from ((f"communication.page[{index}].acknowledge.then", one) for one in level.to)
    for index, duty in enumerate(given.deadlines):
        yield from ((f"communication.deadlines[{index}].to", one) for one in duty.to)
