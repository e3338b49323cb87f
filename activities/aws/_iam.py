"""What the actions on IAM share: principals, their tags and inline policies, and whom Halon itself acts as.

IAM is one for all regions, and answers of it may be some seconds old: a change is confirmed by looking again.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import StringConstraints

from halon.clients.aws.api import Account
from halon.clients.aws.failures import AwsNotFound
from halon.contracts.base import is_list, is_object
from halon.errors import PermanentError
from halon.kit.action import Permission

UserName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+=,.@-]+$", max_length=64)]
RoleName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+=,.@-]+$", max_length=64)]
KeyId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{16,128}$", max_length=128)]
PolicyArn: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^(arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9_+=,.@/-]+)?$", max_length=600),
]
Kind: TypeAlias = Literal["user", "role"]
_ROOT = ":root"


def on(kind: Kind, verbs: Sequence[str], why: str) -> tuple[Permission, ...]:
    """Permissions on a user or a role, whose ARN may have a path before the name."""
    places = (f"arn:aws:iam::*:{kind}/{{{kind}}}", f"arn:aws:iam::*:{kind}/*/{{{kind}}}")
    return tuple(Permission("aws", tuple(verbs), place, why) for place in places)


def named(kind: Kind, name: str) -> dict[str, Any]:
    """Give the parameter that names a user or a role."""
    return {"UserName" if kind == "user" else "RoleName": name}


async def tags(account: Account, kind: Kind, name: str) -> dict[str, str]:
    """Read the tags of a user or a role.

    Raises:
        NotFound: there is no such user or role.
    """
    found = await account.pages("iam", f"list_{kind}_tags", "Tags", **named(kind, name))
    return {str(one["Key"]): str(one["Value"]) for one in found}


async def write_tag(account: Account, kind: Kind, name: str, tag: str, value: str) -> None:
    """Write one tag of a user or a role."""
    await account.call("iam", f"tag_{kind}", Tags=[{"Key": tag, "Value": value}], **named(kind, name))


async def inline_policy(account: Account, kind: Kind, name: str, policy: str) -> dict[str, Any] | None:
    """Read an inline policy; None when there is none of that name.

    Raises:
        NotFound: there is no such user or role.
        PermanentError: what AWS gives is no policy.
    """
    try:
        answer = await account.call("iam", f"get_{kind}_policy", PolicyName=policy, **named(kind, name))
    except AwsNotFound:
        return None
    document = answer.get("PolicyDocument")
    read = json.loads(document) if isinstance(document, str) else document
    if not is_object(read):
        raise PermanentError(f"the inline policy {policy} of {kind} {name} is no policy")
    return read


def statements(document: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Give the statements of a policy, which may hold one or a list."""
    found = (document or {}).get("Statement", [])
    listed: list[Any] = found if is_list(found) else [found]
    return [one for one in listed if is_object(one)]


async def myself(account: Account) -> tuple[Kind | Literal["root"], str]:
    """Who Halon is in this account: a user or a role, by name."""
    arn = (await account.identity())["arn"]
    resource = arn.split(":", 5)[5] if arn.count(":") >= 5 else ""  # noqa: PLR2004  # an ARN has six parts
    kind, _, rest = resource.partition("/")
    if kind == "assumed-role":
        return "role", rest.partition("/")[0]
    return ("user", rest.rpartition("/")[2]) if kind == "user" else ("root", "")
