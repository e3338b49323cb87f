"""Groups of people, and whether the people, groups and roles of halon.yaml know each other."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from halon.contracts.people import GROUP, MAX_MEMBERS, GroupName, Person, Reference, Role
from halon.settings.oncall import CalendarSchedule, OpsgenieSchedule, PagerDutySchedule
from halon.settings.section import Section


class Group(Section):
    """People who are asked together."""

    members: Annotated[tuple[Reference, ...], Field(max_length=MAX_MEMBERS)] = ()
    """People by id, e-mail address or alias. Groups do not hold groups."""
    channels: Annotated[tuple[GroupName, ...], Field(max_length=10)] = ()
    """The group's own channels from `notify.channels`, in the order in which they are tried. Without them each member
    is told by theirs."""
    calendar: CalendarSchedule | None = None
    pagerduty: PagerDutySchedule | None = None
    opsgenie: OpsgenieSchedule | None = None

    @property
    def schedule(self) -> CalendarSchedule | PagerDutySchedule | OpsgenieSchedule | None:
        """What says who is on call, if anything does."""
        return self.calendar or self.pagerduty or self.opsgenie

    @model_validator(mode="after")
    def _one_schedule(self) -> "Group":
        if sum(one is not None for one in (self.calendar, self.pagerduty, self.opsgenie)) > 1:
            raise ValueError("a group has at most one of `calendar`, `pagerduty` and `opsgenie`")
        return self

    @field_validator("members")
    @classmethod
    def _no_groups(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for member in value:
            if member.startswith(GROUP):
                raise ValueError(f"a group holds people, not groups: name the members of {member} here")
        return value


def check_people(people: Mapping[str, Person], groups: Mapping[str, Group], roles: Mapping[str, Role]) -> None:
    """Whether every name is one person's, and every reference leads to somebody.

    Raises:
        ValueError: the first one that does not, and where it stands.
    """
    owners = _owners(people)
    _tokens_are_theirs(people)

    def known(reference: str) -> bool:
        if reference.startswith(GROUP):
            return reference.removeprefix(GROUP) in groups
        return reference.casefold() in owners

    places = [
        *((f"people.{person}.delegates", one.to) for person, whose in people.items() for one in whose.delegates),
        *((f"groups.{name}", member) for name, group in groups.items() for member in group.members),
        *((f"roles.{name}", reference) for name, role in roles.items() for reference in role.to),
    ]
    for place, reference in places:
        if not known(reference):
            raise ValueError(f"`{place}` names {reference}, who is not under `people` or `groups`")


def _owners(people: Mapping[str, Person]) -> dict[str, str]:
    owners: dict[str, str] = {}
    in_slack: dict[str, str] = {}
    for person, whose in people.items():
        if whose.slack and in_slack.setdefault(whose.slack, person) != person:
            raise ValueError(f"`people.{person}` and `people.{in_slack[whose.slack]}` share Slack's id {whose.slack}")
        for name in (person, *whose.names):
            owner = owners.setdefault(name.casefold(), person)
            if owner != person:
                raise ValueError(f"`people.{person}` and `people.{owner}` share the name {name}")
    return owners


def _tokens_are_theirs(people: Mapping[str, Person]) -> None:
    owners: dict[str, str] = {}
    in_slack: dict[str, str] = {}
    for person, whose in people.items():
        if whose.slack and in_slack.setdefault(whose.slack, person) != person:
            raise ValueError(f"`people.{person}` and `people.{in_slack[whose.slack]}` share Slack's id {whose.slack}")
        for token in whose.tokens:
            owner = owners.setdefault(token, person)
            if owner != person:
                raise ValueError(f"`people.{person}` and `people.{owner}` share a token")
