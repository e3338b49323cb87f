"""What `halon guards` and `halon breaker` show of a ledger that nobody has asked for a while."""

from datetime import UTC, datetime, timedelta

from halon.contracts.ledger import BreakerEntry, Failure, LedgerState, Use, Uses
from halon.contracts.playbook import Breaker
from halon.core.standing import standing

NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def test_time_passes_also_when_nobody_asks_the_ledger() -> None:
    opened = BreakerEntry(
        key="dim",
        spec=Breaker(failures=1, within=HOUR, cooldown=MINUTE),
        failures=(Failure(at=NOW, incident="one", reason="undone"),),
        state="open",
        until=NOW + MINUTE,
    )
    uses = Uses(per=HOUR, entries=(Use(at=NOW, holder="one"), Use(at=NOW + 30 * MINUTE, holder="two")))
    state = LedgerState(breakers={"dim": opened}, rates={"playbook dim": uses}, budgets={"all": uses})

    assert standing(state, NOW) == state
    later = standing(state, NOW + HOUR)
    assert later.breakers["dim"].state == "half_open"
    assert [len(one.entries) for one in (later.rates["playbook dim"], later.budgets["all"])] == [1, 1]
    assert standing(state, NOW + 2 * HOUR).rates == {}
