"""Refusals, each as the Status object that a Kubernetes API server answers with.

Clients decide by `code`, `reason` and `details`, so these are spelled exactly as the real server spells them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from halon.demo.cluster.objects import Json
from halon.demo.cluster.resources import Resource


class ApiError(Exception):
    """A request is refused. Raised anywhere below the HTTP edge, which writes `body` with `code`."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.headers = dict(headers or {})
        self.body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }
        if details:
            self.body["details"] = details


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field that the server will not have, in the words of Kubernetes' validation."""

    field: str
    reason: str
    text: str

    @staticmethod
    def required(field: str, detail: str = "") -> "FieldProblem":
        """Say that a field must be given."""
        return FieldProblem(field, "FieldValueRequired", "Required value" + (f": {detail}" if detail else ""))

    @staticmethod
    def invalid(field: str, value: object, detail: str) -> "FieldProblem":
        """Say what is wrong with a value."""
        shown = f'"{value}"' if isinstance(value, str) else _shown(value)
        return FieldProblem(field, "FieldValueInvalid", f"Invalid value: {shown}: {detail}")

    @staticmethod
    def unsupported(field: str, value: object, supported: Sequence[str]) -> "FieldProblem":
        """Say which values there are instead."""
        choices = ", ".join(f'"{item}"' for item in supported)
        return FieldProblem(
            field, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {choices}'
        )

    @staticmethod
    def duplicate(field: str, value: str) -> "FieldProblem":
        """Say that a value stands there twice."""
        return FieldProblem(field, "FieldValueDuplicate", f'Duplicate value: "{value}"')

    @staticmethod
    def forbidden(field: str, detail: str) -> "FieldProblem":
        """Say that a field may not be set, or not be changed."""
        return FieldProblem(field, "FieldValueForbidden", f"Forbidden: {detail}")


def _shown(value: Any) -> str:  # any JSON value may be refused
    return str(value).lower() if isinstance(value, bool) else str(value)


def _details(resource: Resource, name: str, **more: object) -> Json:
    details: Json = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    return {**details, "kind": resource.plural, **more}


def bad_request(message: str) -> ApiError:
    """Refuse what cannot be understood."""
    return ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def unauthorized() -> ApiError:
    """Refuse a caller whose token is unknown."""
    return ApiError(HTTPStatus.UNAUTHORIZED, "Unauthorized", "Unauthorized")


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """Refuse what the caller may not do."""
    shown = f'{resource.qualified} "{name}"' if name else resource.qualified
    message = f"{shown} is forbidden: {why}"
    return ApiError(HTTPStatus.FORBIDDEN, "Forbidden", message, _details(resource, name))


def path_not_found() -> ApiError:
    """Refuse a path that no resource lives at."""
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", "the server could not find the requested resource", {})


def not_found(resource: Resource, name: str) -> ApiError:
    """Refuse the name of an object that does not exist."""
    message = f'{resource.qualified} "{name}" not found'
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, _details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    """Refuse to create what exists."""
    message = f'{resource.qualified} "{name}" already exists'
    return ApiError(HTTPStatus.CONFLICT, "AlreadyExists", message, _details(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    """Refuse a write that was made for another version of the object."""
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, _details(resource, name))


def stale(resource: Resource, name: str) -> ApiError:
    """Refuse a write whose resourceVersion is not the present one."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def invalid(resource: Resource, name: str, problems: Sequence[FieldProblem]) -> ApiError:
    """Refuse an object with everything that is wrong in it."""
    texts = [f"{problem.field}: {problem.text}" for problem in problems]
    said = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    causes = [{"reason": item.reason, "message": item.text, "field": item.field} for item in problems]
    details = _details(resource, name, causes=causes) | {"kind": resource.kind}
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", f'{kind} "{name}" is invalid: {said}', details)


def patch_failed() -> ApiError:
    """Refuse a JSON patch whose test failed or whose path is not there; the real server says no more than this."""
    message = "the server rejected our request due to an error in our request"
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, {})


def method_not_allowed() -> ApiError:
    """Refuse a verb that the resource does not have."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message, {})


def unsupported_media_type(supported: Sequence[str]) -> ApiError:
    """Refuse a body in a format that the verb does not take."""
    said = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(supported)
    return ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", said, {})


def too_large(limit: int) -> ApiError:
    """Refuse a body over the limit, in bytes."""
    message = f"Request entity too large: limit is {limit}"
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", message, {})


def expired(revision: str) -> ApiError:
    """Refuse to go on from a resourceVersion that is no longer remembered."""
    return ApiError(HTTPStatus.GONE, "Expired", f"too old resource version: {revision}")


def success(resource: Resource, name: str, uid: str) -> Json:
    """Say that an object was deleted."""
    details = _details(resource, name, uid=uid)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
