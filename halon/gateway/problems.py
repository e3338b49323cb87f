"""Errors as `application/problem+json` (RFC 9457): one shape for everything that is refused, in one sentence."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What went wrong with a request."""

    type: str = Field(default="about:blank", description="Always `about:blank`: the status says what kind it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong and what to do, in one sentence.")
    errors: list[str] = Field(default=[], description="One line for each field that is wrong.")


class Refusal(Exception):  # noqa: N818  # a fact that the edge turns into an answer
    """A request is refused. The edge turns it into a problem."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: list[str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors or []
        self.headers = dict(headers or {})


def retry_after(delay: timedelta) -> dict[str, str]:
    """Give the header that says when to come back, at least a second from now."""
    return {"Retry-After": str(max(1, round(delay.total_seconds())))}


def problem_response(refusal: Refusal) -> JSONResponse:
    """Give the answer to a request that is refused."""
    problem = Problem(
        title=refusal.status.phrase, status=refusal.status.value, detail=refusal.detail, errors=refusal.errors
    )
    return JSONResponse(
        problem.model_dump(),
        status_code=refusal.status.value,
        headers=refusal.headers,
        media_type=MEDIA_TYPE,
    )


def install_problems(app: FastAPI) -> None:
    """Make every error of the application a problem."""

    async def refused(_request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, Refusal):
            return problem_response(error)
        if isinstance(error, HTTPException):
            status = HTTPStatus(error.status_code)
            return problem_response(Refusal(status, _detail(status), headers=error.headers))
        # The server logs the error itself; the sender may try again and learns nothing of our inside.
        return problem_response(Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "Halon failed at this; its log says why"))

    for kind in (Refusal, HTTPException, Exception):
        app.add_exception_handler(kind, refused)


def _detail(status: HTTPStatus) -> str:
    if status is HTTPStatus.NOT_FOUND:
        return "there is nothing here; alerts go to /v1/alerts/{source}"
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        return "this address does not take this method; alerts are sent with POST"
    return status.description or status.phrase


def problems_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Say for OpenAPI that a request may be answered with these problems."""
    problems: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in statuses
    }
    if HTTPStatus.SERVICE_UNAVAILABLE in problems:
        problems[503]["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return problems


def describe_problems(app: FastAPI) -> None:
    """Make OpenAPI name the media type that problems really have; FastAPI only knows the application's default."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        for operations in schema["paths"].values():
            for operation in operations.values():
                for response in operation["responses"].values():
                    content: dict[str, Any] = response.get("content", {})
                    if content.get("application/json", {}).get("schema", {}).get("$ref", "").endswith("/Problem"):
                        content[MEDIA_TYPE] = content.pop("application/json")
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents
