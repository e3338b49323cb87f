"""The ledger as it stands at a moment. The ledger itself lets time pass only when somebody asks it for something."""

from datetime import datetime

from halon.contracts.ledger import LedgerState
from halon.core.breaker import Breakers
from halon.core.uses import UseTable


def standing(state: LedgerState, now: datetime) -> LedgerState:
    """Give what counts now, without what is out of its window; a breaker whose cool-down is over is half-open."""
    breakers, rates, budgets = Breakers(state.breakers), UseTable(state.rates), UseTable(state.budgets)
    breakers.refresh(now)
    rates.forget(now)
    budgets.forget(now)
    changed = {"breakers": breakers.table, "rates": rates.table, "budgets": budgets.table}
    return state.model_copy(update=changed)
