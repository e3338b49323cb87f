"""One playbook file: read strictly, checked as a whole, every problem at its place and all of them at once."""

from dataclasses import dataclass, field

from halon.contracts.playbook import Playbook
from halon.documents import Document, Problem, check, read
from halon.playbook.actions import ActionSchemas
from halon.playbook.checks import check_playbook
from halon.playbook.findings import Report


@dataclass(frozen=True, slots=True)
class LoadResult:
    """A playbook, or the problems why there is none. The document and what was seen in it are for the linter."""

    file: str
    playbook: Playbook | None
    problems: tuple[Problem, ...] = ()
    document: Document | None = field(default=None, repr=False)
    report: Report | None = field(default=None, repr=False)


def load(text: str | bytes, file: str, actions: ActionSchemas) -> LoadResult:
    """Load a playbook from the text of its file. `actions` are those that are installed. Raises nothing of its own."""
    document, problems = read(text, file)
    if document is None:
        return LoadResult(file, None, _ordered(problems))
    playbook, wrong = check(document, Playbook)
    report = check_playbook(document, actions)
    found = _ordered([*problems, *_not_following(problems, [*wrong, *report.problems])])
    return LoadResult(file, None if found else playbook, found, document, report)


def _not_following(unreadable: list[Problem], found: list[Problem]) -> list[Problem]:
    """Leave out what is only said of what stands in the place of a value that could not be read."""
    places = {(one.line, one.column) for one in unreadable}
    return [one for one in found if (one.line, one.column) not in places or one.code == "extra_forbidden"]


def _ordered(problems: list[Problem]) -> tuple[Problem, ...]:
    """By position, and one of several at the same place that say the same."""
    by_position = sorted(problems, key=lambda one: (one.line, one.column))
    unique = {(one.line, one.column, one.message): one for one in by_position}
    return tuple(unique.values())
