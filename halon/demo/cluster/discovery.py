"""What a client asks before it does anything: versions, groups, resources, and the OpenAPI that kubectl looks into."""

from typing import Any

from halon.demo.cluster.objects import Json
from halon.demo.cluster.resources import GROUP_VERSIONS, RESOURCES, Resource

VERSION: Json = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.2+halon.demo",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "linux/amd64",
}
"""The version whose behaviour the emulator was compared with."""

_SUBRESOURCE_KINDS = {
    "scale": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
    "eviction": {"group": "policy", "version": "v1", "kind": "Eviction"},
}
_SUBRESOURCE_VERBS = {"eviction": ["create"], "log": ["get"]}


def discover(path: str) -> Json | None:
    """Answer a path of discovery, or None when it is none."""
    parts = [part for part in path.split("/") if part]
    return _roots().get("/".join(parts)) or _group_answer(parts)


def _roots() -> dict[str, Json]:
    """Answer the paths at the top."""
    groups = [_group(group) for group, _ in GROUP_VERSIONS if group]
    roots = [f"apis/{group}/{version}" if group else f"api/{version}" for group, version in GROUP_VERSIONS]
    return {
        "version": VERSION,
        "api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        "apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
        "openapi/v3": {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in roots}},
    }


def _group_answer(parts: list[str]) -> Json | None:
    match parts:
        case ["api", version] if ("", version) in GROUP_VERSIONS:
            return _resource_list("", version)
        case ["apis", group] if any(group == known for known, _ in GROUP_VERSIONS):
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}
        case ["apis", group, version] if (group, version) in GROUP_VERSIONS:
            return _resource_list(group, version)
        case ["openapi", "v3", *root]:
            return _openapi("/" + "/".join(root))
        case _:
            return None


def _group(group: str) -> Json:
    versions = [
        {"groupVersion": f"{group}/{version}", "version": version}
        for known, version in GROUP_VERSIONS
        if known == group
    ]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _resource_list(group: str, version: str) -> Json:
    rows = [row for row in RESOURCES if (row.group, row.version) == (group, version)]
    api_version = f"{group}/{version}" if group else version
    listed = [item for row in rows for item in _entries(row)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": listed}


def _entries(row: Resource) -> list[Json]:
    entry: Json = {
        "name": row.plural,
        "singularName": row.kind.lower(),
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": list(row.verbs),
    }
    if row.short:
        entry["shortNames"] = list(row.short)
    if row.categories:
        entry["categories"] = list(row.categories)
    subresources = [
        {
            "name": f"{row.plural}/{name}",
            "singularName": "",
            "namespaced": row.namespaced,
            "kind": row.kind,
            "verbs": _SUBRESOURCE_VERBS.get(name, ["get", "patch", "update"]),
            **_SUBRESOURCE_KINDS.get(name, {}),
        }
        for name in sorted(row.subresources)
    ]
    return [entry, *subresources]


def _openapi(root: str) -> Json | None:
    """Say no more than what kubectl looks for: that the server checks fields itself, so that kubectl need not."""
    paths: dict[str, Any] = {}
    for row in RESOURCES:
        if row.root == root and "patch" in row.verbs:
            place = f"{root}/namespaces/{{namespace}}/{row.plural}" if row.namespaced else f"{root}/{row.plural}"
            kind = {"group": row.group, "version": row.version, "kind": row.kind}
            operation = {
                "x-kubernetes-group-version-kind": kind,
                "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
                "responses": {"200": {"description": "OK"}},
            }
            paths[place] = {"post": operation}
            paths[place + "/{name}"] = {"patch": operation, "put": operation}
    info = {"title": "Halon demonstration cluster", "version": "v1.36.2"}
    return {"openapi": "3.0.0", "info": info, "paths": paths} if paths else None
