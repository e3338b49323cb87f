"""What somebody may do, with the reason: the same for the API, the console and the command."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from halon.contracts.people import Method, Principal, Right
from halon.core.directory import WITHOUT_ROLES, Directory

ENVIRONMENT = "environment"
DEPUTED = frozenset({Right.READ, Right.DECIDE})
"""What a deputy may do in somebody's place, while the delegation lasts."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether somebody may do something, and why."""

    allowed: bool
    reason: str


class Rights:
    """The rights that `halon.yaml` gives."""

    def __init__(self, people: Callable[[], Directory], environment: str, clock: Callable[[], datetime]) -> None:
        """`people` gives them as they are now."""
        self._people = people
        self._environment = environment
        self._clock = clock

    @property
    def _directory(self) -> Directory:
        return self._people()

    def may(self, principal: Principal, right: Right, labels: Mapping[str, str] | None = None) -> Ruling:
        """Whether they have a right, for what has these labels; without labels, for what belongs to no incident.

        All that happens in an installation has the `environment` of its `halon.yaml`, whatever an alert says.
        """
        about = None if labels is None else {**labels, ENVIRONMENT: self._environment}
        why = self._given(self._directory, principal, right, about)
        if why:
            return Ruling(allowed=True, reason=why)
        return Ruling(
            allowed=False,
            reason=f"{principal.person} has no right to `{right}`{self._why_not(principal, right, about)}",
        )

    def anywhere(self, principal: Principal, right: Right) -> bool:
        """Whether they have a right at all, be it only for what has some label."""
        directory = self._directory
        unbound = {name: role.model_copy(update={"where": {}}) for name, role in directory.roles.items()}
        return bool(self._given(replace(directory, roles=unbound), principal, right, None))

    def of(self, principal: Principal, labels: Mapping[str, str] | None = None) -> Sequence[Right]:
        """The rights that they have there, in the order of docs/people.md."""
        return [right for right in Right if self.may(principal, right, labels).allowed]

    def groups_of(self, principal: Principal) -> Sequence[str]:
        """The groups that they are in, by `halon.yaml` or by their proof, sorted."""
        return sorted({*self._directory.groups_of(principal.person), *principal.groups})

    def _given(self, directory: Directory, principal: Principal, right: Right, about: Mapping[str, str] | None) -> str:
        """Why they have a right; empty when they do not."""
        who = principal.person
        if principal.method is Method.OPERATOR:
            return f"{who} runs this installation"
        if principal.method is Method.CLAIMED and directory.is_empty:
            return "halon.yaml names no people"
        if directory.may(who, right, about, groups=principal.groups):
            return f"{who} has the right `{right}`"
        if right in DEPUTED:
            for other in self._in_whose_place(who):
                if directory.may(other, right, about):
                    return f"{who} stands in for {other}, who has the right `{right}`"
        return ""

    def _in_whose_place(self, person: str) -> Iterator[str]:
        """Those in whose place somebody may decide now."""
        now = self._clock()
        for other, whose in sorted(self._directory.people.items()):
            for one in whose.delegates:
                holds = (one.from_ is None or one.from_ <= now) and now < one.until
                if holds and self._directory.who(one.to) == person:
                    yield other

    def _why_not(self, principal: Principal, right: Right, about: Mapping[str, str] | None) -> str:
        if principal.person not in self._directory.people and not principal.groups:
            return ": halon.yaml does not know them, by name or by group"
        if not self._directory.roles:
            allowed = ", ".join(one for one in Right if one in WITHOUT_ROLES)
            return f": without `roles`, the people of halon.yaml have {allowed}"
        if about is None and self.anywhere(principal, right):
            return " of what belongs to no incident: their roles are for some labels only"
        return " here: none of their roles in halon.yaml gives it"
