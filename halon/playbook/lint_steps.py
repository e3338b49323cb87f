"""What the linter's rules look at: one playbook's steps with their places, and which of them come after which."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from halon.contracts.playbook import Playbook
from halon.contracts.policy import PolicyRule
from halon.contracts.steps import ForEachStep, ParallelStep, PlaybookStep, Step, SwitchStep, UsesStep
from halon.core.directory import NOBODY, Directory
from halon.core.library import library_of
from halon.documents import Document
from halon.documents.document import Path
from halon.playbook.actions import ActionSchema, ActionSchemas
from halon.playbook.findings import Report


@dataclass(frozen=True, slots=True)
class Spot:
    """A step and where it stands."""

    path: Path
    step: Step
    around: "tuple[Spot, ...]"
    """The steps that it is part of, the outermost first."""

    @property
    def block(self) -> Path:
        """Where the list stands that the step is in."""
        return self.path[:-1]


@dataclass(frozen=True)
class Subject:
    """A playbook under the linter's eye."""

    file: str
    playbook: Playbook
    document: Document
    report: Report
    actions: ActionSchemas
    served: Mapping[str, Playbook]
    """Every playbook of the catalogue, by name, for those that this one calls."""
    policy: Sequence[PolicyRule] = ()
    """The installation's rules over every planned step."""
    environment: str = ""
    """The installation's name for itself."""
    directory: Directory = NOBODY
    """Its people and groups; nobody where it names none."""
    channels: frozenset[str] = frozenset()
    """Its channels of notices; none where it names none."""

    @cached_property
    def spots(self) -> tuple[Spot, ...]:
        """Every step, in the order in which they are written."""
        return tuple(spots(self.playbook))

    @cached_property
    def callees(self) -> Mapping[str, Playbook]:
        """The playbooks that this one calls, and those that they call, by name."""
        return library_of(self.playbook, self.served)

    @cached_property
    def changes(self) -> bool:
        """Whether it may change anything, by itself or through what it calls."""
        return any(self.is_change(spot.step) for spot in self.spots)

    def action(self, step: Step) -> ActionSchema | None:
        """What is known of the action of a `uses` step."""
        return self.actions.get(step.uses) if isinstance(step, UsesStep) else None

    def is_change(self, step: Step) -> bool:
        """Whether the step itself changes something, or calls a playbook that does."""
        if isinstance(step, PlaybookStep):
            child = self.served.get(step.playbook)
            books = [child, *library_of(child, self.served).values()] if child else []
            return any(self.changing_action(spot.step) is not None for book in books for spot in spots(book))
        return self.changing_action(step) is not None

    def changing_action(self, step: Step) -> ActionSchema | None:
        """Give the action of a step that changes something by itself."""
        action = self.action(step)
        return action if action is not None and action.changes else None


def spots(playbook: Playbook) -> Iterator[Spot]:
    """Every step of a playbook, at any depth, in the order in which they are written."""
    yield from _spots(playbook.steps, ("steps",), ())
    yield from _spots(playbook.on_failure or (), ("on_failure",), ())
    yield from _spots(playbook.finally_ or (), ("finally",), ())


def _spots(steps: Sequence[Step], path: Path, around: tuple[Spot, ...]) -> Iterator[Spot]:
    for index, step in enumerate(steps):
        spot = Spot((*path, index), step, around)
        yield spot
        for place, block in inner_blocks(step):
            yield from _spots(block, (*spot.path, *place), (*around, spot))
        if not isinstance(step.on_failure, str):
            yield from _spots(step.on_failure, (*spot.path, "on_failure"), (*around, spot))


def inner_blocks(step: Step) -> Iterator[tuple[Path, Sequence[Step]]]:
    """The lists of steps that a step is made of, by their place in it; not what runs when it fails."""
    if isinstance(step, ParallelStep):
        for name, branch in step.parallel.items():
            yield ("parallel", name, "steps"), branch.steps
    elif isinstance(step, ForEachStep):
        yield ("for_each", "steps"), step.for_each.steps
    elif isinstance(step, SwitchStep):
        for index, case in enumerate(step.switch.cases):
            yield ("switch", "cases", index, "steps"), case.steps
        if step.switch.default is not None:
            yield ("switch", "default"), step.switch.default


def follows(first: Path, second: Path) -> bool:
    """Whether the second step comes after the first on the way that succeeds: not beside it, nor in another case."""
    for index, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            in_order = isinstance(one, int) and isinstance(other, int) and other > one and first[index - 1] != "cases"
            return in_order and "on_failure" not in second[index:]
    return False


def on_the_way(path: Path) -> bool:
    """Whether a step runs when all goes well, and not only after a failure or at the very end."""
    return path[0] == "steps" and "on_failure" not in path
