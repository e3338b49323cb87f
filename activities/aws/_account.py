"""What every action on AWS shares: which account and region, and how its target is named."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import StringConstraints

from halon.clients.aws.api import Account, AwsApi
from halon.contracts.base import is_object
from halon.kit.env import Env

AccountName: TypeAlias = Annotated[str, StringConstraints(max_length=63, pattern=r"^[a-z0-9_-]*$")]
"""An account's name in halon.yaml; empty for the default one."""
Region: TypeAlias = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z0-9-]*$")]
"""A region such as `eu-west-1`; empty for the account's own."""
GLOBAL = "global"
"""Where services that know no regions are, such as IAM."""


def account_of(env: Env, name: str) -> Account:
    """Give the account of this name.

    Raises:
        Misconfigured: halon.yaml has none, or several and no default.
    """
    return env.get(AwsApi).account(name)


def target(account: str, region: str, service: str, thing: str) -> str:
    """Name a target for people and policy: `aws/prod/eu-west-1/ec2/i-0abc`."""
    return f"aws/{account or 'default'}/{region or 'default'}/{service}/{thing}"


def section(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Give a part of an answer, empty when AWS left it out."""
    found = answer.get(name)
    return found if is_object(found) else {}
