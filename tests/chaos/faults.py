"""What goes wrong between Halon and the cluster, drawn from a seed. The demonstration cluster does it on the wire.

A request is lost, a reply is lost, an answer is an error or too slow or cut in half, and a request that its sender has
given up arrives late. Every fault passes, so a run must come to the same end as without.
"""

import random

from halon.demo.cluster import Fault, FaultKind

MOST = 4
"""Faults that meet one story."""
_LONGEST_WAY = 30
"""Requests that a story makes, about: faults lie anywhere among them."""
_STATUSES = (500, 503, 429, 429)


def drawn(dice: random.Random, namespace: str) -> list[Fault]:
    """Draw the faults of one story, which has its namespace to itself. The write itself is met most often."""
    return [_one(dice, namespace) for _ in range(dice.choice((0, 1, 1, 2, 2, 3, MOST)))]


def _one(dice: random.Random, namespace: str) -> Fault:
    kind = dice.choice(list(FaultKind))
    where = f"/namespaces/{namespace}/"
    method, path, skip = dice.choice(
        (
            ("PATCH", f"{where}deployments/[^?]*[?](?!.*dryRun)", dice.choice((0, 0, 0, 1))),
            ("PATCH", f"{where}deployments/[^?]*[?](?!.*dryRun)", dice.choice((0, 0, 0, 1))),
            ("PATCH", f"{where}deployments/[^?]*[?].*dryRun", 0),
            ("GET", where, dice.randrange(_LONGEST_WAY)),
        )
    )
    return Fault(
        kind=kind,
        method=method,
        path=path,
        skip=skip,
        count=dice.choice((1, 1, 1, 2)),
        status=dice.choice(_STATUSES),
        retry_after=1 if dice.random() < 0.5 else None,
        seconds=round(dice.uniform(0.05, 2.0), 2),
    )
