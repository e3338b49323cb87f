"""Whom a playbook asks and tells, held against the people, groups and channels of the installation."""

from collections.abc import Iterator, Sequence

from halon.contracts.people import GROUP
from halon.contracts.steps import UsesStep
from halon.documents import nearest
from halon.playbook.lint_rules import Remark
from halon.playbook.lint_steps import Subject
from halon.playbook.recipients import TELLING, channel_of


def unknown_recipient(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    """Find names that `halon.yaml` does not have; where it names no people, or no channels, nothing is missing."""
    directory = subject.directory
    for spot in subject.spots:
        approve, step = spot.step.approve, spot.step
        if approve is not None and not directory.is_empty:
            place = (*spot.path, "approve")
            asked = [((*place, "from"), name) for name in approve.from_]
            asked += [((*place, "escalate", "to"), name) for name in approve.escalate.to] if approve.escalate else []
            known = [*directory.people, *(GROUP + name for name in directory.groups)]
            for path, name in asked:
                if directory.members(name) is None:
                    yield Remark(path, f"halon.yaml knows no `{name}` to ask{nearest(name, known)}")
        if isinstance(step, UsesStep) and step.uses in TELLING and subject.channels:
            channel = channel_of(step.with_.get("to"), subject.playbook)
            if channel is not None and channel not in subject.channels:
                hint = nearest(channel, subject.channels)
                yield Remark((*spot.path, "with", "to"), f"`notify.channels` of halon.yaml has no `{channel}`{hint}")
