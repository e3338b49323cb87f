"""The disruption controller: keeps the status of budgets up to date."""

from datetime import datetime

from halon.demo.cluster.budgets import budget_status
from halon.demo.cluster.resources import BUDGETS
from halon.demo.cluster.world import World


class Disruptions:
    """Writes budgets' status. Evictions do not depend on it: they are judged by the pods themselves."""

    def __init__(self, world: World) -> None:
        self._world = world

    def reconcile(self) -> datetime | None:
        """Bring every budget's status up to date."""
        for budget in self._world.store.items(BUDGETS):
            self._world.write_status(BUDGETS, budget, budget_status(self._world, budget))
        return None
