"""The REST interface of the resources: from a request that a known user makes to the answer."""

import json
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Literal, cast

from aiohttp import web
from multidict import CIMultiDict

from halon.demo.cluster.access import refusal, review
from halon.demo.cluster.calls import Call, read_body, read_object
from halon.demo.cluster.controllers.kubelet import Kubelet
from halon.demo.cluster.deletion import HowToDelete
from halon.demo.cluster.journal import Entry, Journal
from halon.demo.cluster.lists import format_of, list_objects, selected, selection
from halon.demo.cluster.objects import Json, child, is_object, name_of, namespace_of, uid_of
from halon.demo.cluster.patching import PatchKind, read_patch
from halon.demo.cluster.resources import JOBS, NODE_USAGE, POD_USAGE
from halon.demo.cluster.status import (
    FieldProblem,
    bad_request,
    invalid,
    method_not_allowed,
    path_not_found,
    success,
)
from halon.demo.cluster.subresources import evict, read_log, scale_of, write_scale
from halon.demo.cluster.watching import watch
from halon.demo.cluster.world import World
from halon.demo.cluster.writes import Preconditions, Target, WriteOptions, Writes, Written

_RETURNED_WHEN_DELETED = {"Pod", "Service", "ServiceAccount", "PersistentVolumeClaim", "ResourceQuota"}
"""Kinds whose deletion answers with the object; all others answer with a Status once they are gone."""


def json_response(body: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with JSON."""
    raw = json.dumps(body, separators=(",", ":")).encode()
    return web.Response(body=raw, status=status, headers=headers, content_type="application/json")


class Rest:
    """Carries out requests. Everything after the body was read happens at once, so requests do not interleave."""

    def __init__(self, world: World, kubelet: Kubelet, journal: Journal) -> None:
        self._world = world
        self._kubelet = kubelet
        self._journal = journal
        self._writes = Writes(world)

    async def answer(self, request: web.Request, call: Call) -> web.StreamResponse:
        """Answer a request.

        Raises:
            ApiError: it is refused, for any of the reasons that a server has.
        """
        resource = call.target.resource
        if resource.verbs == ("create",):
            return await self._review(request, call)
        if resource in {POD_USAGE, NODE_USAGE}:
            self._check_measured(call)
        refused = refusal(call.user, call.verb, resource, call.subresource, call.target.namespace, call.target.name)
        if refused is not None:
            raise refused
        as_table = _wants_table(request)
        match call.verb:
            case "watch":
                written = format_of(self._world, call, as_table=as_table)
                return await watch(request, call, self._world, selection(call), written)
            case "list":
                return json_response(list_objects(self._world, call, as_table=as_table))
            case "get":
                return self._get(call, as_table=as_table)
            case _:
                body = await read_body(request)
                return self._write(call, body)

    def _check_measured(self, call: Call) -> None:
        """Let usage be read, and only if there is a Metrics API: there is none before something was measured.

        Raises:
            ApiError: nobody serves it (404), or it cannot be written (405).
        """
        if not any(self._world.store.items(resource) for resource in (POD_USAGE, NODE_USAGE)):
            raise path_not_found()
        if call.verb not in call.target.resource.verbs:
            raise method_not_allowed()

    async def _review(self, request: web.Request, call: Call) -> web.Response:
        """Answer a question about the caller's own permissions, which anybody may ask."""
        if call.verb != "create":
            raise method_not_allowed()
        body = await read_object(request)
        resource = call.target.resource
        header: Json = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {}}
        return json_response(review(call.user, resource.kind, {**body, **header}), HTTPStatus.CREATED)

    def _get(self, call: Call, *, as_table: bool) -> web.Response:
        obj = self._writes.read(call.target)
        if call.subresource == "log":
            return web.Response(text=read_log(self._world, self._kubelet, obj, call))
        if call.subresource == "scale":
            return json_response(scale_of(obj))
        if call.subresource not in {"", "status"}:
            raise method_not_allowed()
        return json_response(format_of(self._world, call, as_table=as_table)(obj))

    def _write(self, call: Call, body: Any) -> web.Response:  # as the client sent it
        before = self._there(call.target)
        match call.verb, call.subresource:
            case "create", "" if not call.target.name:
                written = self._writes.create(call.target, _object(body), call.write_options())
            case "create", "eviction":
                written = evict(self._world, self._writes, call.target, _object(body), call.write_options())
            case "update", ("" | "status") as subresource:
                written = self._writes.replace(
                    call.target, _object(body), call.write_options(), status=bool(subresource)
                )
            case "patch", ("" | "status") as subresource:
                written = self._patch(call, body, status=bool(subresource))
            case (("update" | "patch"), "scale"):
                change = read_patch(call.media_type, body) if call.verb == "patch" else _object(body)
                written = write_scale(self._writes, call.target, change, call.write_options())
            case "delete", "":
                return self._delete(call, _object(body or {}))
            case "deletecollection", "":
                return self._delete_collection(call, _object(body or {}))
            case _:
                raise method_not_allowed()
        self._record(call, body, written, before=before)
        status = HTTPStatus.CREATED if written.created else HTTPStatus.OK
        return json_response(written.obj, status, _warnings(written))

    def _patch(self, call: Call, body: Any, *, status: bool) -> Written:  # as the client sent it
        patch = read_patch(call.media_type, body)
        if patch.kind is PatchKind.APPLY and not call.query.get("fieldManager"):
            problem = FieldProblem.required("fieldManager", "is required for apply patch")
            raise invalid(call.target.resource, call.target.name, [problem])
        return self._writes.patch(call.target, patch, call.write_options(), status=status)

    def _delete(self, call: Call, body: Json) -> web.Response:
        options, how = _delete_options(call, body), _how_to_delete(call, body)
        expected = child(body, "preconditions")
        preconditions = Preconditions(str(expected.get("uid") or ""), str(expected.get("resourceVersion") or ""))
        obj, left = self._writes.delete(call.target, how, preconditions, options)
        changed = left is not obj and not options.dry_run  # it may be on its way already
        self._record(call, body, Written(left or obj, changed=changed), dry_run=options.dry_run, before=obj)
        if call.target.resource.kind in _RETURNED_WHEN_DELETED:
            return json_response(left or obj)
        if left is not None and not options.dry_run:
            return json_response(left)
        return json_response(success(call.target.resource, call.target.name, uid_of(obj)))

    def _delete_collection(self, call: Call, body: Json) -> web.Response:
        options, how = _delete_options(call, body), _how_to_delete(call, body)
        resource = call.target.resource
        gone = selected(self._world, call)
        for obj in gone:
            target = Target(resource, namespace_of(obj), name_of(obj))
            self._writes.delete(target, how, Preconditions(), options)
        metadata = {"resourceVersion": str(self._world.store.revision)}
        listed: Json = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata}
        self._record(call, body, Written(listed, changed=bool(gone) and not options.dry_run), dry_run=options.dry_run)
        return json_response({**listed, "items": gone})

    def _there(self, target: Target) -> Json | None:
        """Give the object that a write is about, as it is now."""
        return self._world.store.get(target.resource, target.namespace, target.name) if target.name else None

    def _record(
        self, call: Call, body: Any, written: Written, *, dry_run: bool | None = None, before: Json | None = None
    ) -> None:
        resource, target = call.target.resource, call.target
        if dry_run is None:
            evicted = call.subresource == "eviction" and not written.changed
            dry_run = call.write_options().dry_run or evicted
        entry = Entry(
            sequence=len(self._journal) + 1,
            time=self._world.now().isoformat(),
            user=call.user.name,
            verb=call.verb,
            group=resource.group,
            resource=resource.plural,
            subresource=call.subresource,
            namespace=target.namespace,
            name=target.name or name_of(written.obj),
            dry_run=dry_run,
            changed=written.changed and not dry_run,
            media_type=call.media_type,
            body=body,
            resource_version=str(child(written.obj, "metadata").get("resourceVersion") or ""),
            before=before,
            after=self._there(replace(target, name=target.name or name_of(written.obj))),
        )
        self._journal.append(entry)


