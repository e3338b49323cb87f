"""Which revision ran before, since when the current one runs, and when a rollout is complete: from objects alone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from halon.clients.kubernetes.objects import Deployment, Pod, ReplicaSet, view
from halon.clients.kubernetes.rollout import differences, previous, progress, revisions, rolled_out_at, trouble

RESTARTED = {"kubectl.kubernetes.io/restartedAt": "2026-01-02T03:04:05Z"}


def template(image: str, annotations: dict[str, str] | None = None, **container: Any) -> dict[str, Any]:
    metadata = {"labels": {"app": "cart"}, **({"annotations": annotations} if annotations else {})}
    return {"metadata": metadata, "spec": {"containers": [{"name": "cart", "image": image, **container}]}}


def deployment(runs: dict[str, Any], status: dict[str, Any] | None = None, *, replicas: int = 2) -> Deployment:
    metadata = {"name": "cart", "namespace": "shop", "generation": 3}
    return view(
        Deployment,
        {"metadata": metadata, "spec": {"replicas": replicas, "template": runs}, "status": status or {}},
    )


def replica_set(numbers: str, of: dict[str, Any], *, hour: int = 0, available: int = 0) -> ReplicaSet:
    """One ReplicaSet that has had these revision numbers, created at this hour."""
    *earlier, now = numbers.split(",")
    annotations = {
        "deployment.kubernetes.io/revision": now,
        "deployment.kubernetes.io/revision-history": ",".join(earlier),
    }
    labelled = {**of, "metadata": {**of["metadata"], "labels": {"app": "cart", "pod-template-hash": f"h{now}"}}}
    metadata = {
        "name": f"cart-h{now}",
        "labels": {"pod-template-hash": f"h{now}"},
        "annotations": annotations,
        "creationTimestamp": f"2026-01-02T{hour:02}:00:00Z",
    }
    return view(
        ReplicaSet,
        {"metadata": metadata, "spec": {"template": labelled}, "status": {"availableReplicas": available}},
    )


A, B, C = template("cart:a"), template("cart:b"), template("cart:c")
A_RESTARTED = template("cart:a", RESTARTED)


@pytest.mark.parametrize(
    ("runs", "kept", "number"),
    [
        pytest.param(B, [replica_set("1", A), replica_set("2", B)], 1, id="the one before"),
        pytest.param(C, [replica_set("1", A, available=2), replica_set("2", B), replica_set("3", C)], 1, id="serves"),
        pytest.param(C, [replica_set("1", A), replica_set("2", B), replica_set("3", C)], 2, id="none serves"),
        pytest.param(A, [replica_set("1,3", A), replica_set("2", B)], None, id="rolled back already"),
        pytest.param(
            A_RESTARTED,
            [replica_set("1,3", A), replica_set("2", B), replica_set("4", A_RESTARTED)],
            None,
            id="rolled back, then restarted",
        ),
        pytest.param(A_RESTARTED, [replica_set("1", A), replica_set("2", A_RESTARTED)], None, id="only restarted"),
        pytest.param(C, [replica_set("1,3", A), replica_set("2", B), replica_set("4", C)], 3, id="not the abandoned"),
        pytest.param(B, [replica_set("1", A)], 1, id="not taken up yet"),
    ],
)
def test_the_previous_revision_is_told_by_content(
    runs: dict[str, Any], kept: list[ReplicaSet], number: int | None
) -> None:
    found = previous(runs, revisions(kept))
    assert (found.revision.number if found.revision else None) == number
    assert bool(found.reason) is (number is None)


def test_a_restart_does_not_make_a_version_young() -> None:
    kept = [replica_set("1", B, hour=1), replica_set("2", A, hour=2), replica_set("3", A_RESTARTED, hour=9)]
    assert rolled_out_at(deployment(A_RESTARTED), revisions(kept)) == datetime(2026, 1, 2, 2, tzinfo=UTC)


def test_a_version_that_came_back_is_as_old_as_its_last_progress() -> None:
    condition = {"type": "Progressing", "status": "True", "lastUpdateTime": "2026-01-02T08:00:00Z"}
    kept = [replica_set("1,3", A, hour=1), replica_set("2", B, hour=2)]
    found = rolled_out_at(deployment(A, {"conditions": [condition]}), revisions(kept))
    assert found == datetime(2026, 1, 2, 8, tzinfo=UTC)


COMPLETE = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        (COMPLETE, "settled", "2 of 2"),
        ({**COMPLETE, "observedGeneration": 2}, "waiting", "not taken it up"),
        ({**COMPLETE, "updatedReplicas": 1}, "waiting", "1 of 2 replicas are up to date"),
        ({**COMPLETE, "replicas": 3}, "waiting", "1 old replicas"),
        (
            {"observedGeneration": 3, "replicas": 5, "updatedReplicas": 5, "availableReplicas": 5},
            "waiting",
            "3 replicas too many",
        ),
        ({**COMPLETE, "availableReplicas": 1}, "waiting", "1 of 2 replicas are available"),
    ],
)
def test_a_rollout_is_complete_when_every_count_says_so(status: dict[str, Any], state: str, reason: str) -> None:
    found = progress(deployment(A, status), revisions([replica_set("1", A)])[0], ())
    assert found.state == state
    assert reason in found.reason


@pytest.mark.parametrize(("name", "state"), [("cart-h1", "broken"), ("cart-h0", "waiting")])
def test_only_its_own_deadline_breaks_a_rollout(name: str, state: str) -> None:
    condition = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": f'ReplicaSet "{name}" has timed out progressing.',
    }
    status = {**COMPLETE, "updatedReplicas": 1, "conditions": [condition]}
    assert progress(deployment(A, status), revisions([replica_set("1", A)])[0], ()).state == state


def pod(reason: str, restarts: int, **metadata: str) -> Pod:
    container = {"name": "cart", "restartCount": restarts, "state": {"waiting": {"reason": reason}}}
    return view(Pod, {"metadata": {"name": "cart-1", **metadata}, "status": {"containerStatuses": [container]}})


def test_a_crash_loop_is_one_after_three_restarts_and_pods_that_go_do_not_count() -> None:
    assert trouble([pod("CrashLoopBackOff", 3)]) == ("cart-1/cart is in CrashLoopBackOff after 3 restarts",)
    assert trouble([pod("CrashLoopBackOff", 2), pod("ContainerCreating", 9)]) == ()
    assert trouble([pod("CrashLoopBackOff", 9, deletionTimestamp="2026-01-02T03:04:05Z")]) == ()


def test_differences_name_places_and_never_values() -> None:
    one = template("cart:a", env=[{"name": "TOKEN", "value": "planted"}])
    other = template("cart:b", env=[{"name": "TOKEN", "value": "other"}, {"name": "NEW", "value": "x"}])
    assert differences(one, other) == [
        "spec.containers.[cart].env.[NEW]",
        "spec.containers.[cart].env.[TOKEN].value",
        "spec.containers.[cart].image",
    ]
