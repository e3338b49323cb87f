"""What somebody may do, with the reason: the same for the API, the console and the command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from halon.contracts.people import Method, Principal, Right
from halon.core.directory import WITHOUT_ROLES, Directory
from halon.settings import Settings

ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether somebody may do something, and why."""

    allowed: bool
    reason: str


class Rights:
    """The rights that `halon.yaml` gives."""

    def __init__(self, directory: Directory, environment: str) -> None:
        self._directory = directory
        self._environment = environment

    def may(self, principal: Principal, right: Right, labels: Mapping[str, str] | None = None) -> Ruling:
        """Whether they have a right, for what has these labels; without labels, for what belongs to no incident.

        All that happens in an installation has the `environment` of its `halon.yaml`, whatever an alert says.
        """
        directory, who = self._directory, principal.person
        if principal.method is Method.OPERATOR:
            return Ruling(allowed=True, reason=f"{who} runs this installation")
        if principal.method is Method.CLAIMED and directory.is_empty:
            return Ruling(allowed=True, reason="halon.yaml names no people")
        about = None if labels is None else {**labels, ENVIRONMENT: self._environment}
        if directory.may(who, right, about, groups=principal.groups):
            return Ruling(allowed=True, reason=f"{who} has the right `{right}`")
        return Ruling(allowed=False, reason=f"{who} has no right to `{right}`{self._why(principal, right, about)}")

    def of(self, principal: Principal, labels: Mapping[str, str] | None = None) -> Sequence[Right]:
        """The rights that they have there, in the order of docs/people.md."""
        return [right for right in Right if self.may(principal, right, labels).allowed]

    def anywhere(self, principal: Principal, right: Right) -> bool:
        """Whether they have a right at all, be it only for what has some label."""
        if self.may(principal, right).allowed:
            return True
        everywhere = {name: role.model_copy(update={"where": {}}) for name, role in self._directory.roles.items()}
        unbound = Directory(self._directory.people, self._directory.groups, everywhere)
        return unbound.may(principal.person, right, groups=principal.groups)

    def _why(self, principal: Principal, right: Right, labels: Mapping[str, str] | None) -> str:
        known = principal.person in self._directory.people
        if not known and not principal.groups:
            return ": halon.yaml does not know them, by name or by group"
        if not self._directory.roles:
            allowed = ", ".join(one for one in Right if one in WITHOUT_ROLES)
            return f": without `roles`, the people of halon.yaml have {allowed}"
        if labels is None and self.anywhere(principal, right):
            return " of what belongs to no incident: their roles are for some labels only"
        return " here: none of their roles in halon.yaml gives it"


def directory_of(settings: Settings) -> Directory:
    """The people of an installation."""
    groups = {name: group.members for name, group in settings.groups.items()}
    return Directory(settings.people, groups, settings.roles)


def rights_of(settings: Settings) -> Rights:
    """The rights that an installation gives."""
    return Rights(directory_of(settings), settings.environment)
