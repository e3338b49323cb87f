"""What boto3 raises, as errors of ours. The message has AWS's own words, cut and masked; never a credential.

AWS has thousands of error codes and no list of them, so most are told by how they are written: `NoSuchEntity`,
`InvalidInstanceID.NotFound`, `DBInstanceNotFound` and `ResourceNotFoundException` are one thing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from halon.clients.aws.iam import iam_action
from halon.contracts.base import is_object
from halon.errors import (
    Conflict,
    HalonError,
    InvalidInput,
    Misconfigured,
    NotFound,
    PermanentError,
    PermissionDenied,
    TransientError,
)
from halon.redaction import redact_text

MAX_SAID = 400
"""Characters of AWS's own words that an error repeats."""
MAX_RETRY_AFTER = timedelta(minutes=2)
_SERVER_ERROR, _TOO_MANY = 500, 429
_DIGITS = 6
"""Of a number of seconds that is believed."""

_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "throttled",
        re.compile(
            r"Thrott|^SlowDown|TooManyRequests|^RequestLimitExceeded|^BandwidthLimitExceeded|ThroughputExceeded"
            r"|^PriorRequestNotComplete|^429$"
        ),
    ),
    (
        "denied",
        re.compile(r"^(AccessDenied|Unauthorized(Operation)?$|NotAuthorized|AuthorizationError|Forbidden|403$)"),
    ),
    (
        "unknown caller",
        re.compile(
            r"^(InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|InvalidSignature|IncompleteSignature"
            r"|AuthFailure|InvalidAccessKeyId|InvalidToken|InvalidIdentityToken|MissingAuthenticationToken"
            r"|RequestTimeTooSkewed|RequestExpired|OptInRequired|InvalidSecurity|NotSignedUp)"
        ),
    ),
    ("expired", re.compile(r"^Expired(Token|IdentityToken)")),
    (
        "busy",
        re.compile(
            r"^(Internal(Failure|Error|ServerError|ServiceError|ServiceException)?|ServiceUnavailable|ServiceException"
            r"|Unavailable|RequestTimeout(Exception)?|ResourceConflictException|OperationAborted"
            r"|ResourceInUse(Exception)?|ScalingActivityInProgress|OperationInProgress|UpdateInProgressException"
            r"|TransactionInProgressException|KMSInternalException|ResourceNotReadyException|DependencyTimeout"
            r"|EntityTemporarilyUnmodifiable)(Fault)?$|^5\d\d$"
        ),
    ),
    ("missing", re.compile(r"^NoSuch|NotFound|Does[Nn]otExist|^InvalidInstanceId$|^404$|^UnknownResource")),
    (
        "overtaken",
        re.compile(
            r"AlreadyExists|Duplicate|^Concurrent|^ConditionalRequestConflict|^PreconditionFailed|^OptimisticLock"
            r"|^StaleRequest|^412$"
        ),
    ),
    (
        "wrong",
        re.compile(
            r"^(Validation|InvalidParameter|InvalidInput|InvalidArgument|Malformed|MissingParameter)|\.Malformed$"
        ),
    ),
)
"""What codes mean, the first that fits."""
_PERFORM = re.compile(r"perform:? ([a-z0-9-]+:[A-Za-z0-9*]+)")
_ENCODED = re.compile(r"\s*Encoded authorization failure message:.*", re.DOTALL)

_NO_CREDENTIALS = frozenset(
    {
        *("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "TokenRetrievalError"),
        *("NoAuthTokenError", "UnauthorizedSSOTokenError", "SSOTokenLoadError", "InfiniteLoopConfigError"),
    }
)
_NO_REGION = frozenset({"NoRegionError", "InvalidRegionError"})
_NO_SERVICE = frozenset({"UnknownServiceError", "UnknownEndpointError", "EndpointProviderError"})


class AwsRefusal(PermanentError):  # noqa: N818  # reads as the fact that it states
    """AWS refused for a reason that no other class says; `code` is AWS's own."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class AwsNotFound(NotFound):
    """What the call names does not exist; `code` says what, as `NoSuchBucketPolicy` and `NoSuchBucket` do."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Asked:
    """Which call failed, for the message."""

    account: str
    service: str
    operation: str
    """As AWS writes it, such as `UpdateAccessKey`."""
    region: str

    @property
    def where(self) -> str:
        """Name the account and the call."""
        return f"AWS account {self.account}: {self.service}:{self.operation}"

    @property
    def action(self) -> str:
        """The IAM action that it needs."""
        return iam_action(self.service, self.operation)


def answered(asked: Asked, response: Mapping[str, Any]) -> HalonError:
    """Tell what an error is that AWS answered."""
    error: dict[str, Any] = response.get("Error") or {}
    meta: dict[str, Any] = response.get("ResponseMetadata") or {}
    status = int(meta.get("HTTPStatusCode", 0) or 0)
    code = str(error.get("Code", "") or status)
    text = _ENCODED.sub("", str(error.get("Message", "") or ""))
    text = " ".join(redact_text(text, 4 * MAX_SAID).split())[:MAX_SAID]
    said = f"{asked.where}: {code}{f': {text}' if text else ''}"
    match _kind(code, status):
        case "throttled" | "busy":
            return TransientError(said, retry_after=_retry_after(meta))
        case "denied":
            named = _PERFORM.search(text)
            action = named[1] if named else asked.action
            said = f"AWS account {asked.account}: Halon's credentials may not {action}: {text or code}"
            return PermissionDenied(said)
        case "unknown caller":
            return Misconfigured(f"{said}: AWS does not accept Halon's credentials; see aws.accounts in halon.yaml")
        case other:
            return _plain(other, said, code)


def _plain(kind: str, said: str, code: str) -> HalonError:
    match kind:
        case "expired":
            return TransientError(f"{said}: Halon's credentials have expired")
        case "missing":
            return AwsNotFound(said, code)
        case "overtaken":
            return Conflict(said)
        case "wrong":
            return InvalidInput(said)
        case _:
            return AwsRefusal(said, code)


def _kind(code: str, status: int) -> str:
    """What a code means; a code that says nothing is judged by the status."""
    found = next((kind for kind, pattern in _KINDS if pattern.search(code)), "")
    if not found and status == _TOO_MANY:
        return "throttled"
    return "busy" if not found and status >= _SERVER_ERROR else found


def unanswered(asked: Asked, error: Exception) -> HalonError:
    """Tell what went wrong before there was an answer of AWS."""
    kind, said = type(error).__name__, " ".join(redact_text(str(error), MAX_SAID).split())
    if kind in _NO_CREDENTIALS:
        return Misconfigured(f"{asked.where}: there are no credentials for AWS: {said}")
    if kind in _NO_REGION:
        return Misconfigured(f"{asked.where}: there is no such region, or none is set: `aws.accounts` in halon.yaml")
    if kind in _NO_SERVICE:
        return Misconfigured(f"{asked.where}: AWS has no such service in region {asked.region or 'of boto3'}: {kind}")
    if kind == "ResponseParserError":
        return TransientError(f"{asked.where}: the answer is cut off, or what answers is not AWS")
    if kind == "ParamValidationError":
        return InvalidInput(f"{asked.where}: {said}")
    return TransientError(f"{asked.where}: no answer ({kind}): {said}")


def _retry_after(meta: dict[str, Any]) -> timedelta | None:
    headers = meta.get("HTTPHeaders")
    text = str(headers.get("retry-after", "")) if is_object(headers) else ""
    plain = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return min(timedelta(seconds=int(text)), MAX_RETRY_AFTER) if plain else None
