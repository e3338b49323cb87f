"""Prometheus rule files: which alerts there are and which labels they are sure to carry, each at its place.

Read are plain rule files, custom resources that hold `spec.groups` (PrometheusRule, VMRule), lists of those, several
documents in one file, and what Prometheus' own `/api/v1/rules` answers. PromQL is not looked into: which labels an
expression leaves on its alerts is known to Prometheus alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from halon.contracts.base import is_list, is_object
from halon.documents import Document, Limits, Position, Problem, read_stream
from halon.documents.document import Path as Place
from halon.playbook.catalogue import playbook_files

LIMITS = Limits(bytes=16 * 1024 * 1024, nodes=1_000_000, documents=10_000)
MAX_FILES = 10_000
MAX_RULES = 50_000
MAX_PROBLEMS = 200

_RULES_WITHIN = re.compile(rb"\b(?:alert|record)\b")
"""What a file must say somewhere to be a rule file: others in a directory are not read any further."""
_TEMPLATE = "{{"
_BEGINNING = Position(1, 1)


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alert that a rule may fire."""

    name: str
    labels: Mapping[str, str]
    """Labels that every alert of the rule carries with this value, its group's included."""
    varying: frozenset[str]
    """Labels that the rule sets from a template: they are there, with values that are known only later."""
    group: str
    file: str
    line: int

    @property
    def severity(self) -> str:
        """What the rule's label says; empty without one."""
        return "varies" if "severity" in self.varying else self.labels.get("severity", "")

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class RuleFiles:
    """The alerts in rule files, and what could not be read."""

    rules: list[AlertRule] = field(default_factory=list[AlertRule])
    problems: list[Problem] = field(default_factory=list[Problem])
    files: int = 0
    """Files that hold rules."""


def read_rule_files(paths: Sequence[Path]) -> RuleFiles:
    """Read the files that are named, and those below the directories that are named.

    A file that is named must hold rules; in a directory there may be others, which are left out.

    Raises:
        NotFound: one of the paths does not exist.
    """
    found = RuleFiles()
    named = {path.resolve() for path in paths if not path.is_dir()}
    for number, file in enumerate(playbook_files(paths)):
        if number >= MAX_FILES:
            _note(found, str(file), _BEGINNING, f"more than {MAX_FILES} files: the rest is not read")
            break
        text = _text(file, found)
        if text is None or (file.resolve() not in named and _RULES_WITHIN.search(text) is None):
            continue
        reader = _Reader(found, str(file))
        reader.read(text)
        found.files += reader.lists > 0
        if not reader.lists and not reader.wrong and file.resolve() in named:
            _note(found, str(file), _BEGINNING, "holds no `groups` of rules: expected a rule file or a PrometheusRule")
        if len(found.rules) >= MAX_RULES:
            _note(found, str(file), _BEGINNING, f"more than {MAX_RULES} alerts: the rest is not read")
            break
    return found


def _text(file: Path, found: RuleFiles) -> bytes | None:
    try:
        with file.open("rb") as opened:
            return opened.read(LIMITS.bytes + 1)
    except OSError as error:
        _note(found, str(file), _BEGINNING, f"cannot be read: {error.strerror}")
        return None


class _Reader:
    """Reads one file."""

    def __init__(self, found: RuleFiles, file: str) -> None:
        self._found = found
        self._file = file
        self._document: Document | None = None
        self.lists = 0
        """Lists of groups that were found."""
        self.wrong = 0

    def read(self, text: bytes) -> None:
        documents, problems = read_stream(text, self._file, LIMITS)
        self.wrong += len(problems)
        self._found.problems += problems[: max(0, MAX_PROBLEMS - len(self._found.problems))]
        for document in documents:
            self._document = document
            for groups, path in _groups_in(document.value, ()):
                self.lists += 1
                self._read_groups(groups, path)

    def _read_groups(self, groups: Any, path: Place) -> None:
        if not is_list(groups):
            self._wrong(path, "`groups` must be a list of groups of rules")
            return
        for number, group in enumerate(groups):
            if not is_object(group):
                self._wrong((*path, number), "a group must have a `name` and `rules`")
                continue
            labels = self._labels(group.get("labels"), (*path, number, "labels"))
            rules = group.get("rules")
            if not is_list(rules):
                if rules is not None:
                    self._wrong((*path, number, "rules"), "`rules` must be a list of rules")
                continue
            for index, rule in enumerate(rules):
                self._read_rule(rule, (*path, number, "rules", index), str(group.get("name", "")), labels)

    def _read_rule(self, rule: Any, path: Place, group: str, inherited: Mapping[str, str]) -> None:
        if not is_object(rule):
            self._wrong(path, "a rule must have `alert` or `record`, and `expr`")
            return
        name = rule.get("alert")
        if name is None and rule.get("type") == "alerting":  # as Prometheus' API tells of it
            name = rule.get("name")
        if name is None:
            if "record" not in rule and rule.get("type") != "recording":
                self._wrong(path, "a rule must have `alert` or `record`")
            return
        if not isinstance(name, str) or not name:
            self._wrong((*path, "alert"), "`alert` must be the name of an alert")
            return
        labels = {**inherited, **self._labels(rule.get("labels"), (*path, "labels"))}
        if len(self._found.rules) < MAX_RULES:
            self._found.rules.append(
                AlertRule(
                    name=name,
                    labels={key: value for key, value in labels.items() if _TEMPLATE not in value},
                    varying=frozenset(key for key, value in labels.items() if _TEMPLATE in value),
                    group=group,
                    file=self._file,
                    line=self._at(path).line,
                )
            )

    def _labels(self, given: Any, path: Place) -> dict[str, str]:
        if given is None:
            return {}
        if not is_object(given):
            self._wrong(path, "`labels` must map names to values")
            return {}
        labels: dict[str, str] = {}
        for name, value in given.items():
            if isinstance(value, str):
                labels[name] = value
            elif isinstance(value, bool | int | float):  # to Prometheus it is text, quoted or not
                labels[name] = str(value).lower()
            else:
                self._wrong((*path, name), f"the label `{name}` must be text")
        return labels

    def _wrong(self, path: Place, message: str) -> None:
        self.wrong += 1
        _note(self._found, self._file, self._at(path), message)

    def _at(self, path: Place) -> Position:
        return self._document.position(path) if self._document else _BEGINNING


def _groups_in(value: Any, path: Place) -> Iterator[tuple[Any, Place]]:
    """The lists of groups in a document, of whichever form, with their places."""
    if not is_object(value):
        return
    spec, data, items = value.get("spec"), value.get("data"), value.get("items")
    if "groups" in value:
        yield value["groups"], (*path, "groups")
    elif is_object(spec) and "groups" in spec and "kind" in value:
        yield spec["groups"], (*path, "spec", "groups")
    elif is_object(data) and "groups" in data and "status" in value:
        yield data["groups"], (*path, "data", "groups")
    elif is_list(items) and not path and str(value.get("kind", "")).endswith("List"):
        for number, item in enumerate(items):
            yield from _groups_in(item, (*path, "items", number))


def _note(found: RuleFiles, file: str, where: Position, message: str) -> None:
    if len(found.problems) < MAX_PROBLEMS:
        found.problems.append(Problem(file, where.line, where.column, message, "rules"))
