"""The people of an installation: whose name is whose, who is in a group, and what somebody may do. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from halon.contracts.people import GROUP, Person, Right, Role

WITHOUT_ROLES = frozenset({Right.READ, Right.DECIDE, Right.RUN, Right.PAUSE})
"""What everybody under `people` may do while `halon.yaml` names no roles: nothing that makes others' word less."""


@dataclass(frozen=True, slots=True)
class Directory:
    """What `halon.yaml` says of people. A group whose members a schedule names is not in `groups`."""

    people: Mapping[str, Person]
    groups: Mapping[str, Sequence[str]]
    """Members of each group, as references to people."""
    roles: Mapping[str, Role]
    open: frozenset[str] = frozenset()
    """Groups that a proof may put somebody into, such as a claim in a token."""

    @property
    def is_empty(self) -> bool:
        """Whether no people are named: then a name is what it claims to be, and there are no rights to check."""
        return not self.people

    def who(self, name: str) -> str | None:
        """The person that a name means, by id, e-mail address or alias, without regard to case; None for nobody."""
        wanted = name.strip().casefold()
        if not wanted:
            return None
        for person, known in sorted(self.people.items()):
            if any(wanted == one.casefold() for one in (person, *known.names)):
                return person
        return None

    def members(self, reference: str) -> tuple[str, ...] | None:
        """The ids of the people that a reference means, sorted; None when it means nobody that is known."""
        if not reference.startswith(GROUP):
            found = self.who(reference)
            return None if found is None else (found,)
        members = self.groups.get(reference.removeprefix(GROUP))
        if members is None:
            return None
        found_members = {found for member in members if (found := self.who(member)) is not None}
        return tuple(sorted(found_members))

    def groups_of(self, person: str) -> tuple[str, ...]:
        """The groups that somebody is in, sorted."""
        return tuple(sorted(name for name in self.groups if person in (self.members(GROUP + name) or ())))

    def may(
        self, person: str, right: Right, labels: Mapping[str, str] | None = None, *, groups: Sequence[str] = ()
    ) -> bool:
        """Whether somebody has a right, for what has these labels; without labels, for what belongs to no incident.

        `groups` are further groups that they are known to be in, such as from the claims of a token.
        """
        if not self.roles:
            known = person in self.people or any(group in self.groups for group in groups)
            return known and right in WITHOUT_ROLES
        return any(
            (right in role.may or Right.ADMINISTER in role.may)
            and _matches(role, labels)
            and self._has(person, role, groups)
            for role in self.roles.values()
        )

    def _has(self, person: str, role: Role, groups: Sequence[str]) -> bool:
        for reference in role.to:
            if person in (self.members(reference) or ()):
                return True
            if reference.startswith(GROUP) and reference.removeprefix(GROUP) in groups:
                return True
        return False


NOBODY = Directory({}, {}, {})
"""Of an installation that names no people."""


def _matches(role: Role, labels: Mapping[str, str] | None) -> bool:
    if not role.where:
        return True
    if labels is None:
        return False
    return all(
        any(fnmatchcase(labels.get(label, ""), glob) for glob in ((globs,) if isinstance(globs, str) else globs))
        for label, globs in sorted(role.where.items())
    )
