"""Findings of the linter as text for people, JSON for programs, and commands that annotate a pull request."""

import json
from collections.abc import Sequence

from halon.playbook.lint import Finding
from halon.playbook.lint_rules import Severity


def as_text(findings: Sequence[Finding]) -> str:
    """Give a line for each finding, each rule's reason where it is first met, and the count."""
    lines: list[str] = []
    told: set[str] = set()
    for one in findings:
        lines.append(f"{one.file}:{one.line}:{one.column}: {one.severity}: {one.message} [{one.rule}]")
        if one.why and one.rule not in told:
            told.add(one.rule)
            lines.append(f"    {one.why}")
    return "\n".join([*lines, _summary(findings)]) + "\n"


def as_json(findings: Sequence[Finding]) -> str:
    """Give one JSON object: `findings` in order, and how many errors and warnings there are."""
    report = {
        "findings": [
            {
                "file": one.file,
                "line": one.line,
                "column": one.column,
                "severity": one.severity.value,
                "rule": one.rule,
                "message": one.message,
                "why": one.why,
            }
            for one in findings
        ],
        "errors": _count(findings, Severity.ERROR),
        "warnings": _count(findings, Severity.WARNING),
    }
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def as_github(findings: Sequence[Finding]) -> str:
    """Give a workflow command of GitHub Actions for each finding: it shows them beside the lines of a pull request."""
    return "".join(f"{_command(one)}\n" for one in findings)


def _command(finding: Finding) -> str:
    properties = {
        "file": finding.file,
        "line": str(finding.line),
        "col": str(finding.column),
        "title": f"halon lint: {finding.rule}",
    }
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    message = f"{finding.message}\n{finding.why}" if finding.why else finding.message
    return f"::{finding.severity} {written}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _summary(findings: Sequence[Finding]) -> str:
    if not findings:
        return "no findings"
    counts = ((_count(findings, one), one.value) for one in (Severity.ERROR, Severity.WARNING))
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts)


def _count(findings: Sequence[Finding], severity: Severity) -> int:
    return sum(one.severity is severity for one in findings)
