"""The subresources that do something of their own: scale, eviction and log."""

from datetime import timedelta

from halon.demo.cluster.budgets import eviction_refusal
from halon.demo.cluster.calls import Call
from halon.demo.cluster.controllers.kubelet import Kubelet
from halon.demo.cluster.deletion import HowToDelete
from halon.demo.cluster.objects import Json, child, ensure, is_object, name_of, namespace_of
from halon.demo.cluster.patching import Patch, PatchKind
from halon.demo.cluster.resources import PODS, Resource
from halon.demo.cluster.selectors import selector_text
from halon.demo.cluster.status import FieldProblem, bad_request, invalid, stale
from halon.demo.cluster.world import World
from halon.demo.cluster.writes import Preconditions, Target, WriteOptions, Writes, Written, patched

_SCALES = Resource("autoscaling", "v1", "scales", "Scale")


def scale_of(obj: Json) -> Json:
    """Write the Scale of a workload."""
    metadata = child(obj, "metadata")
    fields = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in fields if key in metadata},
        "spec": {"replicas": child(obj, "spec").get("replicas", 0)},
        "status": {
            "replicas": child(obj, "status").get("replicas", 0),
            "selector": selector_text(child(obj, "spec", "selector")),
        },
    }


def write_scale(writes: Writes, target: Target, change: Patch | Json, options: WriteOptions) -> Written:
    """Set a workload's replicas by a new Scale or by a patch of it.

    Raises:
        ApiError: there is no such workload (404), it has another version (409), or the number is not valid (422).
    """
    current = scale_of(writes.read(target))
    if not isinstance(change, Patch):
        wanted = change
    elif change.kind is PatchKind.APPLY and is_object(change.body):
        wanted = patched(current, Patch(PatchKind.MERGE, change.body))
    else:
        wanted = patched(current, change)
    replicas = child(wanted, "spec").get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request("Scale.spec.replicas must be a number")
    if replicas < 0:
        problem = FieldProblem.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid(_SCALES, target.name, [problem])
    version = child(wanted, "metadata").get("resourceVersion") or child(current, "metadata")["resourceVersion"]
    if version != child(current, "metadata")["resourceVersion"]:
        raise stale(target.resource, target.name)

    def set_replicas(obj: Json) -> None:
        ensure(obj, "spec")["replicas"] = replicas

    written = writes.change(target, options, set_replicas)
    return Written(scale_of(written.obj), changed=written.changed, warnings=written.warnings)


def evict(world: World, writes: Writes, target: Target, body: Json, options: WriteOptions) -> Written:
    """Delete a pod if its disruption budget lets it go.

    Raises:
        ApiError: there is no such pod (404), it is not the expected one (409), or the budget refuses (429).
    """
    how = child(body, "deleteOptions")
    pod = writes.read(Target(PODS, target.namespace, target.name))
    refusal = eviction_refusal(world, pod)
    if refusal is not None:
        raise refusal
    expected = child(how, "preconditions")
    dry_run = options.dry_run or bool(how.get("dryRun"))
    gone, _ = writes.delete(
        Target(PODS, namespace_of(pod), name_of(pod)),
        HowToDelete(grace_seconds=how.get("gracePeriodSeconds")),
        Preconditions(str(expected.get("uid") or ""), str(expected.get("resourceVersion") or "")),
        WriteOptions(dry_run=dry_run),
    )
    status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return Written(
        {**status, "metadata": {"resourceVersion": gone["metadata"]["resourceVersion"]}},
        changed=not dry_run,
        created=True,
    )


def read_log(world: World, kubelet: Kubelet, pod: Json, call: Call) -> str:
    """Write a container's log as the query wants it. Following it is not done: the answer ends with the last line.

    Raises:
        ApiError: the container does not exist or has not run, or a parameter is malformed (400).
    """
    lines = kubelet.log(pod, call.query.get("container", ""), previous=call.flag("previous"))
    since, tail, limit = call.number("sinceSeconds"), call.number("tailLines"), call.number("limitBytes")
    if since is not None:
        start = world.now() - timedelta(seconds=min(since, 10**9))
        lines = [line for line in lines if line[0] >= start]
    if tail is not None:
        lines = lines[-tail:] if tail else []
    stamped = call.flag("timestamps")
    text = "".join(f"{moment.isoformat()} {line}\n" if stamped else f"{line}\n" for moment, line in lines)
    return text.encode()[:limit].decode(errors="ignore")
