"""Lists: selection, order and pages, and the formats in which a client may want them."""

import base64
import json

from halon.demo.cluster.calls import Call
from halon.demo.cluster.objects import Json, name_of, namespace_of
from halon.demo.cluster.selectors import Matcher, field_matcher, label_matcher
from halon.demo.cluster.status import bad_request
from halon.demo.cluster.tables import table
from halon.demo.cluster.watching import Format
from halon.demo.cluster.world import World


def selection(call: Call) -> Matcher:
    """Read the query's selectors; a name in the path selects too.

    Raises:
        ApiError: one is malformed (400).
    """
    labels = label_matcher(call.query.get("labelSelector", ""))
    fields = field_matcher(call.target.resource, call.query.get("fieldSelector", ""))
    name = call.target.name
    return lambda obj: labels(obj) and fields(obj) and (not name or name_of(obj) == name)


def selected(world: World, call: Call) -> list[Json]:
    """List the objects that a request means.

    Raises:
        ApiError: a selector is malformed (400).
    """
    matches = selection(call)
    return [obj for obj in world.store.items(call.target.resource, call.target.namespace) if matches(obj)]


def list_objects(world: World, call: Call, *, as_table: bool) -> Json:
    """Answer a list, or one page of it. Pages go by the order of names, so a later one shows later changes.

    Raises:
        ApiError: a selector, the limit or the continue token is malformed (400).
    """
    items, limit = selected(world, call), call.number("limit")
    metadata: Json = {"resourceVersion": str(world.store.revision)}
    token = call.query.get("continue", "")
    if token:
        after = _after(token)
        items = [obj for obj in items if (namespace_of(obj), name_of(obj)) > after]
    if limit and len(items) > limit:
        metadata["continue"] = _token(items[limit - 1])
        metadata["remainingItemCount"] = len(items) - limit
        items = items[:limit]
    resource = call.target.resource
    if as_table:
        return table(resource, items, world.now(), include=call.query.get("includeObject", ""), metadata=metadata)
    # As in a real list, an item does not repeat what kind it is.
    bare = [{key: value for key, value in obj.items() if key not in {"kind", "apiVersion"}} for obj in items]
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": metadata,
        "items": bare,
    }


def format_of(world: World, call: Call, *, as_table: bool) -> Format:
    """Return how single objects are written for a client."""
    if not as_table:
        return lambda obj: obj
    include = call.query.get("includeObject", "")
    return lambda obj: table(
        call.target.resource,
        [obj],
        world.now(),
        include=include,
        metadata={"resourceVersion": obj["metadata"]["resourceVersion"]},
    )


def _token(last: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps([namespace_of(last), name_of(last)]).encode()).decode()


def _after(token: str) -> tuple[str, str]:
    try:
        value: object = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, RecursionError):
        value = None
    match value:
        case [str(namespace), str(name)]:
            return namespace, name
        case _:
            raise bad_request("continue key is not valid")
