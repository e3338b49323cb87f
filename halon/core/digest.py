"""The words of a digest: many messages as one list, by incident. Pure."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from halon.contracts.coordination import DigestLine

MAX_SHOWN = 60
"""Lines that are shown; further ones are counted."""
Severity: TypeAlias = Literal["info", "warning", "critical"]
_ORDER: tuple[Severity, ...] = ("info", "warning", "critical")


def digest_text(lines: Sequence[DigestLine], more: int) -> tuple[str, str]:
    """Title and body. What matters most stands first, and what belongs to one incident together."""
    incidents = list(dict.fromkeys(one.incident for one in lines))
    count = len(lines) + more
    title = f"{count} messages of {len(incidents)} incidents, in one because they came too fast"
    rank = {name: max(_ORDER.index(one.severity) for one in lines if one.incident == name) for name in incidents}
    rows: list[str] = []
    for name in sorted(incidents, key=lambda one: (-rank[one], incidents.index(one))):
        rows.append(name)
        rows += [f"  - {one.title}" for one in lines if one.incident == name]
    shown = rows[:MAX_SHOWN]
    left = len(rows) - len(shown) + more
    return title, "\n".join([*shown, *([f"and {left} more: see `halon incidents`"] if left else [])])


def worst(lines: Sequence[DigestLine]) -> Severity:
    """The highest severity among them."""
    return _ORDER[max((_ORDER.index(one.severity) for one in lines), default=0)]
