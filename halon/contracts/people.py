"""People, groups of them, and what they may do: as `halon.yaml` names them. Meaning: docs/people.md."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from halon.contracts.base import Contract

MAX_PEOPLE = 2000
MAX_GROUPS = 200
MAX_MEMBERS = 200
MAX_ROLES = 100
GROUP = "group:"
"""Before the name of a group, where people and groups may stand."""

PersonId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,126}$")]
"""What decisions and the audit call a person, such as `ana` or `ana@example.com`."""
GroupName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$")]
Reference: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=320)]
"""A person by id, e-mail address or alias, or `group:` and the name of a group."""
TokenHash: TypeAlias = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
"""SHA-256 of a random token of at least 256 bits, as `halon token` prints it; a word that people choose is not one."""
PublicKey: TypeAlias = Annotated[str, StringConstraints(pattern=r"^ed25519:[A-Za-z0-9+/]{43}=$")]
"""A raw Ed25519 public key in base64."""


class Delegation(Contract):
    """While it lasts, `to` may decide in a person's place. Their decision counts as that person's, and is told so."""

    to: PersonId
    from_: Annotated[AwareDatetime | None, Field(alias="from")] = None
    until: AwareDatetime
    reason: Annotated[str, StringConstraints(max_length=300)] = ""


class Person(Contract):
    """One person. Each of the names is theirs alone; `halon.yaml` is refused when two people share one."""

    name: Annotated[str, StringConstraints(max_length=200)] = ""
    """As people call them."""
    email: Annotated[str, StringConstraints(pattern=r"^[^\s@]+@[^\s@]+$", max_length=320)] | None = None
    aliases: Annotated[tuple[Reference, ...], Field(max_length=20)] = ()
    """Other names, such as an OIDC subject or a schedule's spelling."""
    slack: Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,30}$")] | None = None
    """Slack's id of the user."""
    channels: Annotated[tuple[GroupName, ...], Field(max_length=10)] = ()
    """Their own channels from `notify.channels`, in the order in which they are tried."""
    keys: Annotated[tuple[PublicKey, ...], Field(max_length=10)] = ()
    """Keys that they sign decisions with."""
    tokens: Annotated[tuple[TokenHash, ...], Field(max_length=10)] = ()
    """Hashes of tokens that they use with the API."""
    delegates: Annotated[tuple[Delegation, ...], Field(max_length=10)] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called beside their id."""
        return (*((self.email,) if self.email else ()), *self.aliases)


class Right(StrEnum):
    """What somebody may do. Meaning: docs/people.md."""

    READ = "read"
    """See incidents, plans, evidence and audit."""
    DECIDE = "decide"
    """Approve and deny where one is asked; acknowledge; take a part in an incident."""
    RUN = "run"
    """Start and cancel runs by hand."""
    PAUSE = "pause"
    """Pause and resume."""
    TRIP = "trip"
    """Trip and reset breakers, free locks."""
    BREAK_GLASS = "break_glass"
    """Approve alone what others are asked for, with a reason; the owner is paged."""
    DECRYPT = "decrypt"
    """Read payloads in clear in Temporal's UI."""
    ADMINISTER = "administer"
    """All of these."""


class Role(Contract):
    """Rights that people have, everywhere or where labels match."""

    may: Annotated[tuple[Right, ...], Field(min_length=1, max_length=20)]
    to: Annotated[tuple[Reference, ...], Field(min_length=1, max_length=MAX_MEMBERS)]
    where: dict[
        Annotated[str, StringConstraints(min_length=1, max_length=256)],
        Annotated[tuple[str, ...], Field(min_length=1, max_length=50)] | str,
    ] = {}
    """Labels of an incident, such as `team` and `environment`, each with globs of which one must match. A role with a
    `where` gives no right to what belongs to no incident, such as a pause of everything."""

    @model_validator(mode="after")
    def _distinct(self) -> "Role":
        if len(frozenset(self.may)) != len(self.may):
            raise ValueError("`may` names a right twice")
        return self


class Method(StrEnum):
    """How somebody proved who they are."""

    OIDC = "oidc"
    """A token of the identity provider, checked against its keys."""
    TOKEN = "token"  # noqa: S105  # a word, no secret
    """A token of theirs, of which `halon.yaml` has the hash."""
    KEY = "key"
    """A signature with a key of theirs, of which `halon.yaml` has the public half."""
    LINK = "link"
    """A signed link that was sent to them alone."""
    SLACK = "slack"
    """A button in Slack, whose request Slack signed."""
    OPERATOR = "operator"
    """The token of whoever runs this installation, while `halon.yaml` names no people."""
    CLAIMED = "claimed"
    """Not at all: the name was only stated."""


class Principal(Contract):
    """Somebody who asks something of Halon, as they proved it."""

    person: Annotated[str, StringConstraints(min_length=1, max_length=320)]
    """Id under `people`; for one who is not named there, what the proof calls them."""
    method: Method
    groups: tuple[str, ...] = ()
    """Groups under `groups` that the proof says they are in, such as from an OIDC claim."""


class Deputy(Contract):
    """One who may decide in an elector's place, and when."""

    person: str
    names: tuple[str, ...] = ()
    from_: Annotated[AwareDatetime | None, Field(alias="from")] = None
    until: AwareDatetime

    def holds(self, at: datetime) -> bool:
        """Whether it is in force."""
        return (self.from_ is None or self.from_ <= at) and at < self.until


class Elector(Contract):
    """One person who may decide a question, as found at the time of asking."""

    person: str
    names: tuple[str, ...] = ()
    """What they are called beside their id."""
    asked_as: tuple[str, ...] = ()
    """The references that lead to them, such as `group:sre`; none when they have the right and nobody is named."""
    deputies: tuple[Deputy, ...] = ()

    def is_called(self, name: str) -> bool:
        """Whether a name is theirs."""
        return means(name, self.person, self.names)


class Electorate(Contract):
    """Who may decide one question, as found at the time of asking; kept in the run's history."""

    anyone: bool = False
    """Whoever may signal: `halon.yaml` names no people."""
    trust: Literal["namespace", "signed"] = "namespace"
    """Whether a name that is only claimed counts."""
    electors: tuple[Elector, ...] = ()
    groups: tuple[GroupName, ...] = ()
    """Groups whose members count also when only the proof says that they are in it."""
    breakers: tuple[Elector, ...] = ()
    """Those who may break glass."""
    starter: Elector | None = None
    """Who started the run, when that is somebody known."""
    missing: tuple[str, ...] = ()
    """References that led to nobody, each with the reason, such as a schedule that does not answer."""
    console: str = ""
    """Address at which people decide, when there is one."""


class ElectorateRequest(Contract):
    """Ask who may decide a question about what has these labels."""

    incident: str
    from_: Annotated[tuple[str, ...], Field(alias="from")] = ()
    """People and groups that are asked; none: everybody who has the right."""
    labels: dict[str, str] = {}
    started_by: str = ""
    at: AwareDatetime


ELECTORATE = "halon.people.electorate"
"""Activity: who may decide a question."""
READ_SEAL = "halon.people.read_seal"
"""Activity: whether a seal is genuine, and what it says."""


def means(name: str, person: str, names: Sequence[str]) -> bool:
    """Whether a name is a person's, by id or another name of theirs, without regard to case and outer spaces."""
    wanted = name.strip().casefold()
    return bool(wanted) and any(wanted == one.casefold() for one in (person, *names))
