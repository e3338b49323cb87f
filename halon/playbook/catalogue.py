"""All playbooks of an installation: the valid ones by name, and the problems of the others, which are not served."""

import gc
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from halon.contracts.base import Json
from halon.contracts.playbook import Playbook
from halon.core.library import called_playbooks
from halon.documents import Problem, nearest
from halon.documents.document import Path as DocumentPath
from halon.documents.parsing import MAX_BYTES
from halon.errors import NotFound
from halon.playbook.actions import ActionSchemas
from halon.playbook.findings import StepSite
from halon.playbook.loader import LoadResult, load

MAX_FILES = 10_000
MAX_DEPTH = 5
"""Playbooks within playbooks."""
_SUFFIXES = {".yaml", ".yml"}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What could be loaded. A name that two files claim is served by neither."""

    playbooks: Mapping[str, Playbook]
    files: Mapping[str, str]
    """File of each playbook that is served, by name."""
    problems: tuple[Problem, ...]
    results: tuple[LoadResult, ...] = field(default=(), repr=False)
    """Every file that was read, for the linter."""


def load_catalogue(paths: Sequence[Path], actions: ActionSchemas) -> Catalogue:
    """Load every playbook below the directories, or the files, in `paths`.

    Raises:
        NotFound: one of the paths does not exist.
    """
    with _collector_paused():
        return assemble(*_read(paths, actions))


def _read(paths: Sequence[Path], actions: ActionSchemas) -> tuple[list[LoadResult], list[Problem]]:
    results: list[LoadResult] = []
    problems: list[Problem] = []
    for file in playbook_files(paths):
        if len(results) >= MAX_FILES:
            problems.append(
                Problem(str(file), 1, 1, f"more than {MAX_FILES} playbooks: the rest is not read", "too_many")
            )
            break
        try:
            with file.open("rb") as opened:
                text = opened.read(MAX_BYTES + 1)
        except OSError as error:
            problems.append(Problem(str(file), 1, 1, f"cannot be read: {error.strerror}", "unreadable"))
            continue
        results.append(load(text, str(file), actions))
    return results, problems


@contextmanager
def _collector_paused() -> Generator[None]:
    """Keep Python's cycle collector from walking over the same nodes again and again: more than half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def assemble(results: Sequence[LoadResult], problems: Sequence[Problem] = ()) -> Catalogue:
    """Make a catalogue of files that were loaded: checks what one file alone cannot show."""
    found = [*problems, *(problem for result in results for problem in result.problems)]
    served: dict[str, LoadResult] = {}
    claimed: dict[str, list[LoadResult]] = {}
    for result in results:
        name = _claimed_name(result)
        if name:
            claimed.setdefault(name, []).append(result)
    for name, claims in claimed.items():
        if len(claims) == 1:
            if claims[0].playbook is not None:
                served[name] = claims[0]
            continue
        for claim in claims:
            others = ", ".join(one.file for one in claims if one is not claim)
            message = f"the name `{name}` is taken by {others} too, so none of them is served"
            found.append(_problem(claim, ("metadata", "name"), message, "duplicate_name"))
    names = frozenset(claimed)
    while True:
        wrong = [problem for result in served.values() for problem in _calls(result, served, names)]
        if not wrong:
            break
        found.extend(wrong)
        broken = {problem.file for problem in wrong}
        served = {name: result for name, result in served.items() if result.file not in broken}
    return Catalogue(
        playbooks={name: result.playbook for name, result in sorted(served.items()) if result.playbook is not None},
        files={name: result.file for name, result in sorted(served.items())},
        problems=tuple(sorted(found, key=lambda one: (one.file, one.line, one.column))),
        results=tuple(results),
    )


def playbook_files(paths: Sequence[Path]) -> Iterator[Path]:
    """Give the files that are named, and the `*.yaml` and `*.yml` below the directories that are named, in order.

    A link is followed only to what lies below the same directory, as in a mounted ConfigMap; hidden entries are left
    out.

    Raises:
        NotFound: one of the paths does not exist.
    """
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise NotFound(f"there is no file or directory {path}")
        for file in _below(path) if path.is_dir() else [path]:
            real = file.resolve()
            if real not in seen:
                seen.add(real)
                yield file


def _below(directory: Path) -> Iterator[Path]:
    root = directory.resolve()
    for folder, folders, files in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = Path(folder, name)
            if name.startswith(".") or file.suffix not in _SUFFIXES:
                continue
            if file.resolve().is_relative_to(root) and file.is_file():
                yield file


def _claimed_name(result: LoadResult) -> str:
    if result.playbook is not None:
        return result.playbook.metadata.name
    name = _value(result, ("metadata", "name"))
    return name if isinstance(name, str) else ""


def _calls(result: LoadResult, served: Mapping[str, LoadResult], names: frozenset[str]) -> Iterator[Problem]:
    """What is wrong with the playbooks that one calls."""
    for site in result.report.steps if result.report else ():
        if site.kind != "playbook":
            continue
        name = _value(result, (*site.path, "playbook"))
        child = served.get(name) if isinstance(name, str) else None
        if child is None or child.playbook is None:
            known = "is there but cannot be used" if name in names else f"is not installed{nearest(str(name), served)}"
            yield _problem(result, (*site.path, "playbook"), f"playbook `{name}` {known}", "unknown_playbook")
            continue
        depth = _depth(child.playbook, served, 1)
        if depth > MAX_DEPTH:
            message = f"playbooks that call each other, or are nested more than {MAX_DEPTH} deep"
            yield _problem(result, (*site.path, "playbook"), message, "nested_playbooks")
        yield from _given(result, site, child.playbook)


def _given(result: LoadResult, site: StepSite, child: Playbook) -> Iterator[Problem]:
    inputs = _value(result, (*site.path, "inputs"))
    given = inputs if isinstance(inputs, dict) else {}
    for name in given:
        if name not in child.inputs:
            message = f"playbook `{child.metadata.name}` has no input `{name}`{nearest(name, child.inputs)}"
            yield _problem(result, (*site.path, "inputs", name), message, "unknown_input", key=True)
    for name, declared in child.inputs.items():
        if name not in given and declared.required and declared.default is None:
            message = f"playbook `{child.metadata.name}` needs an input `{name}`"
            yield _problem(result, (*site.path, "playbook"), message, "missing_input")


def _depth(playbook: Playbook, served: Mapping[str, LoadResult], depth: int) -> int:
    if depth > MAX_DEPTH:
        return depth
    deepest = depth
    for name in sorted(called_playbooks(playbook)):
        child = served.get(name)
        if child is not None and child.playbook is not None:
            deepest = max(deepest, _depth(child.playbook, served, depth + 1))
            if deepest > MAX_DEPTH:
                break
    return deepest


def _value(result: LoadResult, path: DocumentPath) -> Json:
    value: Json = result.document.value if result.document else None
    for part in path:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
        else:
            return None
    return value


def _problem(result: LoadResult, path: DocumentPath, message: str, code: str, *, key: bool = False) -> Problem:
    if result.document is None:
        return Problem(result.file, 1, 1, message, code)
    where = result.document.key_position(path) if key else result.document.position(path)
    return Problem(result.file, where.line, where.column, message, code)
