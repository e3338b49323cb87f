"""Rates and budgets: how often within a sliding window. Pure; the ledger keeps the entries."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from halon.contracts.base import format_duration
from halon.contracts.ledger import AdmissionRequest, Use, Uses


class UseTable:
    """Entries by name, each with its time and its run."""

    def __init__(self, table: Mapping[str, Uses]) -> None:
        self.table = dict(table)

    @property
    def size(self) -> int:
        """Entries under all names."""
        return sum(len(one.entries) for one in self.table.values())

    def within(self, name: str, per: timedelta, now: datetime) -> list[Use]:
        """Give the entries of the window that ends now, oldest first."""
        uses = self.table.get(name)
        return [one for one in uses.entries if one.at > now - per] if uses else []

    def add(self, name: str, per: timedelta, fresh: Sequence[Use]) -> int:
        """Enter uses and give how many there are.

        A target counts once, from the last time on. Each run has its own entry for it: one that changed nothing takes
        back its own only.
        """
        there = self.table.get(name, Uses(per=per))
        named = {(one.target, one.holder) for one in fresh if one.target}
        entries = (*(one for one in there.entries if (one.target, one.holder) not in named), *fresh)
        self.table[name] = Uses(per=max(per, there.per), entries=entries)
        return len({one.target for one in entries if one.target}) + sum(not one.target for one in entries)

    def give_back(self, holder: str) -> None:
        """Forget what a run entered."""
        self._keep(lambda _, one: one.holder != holder)

    def forget(self, now: datetime) -> None:
        """Forget what is out of every window."""
        self._keep(lambda per, one: one.at > now - per)

    def _keep(self, wanted: Callable[[timedelta, Use], bool]) -> None:
        for name, uses in list(self.table.items()):
            kept = tuple(one for one in uses.entries if wanted(uses.per, one))
            if not kept:
                del self.table[name]
            elif len(kept) != len(uses.entries):
                self.table[name] = uses.model_copy(update={"entries": kept})


def rate_name(request: AdmissionRequest) -> str:
    """Name the rate of a run: by target it is shared by all playbooks."""
    by_target = request.rate is not None and request.rate.by == "target"
    return f"target {request.target}" if by_target else f"playbook {request.playbook}"


def rate_refusal(rates: UseTable, request: AdmissionRequest, now: datetime) -> str:
    """Why the rate refuses a run, or empty text."""
    rate = request.rate
    if rate is None:
        return ""
    recent = rates.within(rate_name(request), rate.per, now)
    if len(recent) < rate.runs:
        return ""
    free = recent[-rate.runs].at + rate.per
    return (
        f"the rate of {rate_name(request)} is used up: {len(recent)} runs within {format_duration(rate.per)}, "
        f"at most {rate.runs}; the next at {free:%Y-%m-%d %H:%M:%S} UTC"
    )


def budget_refusal(budgets: UseTable, request: AdmissionRequest, now: datetime) -> str:
    """Why the budget refuses a run, or empty text."""
    budget = request.budget
    if budget is None:
        return ""
    used = {one.target for one in budgets.within(budget.scope, budget.per, now)}
    wanted = set(request.targets) - used
    if len(used) + len(wanted) <= budget.max_targets:
        return ""
    left = max(budget.max_targets - len(used), 0)
    return (
        f"the budget {budget.scope} does not cover it: {len(wanted)} more targets wanted, {left} of "
        f"{budget.max_targets} left within {format_duration(budget.per)}"
    )
