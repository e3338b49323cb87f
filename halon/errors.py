"""The error tree. A class exists only where somebody handles it differently; nobody parses messages.

HalonError
├── TransientError          try again: after `retry_after` when the other side said when
└── PermanentError          trying again cannot help
    ├── NotFound            what the call names does not exist
    ├── PermissionDenied    the credentials lack a permission, which the message names
    ├── Conflict            the target changed between looking and writing: look again
    ├── InvalidInput        the caller's data is wrong; `problems` says where and how to fix it
    └── Misconfigured       halon.yaml or the installation is wrong, so no call can succeed
"""

from collections.abc import Sequence
from datetime import timedelta


class HalonError(Exception):
    """Root of every error that Halon raises on purpose. The message is one sentence for a person, without secrets."""


class TransientError(HalonError):
    """Trying again may succeed, for example after a time-out, a 429 or a 503."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(HalonError):
    """Trying the same call again cannot succeed."""


class NotFound(PermanentError):  # noqa: N818  # reads as the fact that it states
    """What the call names does not exist."""


class PermissionDenied(PermanentError):  # noqa: N818  # reads as the fact that it states
    """The credentials lack a permission, which the message names."""


class Conflict(PermanentError):  # noqa: N818  # reads as the fact that it states
    """The target changed between looking and writing. The driver looks again; nobody else retries."""


class InvalidInput(PermanentError):  # noqa: N818  # reads as the fact that it states
    """Data from outside is wrong. `problems` holds one line a problem, each naming the place and the fix."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class Misconfigured(PermanentError):  # noqa: N818  # reads as the fact that it states
    """The settings or the installation are wrong; the message says which and what to do."""
