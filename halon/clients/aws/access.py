"""Asking IAM what Halon's own credentials may do in an account, by simulation of the policies that they have."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from halon.clients.aws.api import Account
from halon.errors import NotFound, PermanentError

MAX_ACTIONS = 50
"""Actions of one question."""
_ASSUMED = re.compile(r"(arn:aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/.+")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What IAM says of one action on one resource."""

    allowed: bool
    problem: str = ""
    """Why not, or why that is not known."""
    known: bool = True


async def principal(account: Account) -> str:
    """Give the ARN of the user or role whose policies count.

    Raises:
        PermanentError: Halon is somebody whose policies IAM cannot simulate.
        HalonError: nobody tells who Halon is.
    """
    arn = (await account.identity())["arn"]
    assumed = _ASSUMED.fullmatch(arn)
    if assumed:
        try:  # the name of a session leaves the role's path out
            return str((await account.call("iam", "get_role", RoleName=assumed[3]))["Role"]["Arn"])
        except (NotFound, PermanentError):
            return f"{assumed[1]}:iam::{assumed[2]}:role/{assumed[3]}"
    if ":user/" not in arn:
        raise PermanentError(f"AWS account {account.name}: IAM simulates users and roles, and Halon is {arn}")
    return arn


async def simulate(account: Account, who: str, actions: Sequence[str], resource: str) -> Mapping[str, Ruling]:
    """Ask whether somebody may do these actions, at most `MAX_ACTIONS`, on one resource.

    Policies of the resource itself are not in it, and neither is what narrowed a session. An action that IAM says
    nothing of is not in the answer.

    Raises:
        PermissionDenied: Halon may not ask; the IAM action is `iam:SimulatePrincipalPolicy`.
        HalonError: whatever else a call meets.
    """
    found = await account.pages(
        "iam",
        "simulate_principal_policy",
        "EvaluationResults",
        PolicySourceArn=who,
        ActionNames=list(actions),
        ResourceArns=[resource],
    )
    return dict(_rulings(found))


def _rulings(found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Ruling]]:
    for one in found:
        missing = [str(key) for key in one.get("MissingContextValues", ())]
        organisation = one.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True)
        boundary = one.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True)
        name, decision = str(one["EvalActionName"]), one["EvalDecision"]
        if decision == "allowed" and organisation and boundary:
            yield name, Ruling(allowed=True)
        elif decision == "explicitDeny":
            yield name, Ruling(allowed=False, problem="a policy denies it")
        elif not organisation:
            yield name, Ruling(allowed=False, problem="the organisation's policies do not allow it")
        elif not boundary:
            yield name, Ruling(allowed=False, problem="the permissions boundary does not allow it")
        elif missing:
            unknown = f"it depends on {', '.join(sorted(missing))}, which only a real request has"
            yield name, Ruling(allowed=False, problem=unknown, known=False)
        else:
            yield name, Ruling(allowed=False, problem="no policy allows it")
