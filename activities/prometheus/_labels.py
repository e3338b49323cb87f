"""What the answers about series share: labels cut to size."""

from collections.abc import Iterable

from halon.redaction import cut_text

MAX_LABELS = 30
MAX_TEXT = 256


def small(labels: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give at most 30 labels of at most 256 characters."""
    return {name: cut_text(value, MAX_TEXT) for name, value in sorted(labels)[:MAX_LABELS]}