def _wants_table(request: web.Request) -> bool:
    """Whether the client would rather have a table, as kubectl does unless it was told a format."""
    first = request.headers.get("Accept", "").partition(",")[0].replace(" ", "")
    return "as=Table" in first and "g=meta.k8s.io" in first


def _object(body: Any) -> Json:  # as the client sent it
    if not is_object(body):
        raise bad_request("the object provided is unrecognized: the body must be a JSON object")
    return body


def _warnings(written: Written) -> CIMultiDict[str]:
    """Write a warning as a header that clients show; each has its own."""
    headers: CIMultiDict[str] = CIMultiDict()
    for warning in written.warnings:
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
        headers.add("Warning", f'299 - "{quoted}"')
    return headers


def _delete_options(call: Call, body: Json) -> WriteOptions:
    """Read the options of a deletion, which may say 'dry run' in the query or in the body."""
    options = call.write_options()
    return replace(options, dry_run=options.dry_run or body.get("dryRun") == ["All"])


def _how_to_delete(call: Call, body: Json) -> HowToDelete:
    """Read a client's wishes. A Job deleted without any leaves its pods behind, as ever since batch/v1 began."""
    grace = body.get("gracePeriodSeconds")
    if grace is None:
        grace = call.number("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or grace < 0):
        raise bad_request("gracePeriodSeconds must be a number that is not negative")
    propagation = body.get("propagationPolicy") or call.query.get("propagationPolicy")
    propagation = propagation or ("Orphan" if call.target.resource is JOBS else "Background")
    if body.get("orphanDependents"):
        propagation = "Orphan"
    if propagation not in {"Background", "Foreground", "Orphan"}:
        raise bad_request(f"propagationPolicy {propagation!r} is not Background, Foreground or Orphan")
    return HowToDelete(grace, cast('Literal["Background", "Foreground", "Orphan"]', propagation))
