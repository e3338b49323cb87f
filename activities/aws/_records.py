"""What the actions on Route 53's records share: how records are read, exchanged in one piece, and marked.

A batch of changes is all or nothing, and a DELETE in it must give the record exactly as it is. So a record is changed
by DELETE and CREATE in one batch: what somebody changed since it was seen makes AWS refuse the whole batch, and
resolvers never see the record missing.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import StringConstraints

from activities.aws._account import GLOBAL, account_of, target
from activities.aws._answers import inner, listed
from activities.aws._intent import WITHDRAWN, Intent, intent, tag_name, tag_value, tags_of
from halon.clients.aws.failures import AwsRefusal
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement
from halon.errors import Conflict, InvalidInput
from halon.kit.action import Permission, State
from halon.kit.env import Env

ZoneId: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=r"^[A-Z0-9]+$")]
"""A hosted zone's id, such as `Z0123456789ABC`."""
RecordName: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9_*-]+(\.[a-zA-Z0-9_-]+)*\.?$")
]
"""A record's full name, such as `shop.example.com`."""
RecordType: TypeAlias = Literal["A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "NAPTR", "PTR", "SPF", "SRV", "SVCB", "TXT"]
SetId: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""What tells records of one name apart."""

ZONE = "arn:aws:route53:::hostedzone/{zone}"
LOOK = (
    Permission("aws", ("route53:ListResourceRecordSets", "route53:ListTagsForResource"), ZONE, "to see what is there"),
    Permission(
        "aws",
        ("route53:GetHealthCheckStatus",),
        "arn:aws:route53:::healthcheck/*",
        "to see which side is well",
    ),
    Permission("aws", ("route53:GetChange",), "arn:aws:route53:::change/*", "to see when all servers know the change"),
)
WRITE = Permission(
    "aws",
    ("route53:ChangeResourceRecordSets", "route53:ChangeTagsForResource"),
    ZONE,
    "to change records, with Halon's mark on the zone",
)
MAX_RECORDS = 100
_PART = "records"
_SPREADS = timedelta(minutes=2)
"""After this every server knows a change; AWS says that it takes up to one minute."""
_HEALTHY = 0.18
"""A health check is green when more than this share of its checkers say so."""
_ESCAPE = re.compile(r"\\(\d{3})")


class Record(State):
    """One of the records that share a name and type."""

    identifier: str
    weight: int | None
    failover: str
    """PRIMARY, SECONDARY or empty."""
    health_check: str
    health: Literal["green", "red", "unknown", "unchecked"]
    raw: JsonObject
    """As AWS gives it."""

    @property
    def worry(self) -> str:
        """Why traffic had better not go there; empty when it may."""
        if self.health == "red":
            return f"the health check of {self.identifier} is red"
        return f"the health check of {self.identifier} cannot be read" if self.health == "unknown" else ""


class Records(State):
    """The records of one name and type, and how far the last change has spread."""

    account: str
    zone: str
    title: str
    records: tuple[Record, ...]
    tags: dict[str, str]
    spread: str
    """PENDING or INSYNC, of Halon's last change in this zone; empty when its id is not known."""
    age: float
    """Seconds since Halon's last change in this zone; 0 when there is none."""

    @property
    def intent(self) -> Intent:
        """Halon's mark."""
        return intent(self.tags, _PART)

    async def exchange(self, env: Env, key: str, owned: JsonObject, changed: Mapping[str, Mapping[str, Any]]) -> None:
        """Change fields of records, all or none, if they are still as they were seen.

        Args:
            env: where AWS is reached.
            key: the idempotency key.
            owned: what the change starts from.
            changed: new fields by the record's identifier.

        Raises:
            Conflict: a record is no longer as it was seen.
        """
        now = str(int(env.now().timestamp()))
        if not self.intent.stands(key, owned):
            await self._tag(env, tag_value(key, owned, now))
        ours = [one for one in self.records if one.identifier in changed]
        batch = [{"Action": "DELETE", "ResourceRecordSet": one.raw} for one in ours]
        batch += [{"Action": "CREATE", "ResourceRecordSet": {**one.raw, **changed[one.identifier]}} for one in ours]
        try:
            answer = await account_of(env, self.account).call(
                "route53",
                "change_resource_record_sets",
                HostedZoneId=self.zone,
                ChangeBatch={"Comment": f"Halon {key}"[:256], "Changes": batch},
            )
        except (AwsRefusal, InvalidInput) as error:
            await self._tag(env, WITHDRAWN)
            if _overtaken(str(error)):
                raise Conflict(str(error)) from error
            raise
        change = str(inner(answer, "ChangeInfo").get("Id", "")).rpartition("/")[2]
        await self._tag(env, tag_value(key, owned, f"{now} {change}"))

    async def _tag(self, env: Env, value: str) -> None:
        await account_of(env, self.account).call(
            "route53",
            "change_tags_for_resource",
            ResourceType="hostedzone",
            ResourceId=self.zone,
            AddTags=[{"Key": tag_name(_PART), "Value": value}],
        )

    def progress(self) -> Settlement:
        """Tell whether all of Route 53's servers know the change that is there."""
        if self.spread == "INSYNC":
            return Settlement(
                state="settled", reason="all servers of Route 53 know it; resolvers keep what they have for its TTL"
            )
        if self.spread:
            return Settlement(state="waiting", reason="Route 53's servers are being told")
        if self.intent.key and self.age < _SPREADS.total_seconds():
            return Settlement(state="waiting", reason="the change's id was lost, so it is given two minutes to spread")
        return Settlement(state="settled", reason="it is written; the time that it takes to spread is over")


async def look(env: Env, account: str, zone: str, name: str, kind: str) -> Records:
    """Look at the records of a name and type, at their health checks, and at the last change.

    Raises:
        NotFound: there is no such zone.
        HalonError: whatever else asking AWS meets.
    """
    api = account_of(env, account)
    answer, tags = await asyncio.gather(
        api.call(
            "route53",
            "list_resource_record_sets",
            HostedZoneId=zone,
            StartRecordName=name,
            StartRecordType=kind,
            MaxItems=str(MAX_RECORDS),
        ),
        api.call("route53", "list_tags_for_resource", ResourceType="hostedzone", ResourceId=zone),
    )
    found = [
        one
        for one in listed(answer, "ResourceRecordSets")
        if plain(str(one.get("Name", ""))) == plain(name) and one.get("Type") == kind
    ]
    checks = sorted({str(one["HealthCheckId"]) for one in found if one.get("HealthCheckId")})
    health = dict(zip(checks, await asyncio.gather(*(_health(env, account, one) for one in checks)), strict=True))
    ours = tags_of(inner(tags, "ResourceTagSet").get("Tags"))
    at, _, change = intent(ours, _PART).more.partition(" ")
    spread = await api.call("route53", "get_change", Id=change) if change else {}
    return Records(
        account=account,
        zone=zone,
        title=f"{kind} {plain(name)}",
        records=tuple(_record(one, health) for one in found),
        tags=ours,
        spread=str(inner(spread, "ChangeInfo").get("Status", "")),
        age=_age(env, at),
    )


def plain(name: str) -> str:
    r"""Write a name as people do: AWS gives `\052.example.com.` for `*.example.com`."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), name).lower().rstrip(".")


def record_target(account: str, zone: str, name: str, kind: str) -> str:
    """Name the records for people and policy."""
    return target(account, GLOBAL, "route53", f"{zone}/{plain(name)}/{kind}")


def worries(records: Sequence[Record]) -> str:
    """Why traffic had better not go to these; empty when it may."""
    return "; ".join(one.worry for one in records if one.worry)


def _age(env: Env, at: str) -> float:
    if not at.isdigit():
        return 0.0
    return max((env.now() - datetime.fromtimestamp(int(at), UTC)).total_seconds(), 0.0)


def _record(one: dict[str, Any], health: Mapping[str, Literal["green", "red", "unknown"]]) -> Record:
    check = str(one.get("HealthCheckId", ""))
    weight = one.get("Weight")
    return Record(
        identifier=str(one.get("SetIdentifier", "")),
        weight=None if weight is None else int(weight),
        failover=str(one.get("Failover", "")),
        health_check=check,
        health=health[check] if check else "unchecked",
        raw=one,
    )


async def _health(env: Env, account: str, check: str) -> Literal["green", "red", "unknown"]:
    """Ask the checkers. Of calculated checks, and of those of an alarm, AWS gives no status here."""
    try:
        answer = await account_of(env, account).call("route53", "get_health_check_status", HealthCheckId=check)
    except (AwsRefusal, InvalidInput):
        return "unknown"
    said = [str(inner(one, "StatusReport").get("Status", "")) for one in listed(answer, "HealthCheckObservations")]
    if not said:
        return "unknown"
    return "green" if sum(1 for one in said if one.startswith("Success")) > _HEALTHY * len(said) else "red"


def _overtaken(said: str) -> bool:
    """Whether AWS refused a batch because a record is not as the batch says."""
    return any(word in said for word in ("not found", "do not match", "already exists"))
