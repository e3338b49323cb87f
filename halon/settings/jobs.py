"""The containers that playbooks may start by name: `kubernetes.jobs`. Nothing that is not here is ever started."""

import re
from datetime import timedelta
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from halon.contracts.base import Duration
from halon.redaction import is_secret_key
from halon.settings.section import Section

MAX_ARGUMENTS = 20
MAX_ARGUMENT = 500
JobName: TypeAlias = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
"""Name of a job in halon.yaml: at most 40 characters, for Kubernetes puts it into a label with more behind it."""
_DnsLabel: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
_SCRIPT = re.compile(r"-[a-z]*c")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


class JobTemplate(Section):
    """A container that playbooks may start."""

    image: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}$")]
    command: Annotated[tuple[Annotated[str, StringConstraints(max_length=4000)], ...], Field(max_length=50)] = ()
    """What it runs; without it, what its image does. Arguments come behind it, a word each: no shell reads them."""
    namespace: _DnsLabel
    service_account: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")] | None = None
    """Whose token it gets. Without it: none."""
    user: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    """The user id that it runs as. Without it the image's own, which must not be root."""
    cpu: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}m?$")] = "500m"
    memory: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}(Ki|Mi|Gi)?$")] = "256Mi"
    deadline: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=6))] = timedelta(minutes=5)
    """When Kubernetes stops it."""
    keep: Annotated[Duration, Field(ge=timedelta(hours=1), le=timedelta(days=30))] = timedelta(days=1)
    """How long it is kept after its end: so long a repetition is known, and its outcome can be seen."""
    env: Annotated[
        dict[
            Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")],
            Annotated[str, StringConstraints(max_length=4000)],
        ],
        Field(max_length=50),
    ] = {}
    """Variables, none of them a secret."""
    scratch: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._/-]{1,200}$")], ...], Field(max_length=5)
    ] = ()
    """Directories that it may write to, 64 MiB each; its own file system is read-only."""
    max_arguments: Annotated[int, Field(ge=0, le=MAX_ARGUMENTS)] = 0
    """How many arguments a playbook may give it."""
    argument: Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_pattern)] = (
        "[A-Za-z0-9][A-Za-z0-9._:/@=,+-]*"
    )
    """What each of them must be as a whole, as a regular expression. By default none begins with a dash."""
    undo: JobName | None = None
    """The job that takes it back, which gets the same arguments. Without it nothing does."""

    @model_validator(mode="after")
    def _safe(self) -> "JobTemplate":
        if self.max_arguments and self.command and _SCRIPT.fullmatch(self.command[-1]):
            raise ValueError(
                f"`command` ends with {self.command[-1]}, so that the first argument of a playbook would be a script: "
                "put the script into the command or the image"
            )
        secret = next((name for name in self.env if is_secret_key(name)), None)
        if secret is not None:
            raise ValueError(
                f"`env.{secret}` would be a secret that everybody can read: let the service account get it"
            )
        return self


def check_jobs(jobs: dict[str, JobTemplate]) -> dict[str, JobTemplate]:
    """Check that what takes a job back is there, and can be given the same arguments.

    Raises:
        ValueError: it is not, or cannot.
    """
    for name, one in jobs.items():
        if one.undo is None:
            continue
        back = jobs.get(one.undo)
        if back is None or one.undo == name:
            raise ValueError(f"`{name}.undo` names {one.undo}, which is no other job under `jobs`")
        if back.namespace != one.namespace or back.max_arguments < one.max_arguments:
            raise ValueError(f"`{one.undo}` takes {name} back: give it the same `namespace` and `max_arguments`")
    return jobs
