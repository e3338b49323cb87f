"""How long a run may grow. Temporal ends a workflow at 51,200 events or 50 MB, and then nobody undoes."""

_BOUNDS = ((30_000, 25_000_000), (45_000, 40_000_000))
"""Events and bytes: at the first the run fails, with the rest left for undo; at the second nothing goes any more."""


class Length:
    """Watches one run's history."""

    def __init__(self) -> None:
        self._passed = 0

    def exhausted(self, events: int, size: int) -> str:
        """Why the run may not go on, or empty text. The first bound is told once, the second every time."""
        most_events, most_bytes = _BOUNDS[min(self._passed, 1)]
        if events < most_events and size < most_bytes:
            return ""
        self._passed += 1
        return f"the run has grown too long for Temporal ({events} events, {size // 1_000_000} MB)"
