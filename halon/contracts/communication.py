"""What an installation tells people of an incident, and what it asks of them. Meaning: docs/communication.md.

An incident carries this with it from its start: a workflow knows no settings. It holds names of people, groups and
channels; who and where they are is found when they are told.
"""

from enum import StrEnum
from typing import Annotated, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from halon.contracts.base import Contract, Duration
from halon.contracts.steps import Expr

MAX_RULES = 50
MAX_LEVELS = 10
"""How often a call that nobody acknowledges goes to further people."""
CHANNEL = "channel:"
"""Before the name of a channel, where people and groups may stand."""
OWNER = "owner"
"""The owner of the incident's playbook, where people and groups may stand."""

Addressee: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=320)]
"""A person, `group:NAME`, `channel:NAME`, or `owner`."""
ChannelName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$")]
RuleName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$")]
Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""Text with `${{ }}` in it, as in playbooks."""
Pattern: TypeAlias = Annotated[str, StringConstraints(max_length=256)]
Patterns: TypeAlias = Annotated[tuple[Pattern, ...], Field(max_length=50)] | Pattern


class Condition(Contract):
    """Which incidents something is for: those with an alert for which all of this holds."""

    severities: Annotated[tuple[str, ...], Field(max_length=20)] = ()
    """Names or globs of severities."""
    labels: Annotated[dict[str, Patterns], Field(max_length=20)] = {}
    """Labels of the alert, each with globs of which one must match, as in a trigger."""
    playbooks: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    """Names or globs of playbooks."""
    if_: Annotated[Expr | None, Field(alias="if")] = None
    """An expression over `alert`, `metadata` and `environment`."""

    @model_validator(mode="after")
    def _says_when(self) -> "Condition":
        if not (self.severities or self.labels or self.playbooks or self.if_):
            raise ValueError("say when it holds: `severities`, `labels`, `playbooks` or `if`")
        return self


class Level(Contract):
    """Further people, who are called when nobody acknowledged, and how long they have."""

    to: Annotated[tuple[Addressee, ...], Field(min_length=1, max_length=20)]
    within: Duration


class Acknowledge(Contract):
    """How long the people who are called have to acknowledge, and who is called after them."""

    within: Duration
    then: Annotated[tuple[Level, ...], Field(max_length=MAX_LEVELS)] = ()


class PageRule(Condition):
    """When an objective is threatened, so that a person is called, and who that is."""

    to: Annotated[tuple[Addressee, ...], Field(min_length=1, max_length=20)]
    acknowledge: Acknowledge | None = None


class DeadlineRule(Condition):
    """A duty that an incident starts, such as telling an authority within 72 hours."""

    name: RuleName
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    within: Duration
    remind: Annotated[tuple[Duration, ...], Field(max_length=10)] = ()
    """How long before its end people are reminded."""
    to: Annotated[tuple[Addressee, ...], Field(min_length=1, max_length=20)]


class Impact(StrEnum):
    """How the status page marks an incident."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class StatusRule(Condition):
    """Which incidents are on the status page, and how."""

    impact: Impact = Impact.MINOR
    components: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")], ...], Field(max_length=50)
    ] = ()
    """Ids of components on the status page, which are marked with the incident."""
    release: bool = True
    """Whether the first words wait for a person, who releases them with `halon publish`."""


class Templates(Contract):
    """Words of messages. What is not given here is in `halon.core.wording`."""

    page_title: Text | None = None
    page_body: Text | None = None
    ticket_title: Text | None = None
    ticket_body: Text | None = None
    update_title: Text | None = None
    """Of the incident's thread."""
    update_body: Text | None = None
    external_title: Text | None = None
    """Name of the incident on the status page."""
    investigating: Text | None = None
    identified: Text | None = None
    resolved: Text | None = None


class Communication(Contract):
    """All that an incident must know to tell people."""

    environment: str = "default"
    threads: tuple[ChannelName, ...] = ()
    tickets: tuple[ChannelName, ...] = ()
    fallback: tuple[ChannelName, ...] = ()
    page: tuple[PageRule, ...] = ()
    deadlines: tuple[DeadlineRule, ...] = ()
    status_page: tuple[StatusRule, ...] = ()
    templates: Templates = Templates()
    gather: Duration
    """How long news gather before the thread is told again."""
    patience: Duration
    """How long one channel is tried before the next."""
    keep_trying: Duration
    """How long what could not be told is tried again, over all channels."""
