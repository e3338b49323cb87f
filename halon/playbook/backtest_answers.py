"""What actions answer in a back-test: what the caller gives, otherwise what the playbook's own tests do."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from halon.contracts.alert import Alert
from halon.contracts.base import Json, JsonObject, is_object
from halon.contracts.playbook import Playbook, PlaybookTest
from halon.core.expressions import EvaluationError, render
from halon.core.library import library_of
from halon.core.scope import trigger_scope
from halon.documents import Document, Problem
from halon.errors import InvalidInput
from halon.playbook.actions import ActionSchemas
from halon.playbook.given import Scripts, read_scripts
from halon.playbook.places import Places

_MAX_KEPT = 10_000
"""Scripts that are kept, instead of being made again for each run."""


class Answers:
    """The scripts of every playbook, made once for each alert's name."""

    def __init__(self, playbooks: Mapping[str, Playbook], actions: ActionSchemas, given: Document | None) -> None:
        """Check what the caller gives.

        Raises:
            InvalidInput: it is wrong; `problems` says where.
        """
        self._playbooks = playbooks
        self._changing = [one.name for one in actions.values() if one.changes]
        self._given: dict[str, JsonObject] = {}
        """By playbook; empty for all."""
        self._scripts: dict[tuple[str, str, tuple[tuple[str, str], ...]], tuple[Scripts, str]] = {}
        self._places: dict[str, Places] = {}
        if given is not None:
            self._check(given, actions)

    def of(self, book: Playbook, alert: Alert, now: datetime) -> tuple[Scripts, str]:
        """Give the answers for a run about an alert, and whose they are, in words.

        A test's answer that is the value of a label of the test's alert is taken to mean that label: the real alert's
        value stands for it. What the caller gives may hold expressions about the alert.

        Raises:
            InvalidInput: an expression has no value for this alert, or not one that the action may answer.
        """
        name = book.metadata.name
        mine = {**self._given.get("", {}), **self._given.get(name, {})}
        test = _test_for(self._playbooks[name], alert.name)
        meant = _meant(test.alert.labels, alert.labels) if test and test.alert else {}
        key = (name, test.name if test else "", tuple(sorted(meant.items())))
        timeless = not any(map(_has_expression, mine.values()))
        known = self._scripts.get(key) if timeless else None
        if known is not None:
            return known
        theirs = {action: _carried(value, meant) for action, value in test.given.items()} if test else {}
        scope = trigger_scope(book.metadata, alert, now)
        try:
            own = {action: render(value, scope) for action, value in mine.items()}
        except EvaluationError as error:
            raise InvalidInput(f"the answers for {name} have no value for alert {alert.name}: {error}") from error
        given = {**theirs, **own}
        scripts, wrong = read_scripts(given, self._changing, Document("answers", "", given, None), ())
        if wrong:
            raise InvalidInput(
                f"the answers for {name} are wrong for alert {alert.name}", [one.message for one in wrong]
            )
        source = "--answers" if mine else f"test '{test.name}'" if test else "nobody"
        if timeless and len(self._scripts) < _MAX_KEPT:
            self._scripts[key] = scripts, source
        return scripts, source

    def ignores(self, book: Playbook, path: str) -> bool:
        """Whether nothing looks at what the read at this path answers."""
        name = book.metadata.name
        if name not in self._places:
            self._places[name] = Places(book, library_of(book, self._playbooks))
        return self._places[name].ignores(path)

    def _check(self, given: Document, actions: ActionSchemas) -> None:
        value: Any = given.value
        problems: list[Problem] = []
        if value is not None and not is_object(value):
            problems.append(_problem(given, (), "expected a map of actions, or of playbooks, to what actions answer"))
            value = {}
        for key, inner in (value or {}).items():
            if "." in key:
                self._given.setdefault("", {})[key] = inner
            elif key not in self._playbooks or not is_object(inner):
                message = f"`{key}` is neither an action nor a playbook with a map of them"
                problems.append(_problem(given, (key,), message))
            else:
                self._given[key] = inner
        for owner, answers in self._given.items():
            where = (owner,) if owner else ()
            fixed = {action: value for action, value in answers.items() if not _has_expression(value)}
            _, wrong = read_scripts(fixed, self._changing, given, where)
            problems += wrong
            for text in answers:
                if text.partition("@")[0] not in actions:
                    problems.append(_problem(given, (*where, text), f"there is no action {text.partition('@')[0]}"))
        if problems:
            raise InvalidInput(f"{given.file} cannot be used", [str(one) for one in problems])


def _test_for(book: Playbook, alert: str) -> PlaybookTest | None:
    """The test whose answers are taken: the first of this alert that gives any, otherwise the first that does."""
    giving = [test for test in book.tests if test.given and test.alert is not None]
    same = [test for test in giving if test.alert is not None and test.alert.name == alert]
    return next(iter([*same, *giving]), None)


def _meant(test: Mapping[str, str], real: Mapping[str, str]) -> dict[str, str]:
    """What the values of a test's labels become for a real alert; of two labels with one value the first counts."""
    found: dict[str, str] = {}
    for label, value in sorted(test.items()):
        if value and label in real:
            found.setdefault(value, real[label])
    return found


def _carried(value: Json, meant: Mapping[str, str]) -> Json:
    if isinstance(value, str):
        return meant.get(value, value)
    if isinstance(value, list):
        return [_carried(inner, meant) for inner in value]
    if isinstance(value, dict):
        return {key: _carried(inner, meant) for key, inner in value.items()}
    return value


def _has_expression(value: Json) -> bool:
    if isinstance(value, str):
        return "${{" in value
    if isinstance(value, list):
        return any(map(_has_expression, value))
    return isinstance(value, dict) and any(map(_has_expression, value.values()))


def _problem(document: Document, path: tuple[str, ...], message: str) -> Problem:
    where = document.key_position(path)
    return Problem(document.file, where.line, where.column, message, "answers")
