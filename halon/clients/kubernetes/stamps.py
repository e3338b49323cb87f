"""The key of a change, stamped into an object as an annotation, by a JSON patch. Pure."""

from halon.clients.kubernetes.objects import Metadata
from halon.contracts.base import JsonObject


def stamp(metadata: Metadata, name: str, key: str) -> list[JsonObject]:
    """Operations that write the key under this annotation; without one, such as for a rehearsal, there are none."""
    if not key:
        return []
    made: list[JsonObject] = (
        [] if metadata.annotations else [{"op": "add", "path": "/metadata/annotations", "value": {}}]
    )
    return [*made, {"op": "add", "path": f"/metadata/annotations/{pointed(name)}", "value": key}]


def pointed(name: str) -> str:
    """A name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
