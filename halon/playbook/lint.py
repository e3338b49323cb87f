"""`halon lint`: what is wrong with playbooks, and what is not wrong but asks for a second look, at its place.

Problems of loading are errors that cannot be waived. A finding of a rule is waived in place, with a reason, by a
comment at the end of its line or above it, or by one at the step or the field that it is in:

    # halon: allow destroy-without-approval: the volume is scratch space and comes back empty
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from halon.contracts.policy import PolicyRule
from halon.core.directory import NOBODY, Directory
from halon.documents import Document, Problem, nearest
from halon.documents.document import Path
from halon.playbook.actions import ActionSchemas
from halon.playbook.catalogue import Catalogue
from halon.playbook.lint_inputs import wrong_input
from halon.playbook.lint_outcomes import unknown_outcome
from halon.playbook.lint_policy import against_policy
from halon.playbook.lint_recipients import unknown_recipient
from halon.playbook.lint_rules import RULES as OWN_RULES
from halon.playbook.lint_rules import Remark, Rule, Severity
from halon.playbook.lint_steps import Subject

RULES = (
    *OWN_RULES,
    Rule(
        "unknown-outcome",
        Severity.ERROR,
        "A condition on a word that never comes is always true or always false, and looks as if it were not.",
        unknown_outcome,
    ),
    Rule(
        "wrong-input",
        Severity.ERROR,
        "A default that its input does not take fails every run that relies on it, before it has looked at anything.",
        wrong_input,
    ),
    Rule(
        "unknown-recipient",
        Severity.WARNING,
        "Whom the installation does not know is neither asked nor told, and that is found out at night.",
        unknown_recipient,
    ),
    Rule(
        "policy",
        Severity.ERROR,
        "The installation's policy holds for every playbook, and a run that it denies is found out at night.",
        against_policy,
    ),
)
BAD_WAIVER = "bad-waiver"
UNUSED_WAIVER = "unused-waiver"
WAIVER_RULES = {
    BAD_WAIVER: "A waiver is a decision, and whoever reads it later needs to know which and why.",
    UNUSED_WAIVER: "A waiver that waives nothing will hide the next finding at its place.",
}
"""The rules about waivers themselves, which cannot be waived; and why."""

_MARK = re.compile(r"halon\s*:\s*(.*)")
_ALLOW = re.compile(r"allow\s+([a-z0-9-]+(?:\s*,\s*[a-z0-9-]+)*)\s*(?::\s*(.*))?")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something at a place in a file. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    rule: str
    """Id of the rule, or the code of a problem of loading."""
    message: str
    severity: Severity = Severity.ERROR
    why: str = ""
    """Why there is such a rule; empty for problems of loading."""


@dataclass(slots=True)
class _Waiver:
    line: int
    column: int
    covers: int
    """The line that it speaks of."""
    rule: str
    used: bool = field(default=False)


def lint(
    catalogue: Catalogue,
    actions: ActionSchemas,
    policy: Sequence[PolicyRule] = (),
    environment: str = "",
    directory: Directory = NOBODY,
    channels: Iterable[str] = (),
) -> list[Finding]:
    """Give everything there is to say of a catalogue, by file and place.

    `actions` are those that are installed; `policy`, `environment`, `directory` (its people) and `channels` (of
    notices) are the installation's.
    """
    known = frozenset(channels)
    found = [_of_problem(problem) for problem in catalogue.problems]
    subjects: list[Subject] = []
    for result in catalogue.results:
        if result.playbook is not None and result.document is not None and result.report is not None:
            book, document, report = result.playbook, result.document, result.report
            served = catalogue.playbooks
            subjects.append(
                Subject(result.file, book, document, report, actions, served, policy, environment, directory, known)
            )
        elif result.document is not None:
            found.extend(_waivers(result.document)[1])
    for subject in subjects:
        found.extend(_of_subject(subject, subjects))
    return sorted(found)


def exit_code(findings: Sequence[Finding], *, strict: bool = False) -> int:
    """Give 1 when there is an error, or with `strict` anything at all, otherwise 0."""
    return int(any(strict or finding.severity is Severity.ERROR for finding in findings))


def _of_problem(problem: Problem) -> Finding:
    return Finding(problem.file, problem.line, problem.column, problem.code, problem.message)


def _of_subject(subject: Subject, others: Sequence[Subject]) -> Iterator[Finding]:
    waivers, bad = _waivers(subject.document)
    yield from bad
    for rule in RULES:
        for remark in rule.check(subject, others):
            finding = _finding(subject, rule, remark)
            lines = {finding.line, *_lines_around(subject.document, remark.path)}
            waiving = [waiver for waiver in waivers if waiver.rule == rule.id and waiver.covers in lines]
            for waiver in waiving:
                waiver.used = True
            if not waiving:
                yield finding
    for waiver in waivers:
        if not waiver.used:
            message = f"nothing here is against {waiver.rule}: remove the waiver"
            why = WAIVER_RULES[UNUSED_WAIVER]
            yield Finding(subject.file, waiver.line, waiver.column, UNUSED_WAIVER, message, Severity.WARNING, why)


def _finding(subject: Subject, rule: Rule, remark: Remark) -> Finding:
    document = subject.document
    path, offset = remark.path, remark.offset
    where = document.position(path) if offset is None else document.locate(path, offset)
    return Finding(subject.file, where.line, where.column, rule.id, remark.message, rule.severity, rule.why)


def _lines_around(document: Document, path: Path) -> Iterator[int]:
    """Where the step and the fields begin that a place is in; not the sections of the playbook, which are too much."""
    for length in range(2, len(path) + 1):
        yield document.key_position(path[:length]).line


def _waivers(document: Document) -> tuple[list[_Waiver], list[Finding]]:
    """The waivers of a file, and what is wrong with the others."""
    waivers: list[_Waiver] = []
    bad: list[Finding] = []
    lines = document.text.split("\n")
    known = [rule.id for rule in RULES]
    for comment in document.comments():
        mark = _MARK.fullmatch(comment.text)
        if mark is None:
            continue
        line, column = comment.position.line, comment.position.column
        allow = _ALLOW.fullmatch(mark[1])
        wrong = "write `# halon: allow RULE: the reason`"
        if allow is not None:
            rules = re.split(r"\s*,\s*", allow[1])
            strange = [rule for rule in rules if rule not in known]
            wrong = f"there is no rule `{strange[0]}`{nearest(strange[0], known)}" if strange else ""
            if not (allow[2] or "").strip():
                wrong = wrong or f"a waiver needs a reason: `# halon: allow {allow[1]}: the reason`"
            if not wrong:
                waivers.extend(_Waiver(line, column, _covered(lines, line, column), rule) for rule in rules)
        if wrong:
            bad.append(Finding(document.file, line, column, BAD_WAIVER, wrong, why=WAIVER_RULES[BAD_WAIVER]))
    return waivers, bad


def _covered(lines: Sequence[str], line: int, column: int) -> int:
    """The line of a comment that stands behind something, otherwise the next line that is more than a comment."""
    if lines[line - 1][: column - 1].strip():
        return line
    below = range(line, len(lines))
    return next((index + 1 for index in below if lines[index].split("#", 1)[0].strip()), line)
