"""Reading requests: which resource a path names, which verb it is, and what stands in the query and the body."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from aiohttp import web

from halon.demo.cluster import protobuf
from halon.demo.cluster.access import User
from halon.demo.cluster.objects import Json, is_list, is_object
from halon.demo.cluster.resources import at_path
from halon.demo.cluster.status import ApiError, bad_request, path_not_found, too_large, unsupported_media_type
from halon.demo.cluster.writes import VALIDATIONS, Target, Validation, WriteOptions

BODY_LIMIT = 3 * 1024 * 1024
"""The real server's limit, in bytes."""
_JSON_TYPES = {"application/json", "", "application/octet-stream"}
_YAML_TYPES = {"application/yaml", "application/apply-patch+yaml"}
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request for a resource, by a user who is known but may not be allowed."""

    user: User
    method: str
    verb: str
    target: Target
    subresource: str
    query: Mapping[str, str]
    media_type: str
    agent: str

    def flag(self, name: str) -> bool:
        """Whether a query parameter says yes."""
        return self.query.get(name, "") in {"1", "true", "True"}

    def number(self, name: str) -> int | None:
        """Read a query parameter that is a number of things.

        Raises:
            ApiError: it is none (400).
        """
        text = self.query.get(name, "")
        if not text:
            return None
        if not text.isascii() or not text.isdigit() or len(text) > len(str(2**63)):
            raise bad_request(f"unable to decode {name}: {text!r} is not a number")
        return int(text)

    def write_options(self) -> WriteOptions:
        """Read what the query says about a write.

        Raises:
            ApiError: a parameter has no such value (400).
        """
        dry_run, validation = self.query.get("dryRun", ""), self.query.get("fieldValidation") or "Warn"
        if dry_run not in {"", "All"}:
            raise bad_request(f'Invalid value: "{dry_run}": dryRun supports only All')
        known: Validation | None = next((one for one in VALIDATIONS if validation == one), None)
        if known is None:
            raise bad_request(f'Invalid value: "{validation}": fieldValidation is one of {", ".join(VALIDATIONS)}')
        manager = self.query.get("fieldManager") or self.agent.partition("/")[0] or "unknown"
        return WriteOptions(bool(dry_run), known, manager, self.flag("force"))


def read_call(request: web.Request, user: User) -> Call:
    """Work out what a request is for.

    Raises:
        ApiError: no resource lives at its path (404).
    """
    parts = [part for part in request.path.split("/") if part]
    match parts:
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            raise path_not_found()
    namespace = ""
    scoped = 3
    if rest[:1] == ["namespaces"] and len(rest) >= scoped:
        inner = at_path(group, version, rest[2])
        if inner is not None and inner.namespaced:
            namespace, rest = rest[1], rest[2:]
    resource = at_path(group, version, rest[0]) if rest else None
    name, subresource = [*rest[1:], "", ""][:2]
    deepest = 3
    if resource is None or len(rest) > deepest or (resource.namespaced and not namespace and name):
        raise path_not_found()
    if subresource and subresource not in resource.subresources:
        raise path_not_found()
    verb = _verb(request, name)
    return Call(
        user=user,
        method=request.method,
        verb=verb,
        target=Target(resource, namespace, name),
        subresource=subresource,
        query=request.query,
        media_type=_media_type(request),
        agent=request.headers.get("User-Agent", ""),
    )


def _verb(request: web.Request, name: str) -> str:
    if request.method in {"GET", "HEAD"}:
        if request.query.get("watch", "") in {"1", "true", "True"}:
            return "watch"
        return "get" if name else "list"
    if request.method == "DELETE":
        return "delete" if name else "deletecollection"
    return _VERBS.get(request.method, request.method.lower())


def _media_type(request: web.Request) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


async def read_body(request: web.Request) -> Any:  # any JSON value may be sent
    """Read a request's JSON or YAML, and what little there is of protobuf; None when there is no body.

    Raises:
        ApiError: it is too large (413), of another format (415), or not well-formed (400).
    """
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise too_large(BODY_LIMIT) from None
    media_type = _media_type(request)
    if not raw:
        return None
    if media_type in _YAML_TYPES:
        return _parse_yaml(raw)
    if media_type == protobuf.MEDIA_TYPE and (known := _parse_protobuf(raw)) is not None:
        return known
    if media_type not in _JSON_TYPES and not media_type.endswith("+json"):
        raise unsupported_media_type(["application/json", "application/yaml"])
    return _parse_json(raw)


async def read_object(request: web.Request) -> Json:
    """Read a body that must be an object; none is an empty one.

    Raises:
        ApiError: as `read_body`, and when it is something else (400).
    """
    body = await read_body(request)
    if body is None:
        return {}
    if not is_object(body):
        raise bad_request("the object provided is unrecognized: the body must be a JSON object")
    return body


def _parse_json(raw: bytes) -> Any:  # any JSON value may be sent
    try:
        return json.loads(raw, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise _malformed(error) from None


def _parse_protobuf(raw: bytes) -> Json | None:
    try:
        return protobuf.decoded(raw)
    except ValueError as error:
        raise _malformed(error) from None


def _parse_yaml(raw: bytes) -> Any:  # any JSON value may be sent
    """Read YAML as JSON: kubectl sends JSON under YAML's media type, which is a subset and much faster to read."""
    try:
        return _parse_json(raw)
    except ApiError:
        pass
    try:
        value: Any = yaml.load(raw, Loader=_PlainLoader)  # noqa: S506  # a SafeLoader that reads less
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _malformed(error) from None
    _check_plain(value)
    return value


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases, which can make a small text enormous, and without dates, which JSON does not have."""

    yaml_implicit_resolvers = {  # PyYAML wants a class variable
        letter: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise ValueError("aliases are not accepted")
        return super().compose_node(parent, index)


def _check_plain(value: object) -> None:
    """Refuse what YAML has and JSON has not."""
    if is_object(value):
        keys: list[object] = list(value)
        if not all(isinstance(key, str) for key in keys):
            raise _malformed(ValueError("keys must be strings"))
        for item in value.values():
            _check_plain(item)
    elif is_list(value):
        for item in value:
            _check_plain(item)
    elif not isinstance(value, str | int | float | bool | None) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise _malformed(ValueError("a value is not JSON"))


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is out of range")
    return value


def _malformed(error: Exception) -> ApiError:
    said = "too deeply nested" if isinstance(error, RecursionError) else str(error)
    return bad_request(f"couldn't get version/kind; json parse error: {said}")
