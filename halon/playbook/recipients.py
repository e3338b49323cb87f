"""Which channels of `halon.yaml` a playbook tells, as far as that is known before any alert."""

from collections.abc import Iterable

from halon.contracts.base import Json
from halon.contracts.playbook import Playbook
from halon.core.expressions import EvaluationError, render
from halon.core.scope import metadata_scope
from halon.playbook.uses import Use, uses_of

TELLING = frozenset({"notify.page", "notify.send"})
"""Actions whose parameter `to` is a channel."""


def channel_of(to: Json, playbook: Playbook) -> str | None:
    """Give the channel that a step names by a constant, the playbook's metadata or an input's default."""
    inputs = {
        name: one.default
        for name, one in playbook.inputs.items()
        if isinstance(one.default, str) and "${{" not in one.default
    }
    try:
        channel = render(str(to), {"metadata": metadata_scope(playbook.metadata), "inputs": inputs})
    except EvaluationError:
        return None
    return str(channel)


def channels_of(playbooks: Iterable[Playbook]) -> dict[str, list[Use]]:
    """Give the channels that playbooks tell, each with the steps that do."""
    found: dict[str, list[Use]] = {}
    for book in playbooks:
        for use in uses_of(book):
            channel = channel_of(use.given.get("to"), book) if use.action in TELLING else None
            if channel:
                found.setdefault(channel, []).append(use)
    return found
