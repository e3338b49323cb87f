"""What must hold after every run, whatever was killed and cut. Each check gives one sentence for each breach.

The cluster's own record of writes is the measure; what Halon tells is compared with it, never believed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from seen import HALON, PARTS, Seen, Told, Write

from halon.contracts.audit import AuditKind

IN_PLACE = frozenset({"remediated", "unverified"})
"""Outcomes that leave a change in place."""


def breaches(seen: Seen) -> list[str]:
    """Everything that does not hold."""
    checks = (outcomes, once, in_time, settled, unseen, audit, approvals, rest)
    return [f"{check.__name__}: {breach}" for check in checks for breach in check(seen)]


def outcomes(seen: Seen) -> Iterator[str]:
    """Every accepted alert reaches an outcome: its own incident, closed, as the script allows."""
    told = {one.incident: one for one in seen.told}
    for late in seen.late:
        yield f"{late} does not end"
    for story in seen.stories:
        mine = [told[one] for one in story.incidents if one in told]
        if story.accepted and not mine:
            yield f"{story.title}: accepted, but no incident tells of it"
        if len(mine) > 1:
            yield f"{story.title}: handled by {len(mine)} incidents, {', '.join(one.incident for one in mine)}"
        for one in mine:
            if one.state != "closed" or not one.outcome:
                yield f"{story.title}: {one.incident} is {one.state} with outcome '{one.outcome}'"
            elif one.outcome not in story.outcomes:
                expected = " or ".join(sorted(story.outcomes))
                yield f"{story.title}: came to {one.outcome} ({one.reason}), not to {expected}"


def once(seen: Seen) -> Iterator[str]:
    """No change takes effect twice, and a run writes a part at most there and back."""
    owners = _owners(seen)
    ours = [write for write in seen.writes if write.user == HALON]
    for key, count in Counter(write.key for write in ours if write.key).items():
        if count > 1:
            yield f"the change with key {key} took effect {count} times"
    for write in ours:
        if write.part not in PARTS:
            yield f"{write.target}: Halon wrote what is not its own: {write.before}"
        elif not write.key:
            yield f"{write.target}: a write to {write.part} left no key"
        elif write.key not in owners:
            yield f"{write.target}: the write to {write.part} with key {write.key} is in no incident's audit"
    for (incident, target, part), mine in _by_run(seen).items():
        there_and_back = 2
        if len(mine) > there_and_back:
            yield f"{incident}: wrote {part} of {target} {len(mine)} times"
        if len(mine) == there_and_back and mine[1].after != mine[0].before:
            yield f"{incident}: its second write to {part} of {target} does not take the first one back"


def in_time(seen: Seen) -> Iterator[str]:
    """Nothing takes effect before it was attempted, nor after its run has ended."""
    owners = _owners(seen)
    for write in seen.writes:
        told = owners.get(write.key)
        if told is None:
            continue
        if told.ended_at is not None and write.at > told.ended_at:
            yield f"{told.incident}: a write to {write.part} took effect after the end, {write.at} > {told.ended_at}"
        attempts = [one.at for one in told.of(AuditKind.ATTEMPTED) if one.data["key"] == write.key]
        if write.at < min(attempts):
            yield f"{told.incident}: a write to {write.part} took effect at {write.at}, before it was attempted"


def settled(seen: Seen) -> Iterator[str]:
    """Every change is in place and verified, or taken back to exactly what was there, or handed over by name."""
    by_id = {one.incident: one for one in seen.told}
    for (incident, target, part), mine in _by_run(seen).items():
        told = by_id[incident]
        if told.outcome in IN_PLACE:
            yield from _in_place(seen, told, mine)
        elif target not in told.left and mine[-1].after != mine[0].before:
            yield f"{incident}: {told.outcome}, but {part} of {target} is neither as it was nor handed over"
    for told in seen.told:
        if told.left and told.outcome != "failed":
            yield f"{told.incident}: hands {', '.join(told.left)} over, but ended as {told.outcome}"
    wrote = {(incident, target) for incident, target, _ in _by_run(seen)}
    for story in seen.stories:
        for incident in story.incidents:
            told_of = by_id.get(incident)
            if told_of is not None and told_of.outcome == "remediated" and (incident, story.target) not in wrote:
                yield f"{incident}: remediated, but the cluster knows of no change to {story.target}"


def _in_place(seen: Seen, told: Told, mine: list[Write]) -> Iterator[str]:
    """What is wrong with a change that is said to be in place."""
    write = mine[0]
    last = [one for one in seen.writes if (one.target, one.part) == (write.target, write.part)][-1]
    what = f"{told.incident}: {told.outcome}, but {write.part} of {write.target}"
    if len(mine) > 1:
        yield f"{what} was written again"
    elif last == write and told.outcome == "remediated" and not seen.after[write.target]["serving"]:
        yield f"{what} does not serve"


def unseen(seen: Seen) -> Iterator[str]:
    """What the targets are is what the recorded writes made of them: the record of writes is whole."""
    last = {(one.target, one.part): one.after for one in seen.writes}
    for target, before in seen.before.items():
        for part in PARTS:
            if seen.after[target][part] != last.get((target, part), before[part]):
                yield f"{target}: {part} is not as the last recorded write left it"


def audit(seen: Seen) -> Iterator[str]:
    """The chain is whole, and tells of exactly the changes that took effect."""
    for problem in seen.chain:
        yield f"the audit chain: {problem}"
    effective = {write.key for write in seen.writes if write.user == HALON}
    for told in seen.told:
        applied = [one for one in told.of(AuditKind.APPLIED) if one.data.get("ours", True)]
        # An undo that found its goal there, by somebody else's hand, wrote nothing.
        claimed = {str(one.data["key"]) for one in applied}
        lax = {str(one.data["key"]) for one in applied if "ours" not in one.data and one.data["status"] == "already"}
        for key in sorted(claimed - lax - effective):
            yield f"{told.incident}: tells of a change with key {key} that the cluster has never seen"
        for key in sorted((told.keys & effective) - claimed):
            yield f"{told.incident}: the cluster has a change with key {key} that is not told as applied"
        undone = {str(one.data["key"]) for one in told.of(AuditKind.UNDONE)}
        for key in sorted(undone - claimed - told.keys):
            yield f"{told.incident}: tells of taking back {key}, which it never made"
        for kind, count in Counter(one.kind for one in told.records).items():
            if count > 1 and kind in {AuditKind.INCIDENT_OPENED, AuditKind.INCIDENT_CLOSED, AuditKind.RUN_FINISHED}:
                yield f"{told.incident}: tells {count} times of {kind.value}"
        outcomes_told = {str(one.data["outcome"]) for one in told.of(AuditKind.INCIDENT_CLOSED)}
        if told.state == "closed" and outcomes_told != {told.outcome}:
            yield f"{told.incident}: the list has {told.outcome}, the audit {sorted(outcomes_told)}"


def approvals(seen: Seen) -> Iterator[str]:
    """Nothing is changed before a person has approved it where one was asked, and never against a person's no."""
    for (incident, target, part), mine in _by_run(seen).items():
        (told,) = (one for one in seen.told if one.incident == incident)
        asked, approved = told.of(AuditKind.APPROVAL_ASKED), told.of(AuditKind.APPROVED)
        if told.outcome == "denied":
            yield f"{incident}: denied, but {part} of {target} was written"
        if asked and not [one for one in approved if one.at <= mine[0].at]:
            yield f"{incident}: {part} of {target} was written before anybody approved"


def rest(seen: Seen) -> Iterator[str]:
    """Nothing is held and nothing runs any more, and only what was killed has died."""
    yield from (f"{lock} is still held" for lock in seen.locks)
    yield from (f"{workflow} still runs" for workflow in seen.running)
    yield from (f"{process} ended by itself" for process in seen.ended)
    yield from (f"the logs say: {line}" for line in seen.logged)


def _owners(seen: Seen) -> dict[str, Told]:
    """Which incident attempted the change with a key."""
    return {key: told for told in seen.told for key in told.keys}


def _by_run(seen: Seen) -> dict[tuple[str, str, str], list[Write]]:
    """Halon's writes by incident, target and part, in the order in which they took effect."""
    owners = _owners(seen)
    found: dict[tuple[str, str, str], list[Write]] = defaultdict(list)
    for write in seen.writes:
        if write.user == HALON and write.key in owners:
            found[owners[write.key].incident, write.target, write.part].append(write)
    return found
