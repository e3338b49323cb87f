"""What the actions on GitHub share: names, and permissions."""

from typing import Annotated, TypeAlias

from pydantic import Field, StringConstraints

from halon.kit.action import Permission

Repository: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9_.-]*[A-Za-z0-9_-]$", max_length=140)
]
WorkflowName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=200)]
RunId: TypeAlias = Annotated[int, Field(ge=1, le=2**53)]

READ = Permission("http", ("GET",), "/repos/{repository}/actions", "repository permission `Actions` (read)")
WRITE = Permission("http", ("POST", "PUT"), "/repos/{repository}/actions", "repository permission `Actions` (write)")
