"""What an expression may name at each place of a playbook: the steps and values on every way that leads to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from halon.contracts.base import JsonObject

TRIGGER = frozenset({"alert", "metadata", "now"})
RESOLVE = frozenset({"alert", "incident", "metadata", "now", "run", "steps"})
INPUTS = RESOLVE | {"inputs"}
STEPS = INPUTS | {"target", "vars"}

FIELDS: dict[str, frozenset[str]] = {
    "metadata": frozenset({"name", "title", "owner", "description", "runbook", "labels"}),
    "incident": frozenset({"id", "alerts", "count"}),
    "run": frozenset({"incident", "dry_run", "started_by", "started_at"}),
    "failure": frozenset({"reason", "step", "kind", "outcome", "left"}),
    "steps.*": frozenset({"outcome", "output", "before", "after"}),
}
"""Fields of the names that are the same in every playbook."""


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What is known of a step when others refer to it."""

    kind: str
    action: str = ""
    output: JsonObject | None = None
    """Schema of its output, when that is known."""
    empty: bool = False
    """It never has an output."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Names at one place."""

    names: frozenset[str]
    locals: frozenset[str] = frozenset()
    """Names after `as` of the loops around."""
    steps: Mapping[str, StepFacts] = field(default_factory=dict[str, StepFacts])
    """Have been entered on every way here."""
    maybe: Mapping[str, StepFacts] = field(default_factory=dict[str, StepFacts])
    """Come before, but not on every way."""
    vars: frozenset[str] = frozenset()
    maybe_vars: frozenset[str] = frozenset()
    inputs: frozenset[str] | None = None
    """Inputs that have a value here; None when all that are declared have."""
    result: JsonObject | None = None
    """Schema of `result`, in `until`."""

    def knowing(self, *names: str) -> "Scope":
        """With more names."""
        return replace(self, names=self.names | set(names))

    def having(self, name: str | None, facts: StepFacts) -> "Scope":
        """With a step that has been entered."""
        return self if name is None else replace(self, steps={**self.steps, name: facts})

    def setting(self, name: str) -> "Scope":
        """With a value that has been set."""
        return replace(self, vars=self.vars | {name})

    def looping(self, name: str) -> "Scope":
        """Within a loop over `name`."""
        return replace(self, locals=self.locals | {name})

    def after(self, inner: "Scope", *, sure: bool) -> "Scope":
        """Behind a block that ended as `inner`; without `sure` it may not have run, or not to its end."""
        if sure:
            return replace(
                self,
                steps={**self.steps, **inner.steps},
                maybe={**self.maybe, **inner.maybe},
                vars=self.vars | inner.vars,
                maybe_vars=self.maybe_vars | inner.maybe_vars,
            )
        return replace(
            self,
            maybe={**self.maybe, **inner.maybe, **_without(inner.steps, self.steps)},
            maybe_vars=self.maybe_vars | inner.maybe_vars | (inner.vars - self.vars),
        )

    def doubtful(self, since: "Scope") -> "Scope":
        """With all that came after `since` in doubt: for what runs after a failure, wherever that was."""
        return since.after(self, sure=False)


def _without(steps: Mapping[str, StepFacts], others: Iterable[str]) -> dict[str, StepFacts]:
    known = set(others)
    return {name: facts for name, facts in steps.items() if name not in known}
