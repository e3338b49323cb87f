"""Creating, replacing, patching and deleting objects: what lies between a request that may be made and the store."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from halon.demo.cluster.apply import apply_fields
from halon.demo.cluster.defaults import set_defaults
from halon.demo.cluster.deletion import HowToDelete, delete
from halon.demo.cluster.objects import (
    Json,
    annotations_of,
    child,
    clone,
    ensure,
    is_deleting,
    is_list,
    is_object,
    name_of,
    namespace_of,
    new_uid,
    random_suffix,
    uid_of,
)
from halon.demo.cluster.patching import Patch, PatchKind, apply_operations, merge
from halon.demo.cluster.quotas import quota_objection
from halon.demo.cluster.resources import DEPLOYMENTS, NAMESPACES, Resource
from halon.demo.cluster.schema import Findings, decode
from halon.demo.cluster.status import (
    FieldProblem,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    stale,
)
from halon.demo.cluster.strategic import strategic_merge
from halon.demo.cluster.validation import validate, validate_change
from halon.demo.cluster.world import World

_KEPT = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "namespace")
"""Metadata that only the server sets."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about; the name is empty for a collection."""

    resource: Resource
    namespace: str = ""
    name: str = ""


Validation: TypeAlias = Literal["Strict", "Warn", "Ignore"]
VALIDATIONS: tuple[Validation, ...] = get_args(Validation)


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a client wants its write treated."""

    dry_run: bool = False
    validation: Validation = "Warn"
    manager: str = "unknown"
    force: bool = False


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What a client expects of the object that it deletes; empty expects nothing."""

    uid: str = ""
    version: str = ""


@dataclass(slots=True)
class Written:
    """A write's result. `changed` is false when the object was so already, and then its version stays."""

    obj: Json
    changed: bool
    created: bool = False
    warnings: list[str] = field(default_factory=list[str])


