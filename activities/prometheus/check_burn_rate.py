"""Whether an objective's error budget burns too fast, over two windows at once."""

import asyncio
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints, model_validator

from halon.clients.prometheus import Prometheus
from halon.contracts.base import Duration, JsonObject, format_duration
from halon.errors import InvalidInput
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

_WINDOW = "$window"
_MOST = timedelta(days=90)
_ROUNDING = 1e-6


class BurnRate(Output):
    """How fast the budget burns; 1 uses it up exactly within the period."""

    burning: bool | None
    """Whether both windows burn at least as fast as `factor`: the long one says that it matters, the short one that it
    still goes on. Null when a window has no data."""
    no_data: bool
    """True when a window has no data; a verification then waits, and never passes."""
    long_burn: float | None
    """Burn rate over the long window."""
    short_burn: float | None
    """Burn rate over the short window."""
    long_ratio: float | None
    """The part of events that were bad, over the long window."""
    short_ratio: float | None
    """The part of events that were bad, over the short window."""
    exhausted_in: Duration | None
    """How long a whole budget would last at the short window's rate, at most 366 days; null when it does not burn."""


class CheckBurnRate(Read[BurnRate]):
    """Check whether the error budget of an objective burns too fast, over a long and a short window.

    That is the multiwindow, multi-burn-rate alert of the Site Reliability Workbook. With a period of 30 days: page at
    factor 14.4 over 1h and 5m (2 % of the budget) or 6 over 6h and 30m (5 %), a ticket at 1 over 3d and 6h (10 %). To
    verify a remedy, wait until `${{ !result.burning }}` and `short_burn` is below 1. Errors: a query that gives several
    series, or no ratio from 0 to 1, is `invalid_input`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("http", ("GET",), "/api/v1/query", "to ask the Prometheus in `prometheus.url`"),
    )
    example: ClassVar[JsonObject] = {
        "ratio": 'sum(rate(http_requests_total{job="cart", code=~"5.."}[$window]))'
        ' / sum(rate(http_requests_total{job="cart"}[$window]))',
        "objective": 99.9,
    }

    ratio: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    """PromQL for the part of events that are bad, from 0 to 1, with `$window` where the window belongs. Where there are
    no bad events, the division must still give 0: `(sum(…) or vector(0)) / sum(…)`."""
    objective: Annotated[float, Field(gt=0, lt=100)]
    """The part of events that must be good, in percent, such as 99.9."""
    factor: Annotated[float, Field(gt=0, le=10_000)] = 14.4
    """Burn rate from which on it is too fast."""
    long_window: Annotated[Duration, Field(ge=timedelta(minutes=1), le=_MOST)] = timedelta(hours=1)
    """Over so long it must matter."""
    short_window: Annotated[Duration, Field(ge=timedelta(seconds=10), le=_MOST)] = timedelta(minutes=5)
    """Over so long it must still go on; a twelfth of the long one is usual."""
    period: Annotated[Duration, Field(ge=timedelta(days=1), le=_MOST)] = timedelta(days=30)
    """The period that the budget is for."""

    @model_validator(mode="after")
    def _windows(self) -> "CheckBurnRate":
        if _WINDOW not in self.ratio:
            raise ValueError("`ratio` needs `$window` where the window belongs, such as rate(errors_total[$window])")
        if self.short_window >= self.long_window:
            raise ValueError("`short_window` must be shorter than `long_window`")
        return self

    def target(self) -> str:
        """Name what is asked."""
        return "prometheus"

    async def run(self, env: Env) -> BurnRate:
        """Ask for both windows."""
        long, short = await asyncio.gather(self._ratio(env, self.long_window), self._ratio(env, self.short_window))
        budget = 1 - self.objective / 100
        long_burn, short_burn = (None if one is None else one / budget for one in (long, short))
        missing = long_burn is None or short_burn is None
        return BurnRate(
            burning=None if missing else min(long_burn or 0, short_burn or 0) >= self.factor,
            no_data=missing,
            long_burn=long_burn,
            short_burn=short_burn,
            long_ratio=long,
            short_ratio=short,
            exhausted_in=min(self.period / short_burn, timedelta(days=366)) if short_burn else None,
        )

    async def _ratio(self, env: Env, window: timedelta) -> float | None:
        answer = await env.get(Prometheus).query(self.ratio.replace(_WINDOW, format_duration(window)))
        if not answer.samples:
            return None
        if len(answer.samples) > 1:
            raise InvalidInput(f"`ratio` gives {len(answer.samples)} series, and one is needed: sum() both sides of it")
        value = answer.samples[0].value
        if not -_ROUNDING <= value <= 1 + _ROUNDING:
            raise InvalidInput(f"`ratio` gives {value:g}, and the part of bad events is from 0 to 1")
        return min(max(value, 0.0), 1.0)
