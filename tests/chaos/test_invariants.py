"""The invariants object to what they are there for: each is shown a run in which it does not hold."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from invariants import breaches
from seen import HALON, Expected, Seen, Told, Write, writes_of

from halon.contracts.audit import AuditKind, AuditRecord
from halon.demo.cluster import DemoCluster, Entry

BEGIN = datetime(2026, 1, 5, 12, tzinfo=UTC)
TARGET = "k8s/default/shop/deployment/cart"
INCIDENT = "crashloop-rollback-1-2"
GOOD, BAD = {"image": "cart:1.0"}, {"image": "cart:2.0-crash"}


def at(second: float) -> datetime:
    return BEGIN + timedelta(seconds=second)


def record(second: float, kind: AuditKind, **data: Any) -> AuditRecord:
    return AuditRecord(
        incident=INCIDENT, writer="run", sequence=int(second * 10), at=at(second), kind=kind, message="", data=data
    )


def write(second: float, key: str, before: object = BAD, after: object = GOOD, part: str = "template") -> Write:
    return Write(at(second), HALON, TARGET, part, key, before, after)


def remediated() -> Seen:
    """A run as it should be: asked, approved, applied once, verified, told."""
    told = Told(
        INCIDENT,
        "closed",
        "remediated",
        "changed, confirmed and verified",
        [
            record(0, AuditKind.INCIDENT_OPENED),
            record(1, AuditKind.APPROVAL_ASKED),
            record(2, AuditKind.APPROVED),
            record(3, AuditKind.ATTEMPTED, key="k1"),
            record(5, AuditKind.APPLIED, key="k1", status="applied", ours=True),
            record(7, AuditKind.RUN_FINISHED, outcome="remediated", left=[]),
            record(8, AuditKind.INCIDENT_CLOSED, outcome="remediated"),
        ],
    )
    return Seen(
        stories=[Expected("rollback", TARGET, frozenset({"remediated"}), (INCIDENT,))],
        told=[told],
        writes=[write(4, "k1")],
        before={TARGET: {"template": BAD, "replicas": 3, "serving": False}},
        after={TARGET: {"template": GOOD, "replicas": 3, "serving": True}},
    )


def ended_as(outcome: str, *more: AuditRecord, left: tuple[str, ...] = ()) -> Told:
    """The same run with another end."""
    handed = [{"target": one} for one in left]
    kept = [one for one in remediated().told[0].records if one.at < at(7)]
    end = [record(7, AuditKind.RUN_FINISHED, outcome=outcome, left=handed)]
    closed = [record(8, AuditKind.INCIDENT_CLOSED, outcome=outcome)]
    return Told(INCIDENT, "closed", outcome, "because", [*kept, *more, *end, *closed])


def allowing(seen: Seen, *outcomes: str) -> Seen:
    return replace(seen, stories=[replace(seen.stories[0], outcomes=frozenset(outcomes))])


def undone() -> Seen:
    """The same, but it was cancelled and taken back."""
    taken_back = [
        record(5.4, AuditKind.ATTEMPTED, key="k2"),
        record(6, AuditKind.APPLIED, key="k2", status="applied"),
        record(6.5, AuditKind.UNDONE, key="k1", how="change"),
    ]
    seen = allowing(remediated(), "cancelled")
    return replace(
        seen,
        told=[ended_as("cancelled", *taken_back)],
        writes=[write(4, "k1"), write(5.5, "k2", GOOD, BAD)],
        after=seen.before,
    )


def handed_over() -> Seen:
    """The same, but the change is still there and a person is told so."""
    return replace(allowing(remediated(), "failed"), told=[ended_as("failed", left=(TARGET,))])


@pytest.mark.parametrize("seen", [remediated(), undone(), handed_over()], ids=["remediated", "undone", "handed over"])
def test_a_run_as_it_should_be_passes(seen: Seen) -> None:
    assert breaches(seen) == []


def without(seen: Seen, *kinds: AuditKind) -> Seen:
    told = seen.told[0]
    return replace(seen, told=[replace(told, records=[one for one in told.records if one.kind not in kinds])])


def with_writes(seen: Seen, *writes: Write) -> Seen:
    return replace(seen, writes=writes)


DOCTORED: dict[str, tuple[Callable[[], Seen], str]] = {
    "an alert that nobody took up": (lambda: replace(remediated(), told=[]), "accepted, but no incident"),
    "an incident that stays open": (
        lambda: replace(remediated(), told=[replace(remediated().told[0], state="open", outcome="")]),
        "is open with outcome ''",
    ),
    "a story that does not end": (lambda: replace(remediated(), late=["rollback"]), "does not end"),
    "an alert that was handled twice": (
        lambda: replace(
            remediated(),
            stories=[replace(remediated().stories[0], incidents=(INCIDENT, "again"))],
            told=[*remediated().told, Told("again", "closed", "unnecessary", "", [])],
        ),
        "handled by 2 incidents",
    ),
    "an outcome that the script does not know": (
        lambda: allowing(remediated(), "denied"),
        "came to remediated (changed, confirmed and verified), not to denied",
    ),
    "the same change twice": (
        lambda: with_writes(remediated(), write(4, "k1"), write(4.5, "k1")),
        "took effect 2 times",
    ),
    "a rollback that is flipped back": (
        lambda: replace(undone(), told=[replace(undone().told[0], outcome="remediated")]),
        "was written again",
    ),
    "a second change under another key": (
        lambda: with_writes(undone(), write(4, "k1"), write(5.5, "k2", GOOD, {"image": "cart:3.0"})),
        "does not take the first one back",
    ),
    "a change without a key": (lambda: with_writes(remediated(), write(4, "")), "left no key"),
    "a change that nobody tells of": (lambda: with_writes(remediated(), write(4, "k9")), "is in no incident's audit"),
    "a change of what is not Halon's": (
        lambda: with_writes(remediated(), write(4, "k1"), write(4, "", ["strategy"], None, "other")),
        "what is not its own: ['strategy']",
    ),
    "a change after the end": (lambda: with_writes(remediated(), write(7.5, "k1")), "took effect after the end"),
    "a change before the attempt was told": (
        lambda: with_writes(remediated(), write(2.5, "k1")),
        "before it was attempted",
    ),
    "an undo that is missing": (
        lambda: replace(undone(), writes=[write(4, "k1")], after=remediated().after),
        "neither as it was nor handed over",
    ),
    "an undo to something else": (
        lambda: with_writes(undone(), write(4, "k1"), write(5.5, "k2", GOOD, {"image": "cart:2.0"})),
        "neither as it was nor handed over",
    ),
    "a change that is left and not named": (
        lambda: replace(handed_over(), told=[ended_as("failed")]),
        "neither as it was nor handed over",
    ),
    "a change that is handed over by a success": (
        lambda: replace(allowing(undone(), "undone"), told=[ended_as("undone", left=(TARGET,))]),
        "but ended as undone",
    ),
    "a success that changed nothing": (lambda: with_writes(remediated()), "knows of no change"),
    "a success that does not serve": (
        lambda: replace(remediated(), after={TARGET: {**remediated().after[TARGET], "serving": False}}),
        "does not serve",
    ),
    "a change that the record of writes has not": (
        lambda: replace(remediated(), after={TARGET: {**remediated().after[TARGET], "replicas": 0}}),
        "replicas is not as the last recorded write left it",
    ),
    "a broken chain": (lambda: replace(remediated(), chain=["1: the record was changed"]), "the record was changed"),
    "a change that the audit does not tell": (lambda: without(remediated(), AuditKind.APPLIED), "not told as applied"),
    "a change that the audit made up": (lambda: with_writes(remediated()), "that the cluster has never seen"),
    "an undo of something else": (
        lambda: replace(remediated(), told=[ended_as("remediated", record(6, AuditKind.UNDONE, key="k7"))]),
        "which it never made",
    ),
    "an end that is told twice": (
        lambda: replace(
            remediated(),
            told=[ended_as("remediated", record(6.9, AuditKind.RUN_FINISHED, outcome="remediated", left=[]))],
        ),
        "tells 2 times of run.finished",
    ),
    "a list that says something else than the audit": (
        lambda: replace(allowing(remediated(), "denied"), told=[replace(remediated().told[0], outcome="denied")]),
        "the list has denied, the audit ['remediated']",
    ),
    "a change against a person's no": (
        lambda: replace(allowing(remediated(), "denied"), told=[ended_as("denied")]),
        "denied, but template",
    ),
    "a change before the approval": (lambda: without(remediated(), AuditKind.APPROVED), "before anybody approved"),
    "a lock that stays": (lambda: replace(remediated(), locks=["lock shop/cart"]), "lock shop/cart is still held"),
    "a workflow that goes on": (lambda: replace(remediated(), running=["x-run"]), "x-run still runs"),
    "a process that died by itself": (
        lambda: replace(remediated(), ended=["worker (1)"]),
        "worker (1) ended by itself",
    ),
    "a workflow that cannot be replayed": (
        lambda: replace(remediated(), logged=["TMPRL1100"]),
        "the logs say: TMPRL1100",
    ),
}


@pytest.mark.parametrize("what", DOCTORED)
def test_what_does_not_hold_is_told(what: str) -> None:
    doctored, said = DOCTORED[what]
    assert [breach for breach in breaches(doctored()) if said in breach] != []


async def test_the_clusters_journal_is_read_as_effective_writes_by_part_and_key() -> None:
    labels = {"app": "cart"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "cart:1.0"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    identity = {"name": "cart", "namespace": "shop"}
    async with DemoCluster() as cluster:
        await cluster.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": identity, "spec": spec})
        there = cluster.read("apps/v1", "Deployment", "cart", "shop")
    assert there is not None

    def entry(user: str, *, changed: bool = True, key: str = "", **parts: object) -> Entry:
        annotations = {"halon.dev/change-replicas": key} if key else {}
        after = {"metadata": {"annotations": annotations}, "spec": {**there["spec"], **parts}}
        names = {"group": "apps", "resource": "deployments", "subresource": "", "namespace": "shop", "name": "cart"}
        return Entry(
            sequence=1,
            time=BEGIN.isoformat(),
            user=user,
            verb="patch",
            **names,
            dry_run=False,
            changed=changed,
            media_type="",
            body=None,
            resource_version="7",
            before=there,
            after=after,
        )

    def read(one: Entry) -> list[tuple[str, str, str, object, object]]:
        return [(found.user, found.part, found.key, found.before, found.after) for found in writes_of([one])]

    assert read(entry(HALON, replicas=5, key="k1")) == [(HALON, "replicas", "k1", 2, 5)]
    assert read(entry("ben", replicas=5)) == [("ben", "replicas", "", 2, 5)]
    assert read(entry("ben")) == []
    assert read(entry(HALON, replicas=5, changed=False)) == []
    assert read(entry(HALON, key="k1")) == [(HALON, "other", "", ["nothing"], None)]
    assert read(entry(HALON, paused=True)) == [(HALON, "other", "", ["paused"], None)]