class Writes:
    """Every write of a client, checked as the real server checks it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def read(self, target: Target) -> Json:
        """Find an object.

        Raises:
            ApiError: there is none (404).
        """
        obj = self._world.store.get(target.resource, target.namespace, target.name)
        if obj is None:
            raise not_found(target.resource, target.name)
        return obj

    def create(self, target: Target, body: Json, options: WriteOptions) -> Written:
        """Create an object.

        Raises:
            ApiError: it exists (409), its namespace does not (404), or it is not valid (400, 422).
        """
        resource = target.resource
        body = {**body, "metadata": dict(child(body, "metadata"))}
        metadata = body["metadata"]
        if target.name:
            metadata.setdefault("name", target.name)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName']}{random_suffix()}"
        self._check_header(target, body, metadata)
        findings = Findings()
        obj = decode(resource, body, findings)
        if not metadata.get("name"):
            raise invalid(resource, "", [FieldProblem.required("metadata.name", "name or generateName is required")])
        target = Target(resource, target.namespace, str(metadata["name"]))
        self._check_namespace(target)
        warnings = _unknown_fields(target, findings, options, is_patch=False)
        if self._world.store.get(resource, target.namespace, target.name) is not None:
            raise already_exists(resource, target.name)
        self._stamp(target, obj)
        if resource.has_status:
            obj.pop("status", None)
        set_defaults(resource, obj)
        self._check(target, obj, findings)
        objection = quota_objection(self._world, resource, obj)
        if objection:
            raise forbidden(resource, target.name, objection)
        if not options.dry_run:
            self._world.store.put(resource, obj)
        return Written(obj, changed=True, created=True, warnings=warnings)

    def replace(self, target: Target, body: Json, options: WriteOptions, *, status: bool = False) -> Written:
        """Replace an object, or only its status.

        Raises:
            ApiError: there is none (404), it has another version (409), or the new one is not valid (400, 422).
        """
        current = self.read(target)
        self._check_header(target, body, child(body, "metadata"))
        if target.resource.needs_version and not child(body, "metadata").get("resourceVersion"):
            detail = "must be specified for an update"
            raise invalid(target.resource, target.name, [FieldProblem.invalid("metadata.resourceVersion", 0, detail)])
        return self._update(target, current, body, options, only_status=status, is_patch=False)

    def patch(self, target: Target, patch: Patch, options: WriteOptions, *, status: bool = False) -> Written:
        """Patch an object, or only its status; server-side apply creates it where it is missing.

        Raises:
            ApiError: there is none (404), it has another version (409), or what comes out is not valid (400, 422).
        """
        resource = target.resource
        current = self._world.store.get(resource, target.namespace, target.name)
        if patch.kind is PatchKind.APPLY and is_object(patch.body):
            wanted = {**patch.body, "metadata": {"name": target.name, **child(patch.body, "metadata")}}
            now, manager = self._world.stamp(), options.manager
            if current is None:
                empty: Json = {"apiVersion": resource.api_version, "kind": resource.kind}
                merged = apply_fields(resource, empty, wanted, manager, now, force=options.force)
                return self.create(target, merged, options)
            merged = apply_fields(resource, current, wanted, manager, now, force=options.force)
        elif current is None:
            raise not_found(resource, target.name)
        else:
            merged = patched(current, patch)
        return self._update(target, current, merged, options, only_status=status, is_patch=True)

    def change(self, target: Target, options: WriteOptions, edit: Callable[[Json], None]) -> Written:
        """Change an object by a function that edits a copy: the way of the scale subresource.

        Raises:
            ApiError: as `replace` does.
        """
        current = self.read(target)
        changed = clone(current)
        edit(changed)
        return self._update(target, current, changed, options, only_status=False, is_patch=True)

    def delete(
        self, target: Target, how: HowToDelete, expected: Preconditions, options: WriteOptions
    ) -> tuple[Json, Json | None]:
        """Delete an object; return it as it was, and what is left of it for now.

        Raises:
            ApiError: there is none (404), or it is not the expected one (409).
        """
        obj = self.read(target)
        for word, wanted, have in (
            ("UID", expected.uid, uid_of(obj)),
            ("ResourceVersion", expected.version, str(obj["metadata"]["resourceVersion"])),
        ):
            if wanted and wanted != have:
                why = f"Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {have}"
                raise conflict(target.resource, target.name, why)
        return obj, obj if options.dry_run else delete(self._world, target.resource, obj, how)

    def _update(  # the ways to get here differ in these
        self, target: Target, current: Json, wanted: Json, options: WriteOptions, *, only_status: bool, is_patch: bool
    ) -> Written:
        resource, findings = target.resource, Findings()
        obj = decode(resource, wanted, findings)
        warnings = _unknown_fields(target, findings, options, is_patch=is_patch)
        self._check_identity(target, current, obj)
        if only_status:
            obj = {**clone(current), "status": obj.get("status", {})}
        else:
            self._keep_server_fields(resource, current, obj)
        set_defaults(resource, obj)
        problems = validate_change(resource, current, obj)
        self._check(target, obj, findings, problems)
        if not only_status and resource.has_generation and _raises_generation(resource, current, obj):
            obj["metadata"]["generation"] = int(current["metadata"].get("generation") or 0) + 1
        if obj == current:
            return Written(current, changed=False, warnings=warnings)
        if options.dry_run:
            return Written(obj, changed=True, warnings=warnings)
        if is_deleting(obj) and not child(obj, "metadata").get("finalizers") and _had_finalizers(current):
            self._world.store.remove(resource, target.namespace, target.name)
            return Written(obj, changed=True, warnings=warnings)
        return Written(self._world.store.put(resource, obj), changed=True, warnings=warnings)

    def _check_header(self, target: Target, body: Json, metadata: Json) -> None:
        """Compare what an object says that it is with where it was sent; what it does not say is filled in."""
        resource = target.resource
        for key, wanted in (("apiVersion", resource.api_version), ("kind", resource.kind)):
            if body.setdefault(key, wanted) != wanted:
                word = "API version" if key == "apiVersion" else "kind"
                said = f"the {word} in the data ({body[key]}) does not match the expected {word} ({wanted})"
                raise bad_request(said)
        if target.name and metadata.get("name", target.name) != target.name:
            said = f"the name of the object ({metadata.get('name')}) does not match the name on the URL ({target.name})"
            raise bad_request(said)
        if resource.namespaced and metadata.get("namespace") not in {None, "", target.namespace}:
            raise bad_request(
                f"the namespace of the provided object does not match the namespace sent on the request "
                f"({metadata['namespace']} != {target.namespace})"
            )

    def _check_namespace(self, target: Target) -> None:
        if not target.resource.namespaced:
            return
        namespace = self._world.store.get(NAMESPACES, "", target.namespace)
        if namespace is None:
            raise not_found(NAMESPACES, target.namespace)
        if is_deleting(namespace):
            why = f"unable to create new content in namespace {target.namespace} because it is being terminated"
            raise forbidden(target.resource, target.name, why)

    def _stamp(self, target: Target, obj: Json) -> None:
        """Give a new object the metadata that only the server gives."""
        metadata = ensure(obj, "metadata")
        for key in (*_KEPT, "resourceVersion", "selfLink"):
            metadata.pop(key, None)
        metadata.update(name=target.name, uid=new_uid(), creationTimestamp=self._world.stamp())
        if target.namespace:
            metadata["namespace"] = target.namespace
        if target.resource.has_generation:
            metadata["generation"] = 1

    def _check_identity(self, target: Target, current: Json, obj: Json) -> None:
        """Refuse a write that was made for another version, or for an object that had the name before."""
        metadata, present = child(obj, "metadata"), child(current, "metadata")
        if metadata.get("resourceVersion", "") not in {"", "0", present["resourceVersion"]}:
            raise stale(target.resource, target.name)
        if metadata.get("uid") not in {None, "", present["uid"]}:
            why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {present['uid']}"
            raise conflict(target.resource, target.name, why)
        if metadata.get("name", target.name) != target.name:
            problem = FieldProblem.invalid("metadata.name", metadata["name"], "field is immutable")
            raise invalid(target.resource, target.name, [problem])

    def _keep_server_fields(self, resource: Resource, current: Json, obj: Json) -> None:
        metadata, present = ensure(obj, "metadata"), child(current, "metadata")
        for key in (*_KEPT, "resourceVersion", "name"):
            metadata.pop(key, None)
            if key in present:
                metadata[key] = present[key]
        if "managedFields" not in metadata and "managedFields" in present:
            metadata["managedFields"] = present["managedFields"]
        if resource.has_status:
            obj.pop("status", None)
            if "status" in current:
                obj["status"] = clone(current["status"])

    def _check(self, target: Target, obj: Json, findings: Findings, problems: list[FieldProblem] | None = None) -> None:
        found = findings.missing + (problems or []) + validate(target.resource, obj)
        if found:
            unique = list({(problem.field, problem.reason): problem for problem in found}.values())
            raise invalid(target.resource, target.name, unique)


def patched(current: Json, patch: Patch) -> Json:
    """Apply a patch of any kind but server-side apply.

    Raises:
        ApiError: the patch does not fit (400, 422).
    """
    if is_list(patch.body):
        return apply_operations(current, patch.body)
    if patch.kind is PatchKind.STRATEGIC and is_object(patch.body):
        return strategic_merge(current, patch.body)
    merged: Json = merge(current, patch.body)
    return merged


def _unknown_fields(target: Target, findings: Findings, options: WriteOptions, *, is_patch: bool) -> list[str]:
    """Refuse fields that nobody knows, or return the warnings about them, as the client asked."""
    said = [f'unknown field "{path}"' for path in findings.unknown]
    if not said or options.validation == "Ignore":
        return []
    if options.validation == "Warn":
        return said
    error, resource = "strict decoding error: " + ", ".join(said), target.resource
    if is_patch:
        raise invalid(resource, target.name, [FieldProblem.invalid("patch", "{...}", error)])
    kind, version = resource.kind, resource.version
    raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {error}')


def _raises_generation(resource: Resource, before: Json, after: Json) -> bool:
    if {key: value for key, value in before.items() if key not in {"metadata", "status"}} != {
        key: value for key, value in after.items() if key not in {"metadata", "status"}
    }:
        return True
    return resource is DEPLOYMENTS and annotations_of(before) != annotations_of(after)


def _had_finalizers(obj: Json) -> bool:
    return bool(child(obj, "metadata").get("finalizers"))


def target_of(resource: Resource, obj: Json) -> Target:
    """Return where an object is."""
    return Target(resource, namespace_of(obj) if resource.namespaced else "", name_of(obj))
