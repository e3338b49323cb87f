"""Policies for AWS: the statements that playbooks need in one account, in documents that IAM takes.

A managed policy holds 6,144 characters without white space (IAM's quotas), so what does not fit goes into another one.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from halon.kit.privileges.needs import Need, put

MAX_POLICY = 6144
"""Characters of a managed policy, white space not counted."""
MAX_ATTACHED = 10
"""Managed policies that a role takes, as long as the quota was not raised."""
MAX_REGIONS = 5
"""Regions that an ARN is written for one by one; beyond that it is written for all."""
_NAMED = 3
"""Playbooks that a statement's id names; the others are counted."""
_OWNED_BY_AWS = re.compile(r"arn:aws[a-z-]*:ssm:[^:]*:\*:document/")
"""What may belong to AWS itself, and then has no account in its ARN."""


@dataclass(frozen=True, slots=True)
class AwsAccount:
    """An account of halon.yaml, as far as it is known there."""

    name: str = ""
    account_id: str = ""
    region: str = ""
    regions: tuple[str, ...] = ()
    """Where it may act; empty: anywhere."""
    is_default: bool = True


@dataclass(frozen=True, slots=True)
class Statement:
    """What some playbooks may do with some resources."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    who: tuple[tuple[str, str], ...]

    def document(self, sid: str) -> dict[str, Any]:
        """Give it as IAM writes it."""
        return {"Sid": sid, "Effect": "Allow", "Action": list(self.actions), "Resource": list(self.resources)}


@dataclass(frozen=True, slots=True)
class AwsPolicy:
    """One managed policy."""

    name: str
    account: AwsAccount
    statements: tuple[tuple[str, Statement], ...]
    """With their ids."""

    def document(self) -> dict[str, Any]:
        """Give the policy document."""
        return {"Version": "2012-10-17", "Statement": [one.document(sid) for sid, one in self.statements]}


def policies_of(needs: Sequence[Need], account: AwsAccount, name: str = "halon") -> list[AwsPolicy]:
    """Give the policies for the role that Halon has in this account."""
    prefix = f"{name}-{account.name}" if account.name else name
    pages = list(_pages(_with_ids(_small(statements_of(needs, account)))))
    return [
        AwsPolicy(prefix if len(pages) == 1 else f"{prefix}-{number}", account, tuple(page))
        for number, page in enumerate(pages, 1)
    ]


def statements_of(needs: Iterable[Need], account: AwsAccount) -> list[Statement]:
    """Give what is needed in this account: actions that the same playbooks need on the same resources together."""
    who: dict[tuple[str, str], dict[tuple[str, str], None]] = {}
    for need in needs:
        if need.system == "aws" and concerns(need, account):
            for arn in arns(need, account):
                who.setdefault((need.verb, arn), {})[need.who] = None
    for verb, arn in list(who):
        if arn != "*" and (verb, "*") in who:
            who[verb, "*"].update(who.pop((verb, arn)))
    resources: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
    for (verb, arn), needed_by in who.items():
        resources.setdefault((verb, tuple(sorted(needed_by))), []).append(arn)
    actions: dict[tuple[tuple[str, ...], tuple[str, ...]], list[tuple[str, tuple[tuple[str, str], ...]]]] = {}
    for (verb, steps), on in resources.items():
        books = tuple(dict.fromkeys(playbook for playbook, _ in steps))
        actions.setdefault((books, tuple(sorted(on))), []).append((verb, steps))
    return [
        Statement(
            tuple(sorted({verb for verb, _ in found})), on, tuple(sorted({one for _, steps in found for one in steps}))
        )
        for (_, on), found in sorted(actions.items())
    ]


def concerns(need: Need, account: AwsAccount) -> bool:
    """Whether a step may act in this account."""
    if need.targets is None or not account.name:
        return True
    return account.name in need.targets or (account.is_default and "" in need.targets)


def arns(need: Need, account: AwsAccount) -> Iterator[str]:
    """Fill account and region into the need's resource."""
    regions = [one or account.region or "*" for one in need.regions] if need.regions is not None else []
    regions = regions or list(account.regions)
    if not regions or "*" in regions or len(regions) > MAX_REGIONS:
        regions = ["*"]
    found: dict[str, None] = {}
    for region in regions:
        values = {"region": region, "account": account.account_id or "*"}
        arn = put(need.resource, values)
        found[_narrowed(arn, region, account.account_id)] = None
    return iter(found)


def _narrowed(arn: str, region: str, account_id: str) -> str:
    """Put the region and the account where an ARN leaves them open."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":  # noqa: PLR2004  # arn:partition:service:region:account:resource
        return arn
    if parts[3] == "*":
        parts[3] = region
    if parts[4] == "*" and account_id and not _OWNED_BY_AWS.match(arn):
        parts[4] = account_id
    return ":".join(parts)


def _small(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Halve what alone is too much for a policy, by resources or by actions."""
    for one in statements:
        if _size([one.document("x" * 64)]) <= MAX_POLICY:
            yield one
            continue
        by = "resources" if len(one.resources) > 1 else "actions"
        many: tuple[str, ...] = getattr(one, by)
        middle = len(many) // 2
        for part in (many[:middle], many[middle:]):
            changed = {"actions": one.actions, "resources": one.resources, by: part}
            yield from _small([Statement(changed["actions"], changed["resources"], one.who)])


def _with_ids(statements: Iterable[Statement]) -> Iterator[tuple[str, Statement]]:
    taken: dict[str, int] = {}
    for one in statements:
        base = _sid(one)
        taken[base] = taken.get(base, 0) + 1
        yield f"{base}{taken[base]}", one


def _sid(statement: Statement) -> str:
    """Name the playbooks in letters and digits, which is all that IAM takes."""
    books = list(dict.fromkeys(playbook for playbook, _ in statement.who))
    named = "".join("".join(word.capitalize() for word in book.split("-"))[:40] for book in books[:_NAMED])
    more = len(books) - _NAMED
    return f"{named}And{more}More" if more > 0 else named


def _pages(statements: Iterable[tuple[str, Statement]]) -> Iterator[list[tuple[str, Statement]]]:
    page: list[tuple[str, Statement]] = []
    for sid, one in statements:
        if page and _size([each.document(name) for name, each in [*page, (sid, one)]]) > MAX_POLICY:
            yield page
            page = []
        page.append((sid, one))
    if page:
        yield page


def _size(statements: Sequence[dict[str, Any]]) -> int:
    document = {"Version": "2012-10-17", "Statement": statements}
    return len(json.dumps(document, separators=(",", ":")))
