"""Where the steps of a playbook stand, so that a test that names a step that does not exist is told so."""

import re
from collections.abc import Iterator, Mapping, Sequence

from halon.contracts.base import Json
from halon.contracts.playbook import Playbook
from halon.contracts.steps import ForEachStep, ParallelStep, PlaybookStep, Step, SwitchStep, UsesStep, VerifyStep
from halon.core.kinds import MAX_DEPTH
from halon.core.steps import step_path
from halon.documents import nearest

_INDEX = re.compile(r"\[\d+\]")
_REFERENCE = re.compile(r"\bsteps\s*(?:\.\s*\??(\w+)|\[)")


class Places:
    """The steps of a playbook and of those that it calls, by path; `drain[].evict` stands for every item of a loop."""

    def __init__(self, book: Playbook, library: Mapping[str, Playbook]) -> None:
        self._library = library
        self._referenced = _referenced([book, *library.values()])
        self.actions: set[str] = set()
        """Names of the actions that are used."""
        self.ignored: set[str] = set()
        """Paths of reads whose output no expression uses, so that what they answer changes nothing."""
        self.steps: dict[str, Step] = {}
        """Each step by its path; those of `resolve` are none."""
        self.paths = dict.fromkeys(self._of_book(book, "", 0))

    def has(self, path: str) -> bool:
        """Whether a step stands at this path, such as `drain[2].evict`."""
        return _INDEX.sub("[]", path) in self.paths

    def ignores(self, path: str) -> bool:
        """Whether nothing looks at what the step at this path answers."""
        return _INDEX.sub("[]", path) in self.ignored

    def knows(self, name: str) -> bool:
        """Whether `name` is a path, or the last name of one."""
        return self.has(name) or any(path.rpartition(".")[2] == name for path in self.paths)

    def hint(self, name: str) -> str:
        """What was meant by a path that is none: the path of the step of this name, or what is near."""
        found = [path for path in self.paths if path.rpartition(".")[2] == name]
        return f"; its path is `{found[0]}`" if found else nearest(name, self.paths)

    def _use(self, action: str, name: str | None, path: str) -> None:
        self.actions.add(action)
        if self._referenced is not None and (name is None or name not in self._referenced):
            self.ignored.add(path)

    def _of_book(self, book: Playbook, prefix: str, depth: int) -> Iterator[str]:
        if depth > MAX_DEPTH:
            return
        for one in book.resolve:
            self._use(one.uses, one.id, one.id)
            yield one.id
        yield from self._of_steps(book.steps, prefix, depth)
        for name, steps in (("on_failure", book.on_failure), ("finally", book.finally_)):
            yield from self._of_steps(steps or (), f"{prefix}.{name}" if prefix else name, depth)

    def _of_steps(self, steps: Sequence[Step], prefix: str, depth: int) -> Iterator[str]:
        for index, step in enumerate(steps):
            path = step_path(step, index, prefix)
            self.steps[path] = step
            yield path
            yield from self._within(step, path, depth)
            if not isinstance(step.on_failure, str):
                yield from self._of_steps(step.on_failure, f"{path}.on_failure", depth)
            if isinstance(step.undo, UsesStep):
                self.actions.add(step.undo.uses)

    def _within(self, step: Step, path: str, depth: int) -> Iterator[str]:
        if isinstance(step, UsesStep):
            self._use(step.uses, step.id, path)
        elif isinstance(step, VerifyStep):
            self.actions.add(step.verify.uses)
        elif isinstance(step, ParallelStep):
            for name, branch in step.parallel.items():
                yield from self._of_steps(branch.steps, f"{path}.{name}", depth)
        elif isinstance(step, ForEachStep):
            yield from self._of_steps(step.for_each.steps, f"{path}[]", depth)
        elif isinstance(step, SwitchStep):
            for case in step.switch.cases:
                yield from self._of_steps(case.steps, path, depth)
            yield from self._of_steps(step.switch.default or (), path, depth)
        elif isinstance(step, PlaybookStep) and step.playbook in self._library:
            yield from self._of_book(self._library[step.playbook], path, depth + 1)


def _referenced(books: Sequence[Playbook]) -> set[str] | None:
    """Names of the steps that expressions look at. None when one looks by a name that is only known at run time."""
    found = [
        match
        for book in books
        for text in _texts(book.model_dump(mode="json", by_alias=True, exclude={"tests"}))
        for match in _REFERENCE.finditer(text)
    ]
    names = {match[1] for match in found}
    return None if None in names else names


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
