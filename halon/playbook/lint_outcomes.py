"""Words that `steps.<id>.outcome` is held against: whether such a step can end with them at all."""

from collections.abc import Iterator, Sequence
from typing import get_args

from halon.contracts.outcome import Outcome
from halon.core.frame import FailureKind
from halon.core.references import comparisons
from halon.playbook.findings import StepSite
from halon.playbook.lint_rules import Remark
from halon.playbook.lint_steps import Subject

_ENDS: dict[str, tuple[str, ...]] = {
    "approve": ("approved",),
    "playbook": ("done", *Outcome),
    "verify": ("verified",),
    "wait": ("done", "verified"),
}
"""How the kinds end whose success is not just `done`."""
_CHANGE = ("applied", "unnecessary", "planned")
_PARTS = 3
"""Of `steps.<id>.outcome`."""


def unknown_outcome(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    """Find comparisons with a word that the step never ends with, which hold always or never."""
    sites = {site.id: site for site in subject.report.steps if site.id}
    for site in subject.report.sites:
        for path, word, offset in comparisons(site.expression.tree):
            if len(path) != _PARTS or path[0] != "steps" or path[2] != "outcome":
                continue
            ends = _ends(sites.get(path[1]), subject)
            if word and word not in {*ends, "skipped", *get_args(FailureKind)}:
                listed = ", ".join(f"`{end}`" for end in (*ends, "skipped"))
                message = f"step `{path[1]}` never ends as `{word}`, but as {listed}, or as it failed, such as `failed`"
                yield Remark(site.path, message, site.offset + offset)


def _ends(step: StepSite | None, subject: Subject) -> tuple[str, ...]:
    if step is None:  # a step of `resolve`, which reads
        return ("done",)
    action = subject.actions.get(step.action)
    changes = step.kind == "uses" and action is not None and action.changes
    return _CHANGE if changes else _ENDS.get(step.kind, ("done",))
