"""What the actions on GitLab share: names, and permissions."""

from typing import Annotated, TypeAlias

from pydantic import Field, StringConstraints

from halon.kit.action import Permission

Project: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*){1,20}$", max_length=300),
]
Ref: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$", max_length=255)]
PipelineId: TypeAlias = Annotated[int, Field(ge=1, le=2**53)]

READ = Permission("http", ("GET",), "/api/v4/projects/{project}", "scope `read_api`, role Reporter")
WRITE = Permission("http", ("POST",), "/api/v4/projects/{project}", "scope `api`, role Developer")
