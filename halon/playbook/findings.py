"""Where problems of one playbook are collected, by the path of what they are about."""

from dataclasses import dataclass, field

from halon.core.expressions import Expression
from halon.documents import Document, Problem
from halon.documents.document import Path

MAX_PROBLEMS = 200


@dataclass(frozen=True, slots=True)
class Site:
    """One expression in a playbook."""

    path: Path
    offset: int
    """Where its source begins in the text at `path`."""
    expression: Expression


@dataclass(frozen=True, slots=True)
class StepSite:
    """One step, wherever it stands."""

    path: Path
    """Of the step; what it is part of has the path's beginnings."""
    kind: str
    id: str
    action: str = ""
    """Of `uses` and `verify`."""


@dataclass(slots=True)
class Report:
    """Problems, and what was seen on the way, which the linter's rules look at."""

    document: Document
    problems: list[Problem] = field(default_factory=list[Problem])
    sites: list[Site] = field(default_factory=list[Site])
    steps: list[StepSite] = field(default_factory=list[StepSite])
    seen: set[Path] = field(default_factory=set[Path])
    """Texts whose expressions are filled in."""

    def add(self, path: Path, message: str, code: str, *, key: bool = False, offset: int | None = None) -> None:
        """Note a problem with the value at `path`, with its key, or with one place in its text."""
        if len(self.problems) >= MAX_PROBLEMS:
            return
        if offset is not None:
            where = self.document.locate(path, offset)
        else:
            where = self.document.key_position(path) if key else self.document.position(path)
        self.problems.append(Problem(self.document.file, where.line, where.column, message, code))
