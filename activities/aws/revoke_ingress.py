"""Take the rules out of a security group that let somebody in on a port."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._ec2 import GroupId, rehearse, tags_of, write_tags
from activities.aws._marks import PREFIX, fulfilled, intent
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.errors import NotFound
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

MAX_RULES = 100
TAG = f"{PREFIX}ingress"
GROUP = "arn:aws:ec2:{region}:*:security-group/{group}"
_ALL_PROTOCOLS, _WITH_PORTS = "-1", frozenset({"tcp", "udp", "6", "17"})


def _network(value: str) -> str:
    ip_network(value)
    return value


Network = Annotated[str, StringConstraints(max_length=50), AfterValidator(_network)]


class Rule(BaseModel, frozen=True, extra="forbid"):
    """One rule of a security group, as undoing needs it."""

    protocol: Annotated[str, StringConstraints(pattern=r"^(-1|[a-z0-9]{1,10})$", max_length=10)]
    """`tcp`, `udp`, `icmp`, a number, or `-1` for all."""
    from_port: Annotated[int, Field(ge=-1, le=65535)] | None = None
    """First port; none for rules that know no ports."""
    to_port: Annotated[int, Field(ge=-1, le=65535)] | None = None
    """Last port."""
    source: Network
    """The network that it lets in."""
    description: Annotated[str, StringConstraints(max_length=255)] = ""
    """What somebody wrote about it."""


class Ingress(State):
    """The rules of a group that are meant."""

    name: str
    rules: tuple[Rule, ...]
    tag: str


class RevokeIngress(Change[Ingress]):
    """Take the rules out of a security group that let given networks in on a port.

    A rule is taken out whole when its network holds one of `sources` and its ports have `port`: the rule's other ports
    and addresses are closed with it. Connections that are open go on until they are idle. The rules are recorded, and
    undoing puts them back with their descriptions. Rules that name other groups or prefix lists stay.

    Raises NotFound when there is no such group, and PermissionDenied with the IAM action that is missing.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("aws", ("ec2:DescribeSecurityGroups",), "*", "to see the rules"),
        Permission("aws", ("ec2:RevokeSecurityGroupIngress",), GROUP, "to take rules out"),
        Permission("aws", ("ec2:AuthorizeSecurityGroupIngress",), GROUP, "to put them back"),
        Permission("aws", ("ec2:CreateTags",), GROUP, "to leave Halon's mark"),
    )
    example: ClassVar[JsonObject] = {"group": "sg-0123456789abcdef0", "port": 22}

    group: GroupId
    """The security group."""
    port: Annotated[int, Field(ge=0, le=65535)]
    """The port that shall be closed."""
    sources: Annotated[tuple[Network, ...], Field(min_length=1, max_length=20)] = ("0.0.0.0/0", "::/0")
    """Networks, such as `203.0.113.7/32`, that shall not be let in; without it the whole internet."""
    restore: Annotated[tuple[Rule, ...], Field(max_length=MAX_RULES)] = ()
    """Rules to put back, as undoing does; without them, rules are taken out."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The group's region; without it, the account's own."""

    def target(self) -> str:
        """Name the group and the port."""
        return target(self.account, self.region, "ec2", f"security-group/{self.group}/port/{self.port}")

    async def observe(self, env: Env) -> Ingress:
        """Look at the group's rules."""
        found = await account_of(env, self.account).pages(
            "ec2", "describe_security_groups", "SecurityGroups", region=self.region, GroupIds=[self.group]
        )
        if not found:
            raise NotFound(f"there is no security group {self.group}")
        rules = [rule for one in found[0].get("IpPermissions", ()) for rule in _rules(one) if self._meant(rule)]
        return Ingress(
            name=str(found[0].get("GroupName", "")),
            rules=tuple(sorted(rules, key=_order)),
            tag=tags_of(found[0]).get(TAG, ""),
        )

    def plan(self, state: Ingress, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        wanted = self._wanted(state)
        if wanted == state.rules:
            return Nothing(f"security group {self.group} has these rules already")
        if len(state.rules) > MAX_RULES:
            return Refusal(f"{len(state.rules)} rules of group {self.group} are meant: too many at once")
        title = f"security group {self.group} ({state.name})"
        verb = f"Put {len(self.restore)} rules back into" if self.restore else f"Take {len(state.rules)} rules out of"
        return Proposal(
            summary=f"{verb} {title}",
            before=_listed(state.rules),
            after=_listed(wanted),
            rows=[
                Row(field=_said(one), before=one in state.rules, after=one in wanted)
                for one in sorted({*state.rules, *wanted}, key=_order)
            ],
            notes=() if self.restore else ("connections that are open go on until they are idle",),
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Ingress) -> Sequence[str]:
        """Let EC2 check it."""
        operation, rules = self._write(state)
        given: dict[str, Any] = {"GroupId": self.group, "IpPermissions": rules}
        await rehearse(account_of(env, self.account), self.region, operation, **given)
        return ()

    def owned(self, state: Ingress) -> JsonObject:
        """The rules that let these networks in on this port."""
        return _listed(state.rules)

    def mark(self, state: Ingress) -> str:
        """The key of the change that made it so."""
        return fulfilled(state.tag, self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Ingress, key: str) -> None:
        """Tag the group, then change its rules, all in one call."""
        account = account_of(env, self.account)
        if state.tag != intent(key, after):
            await write_tags(account, self.region, self.group, {TAG: intent(key, after)})
        operation, rules = self._write(state)
        await account.call("ec2", operation, region=self.region, GroupId=self.group, IpPermissions=rules)

    def settled(self, state: Ingress, after: JsonObject) -> Settlement:
        """Whether the rules are so."""
        done = self.owned(state) == after
        reason = f"{len(state.rules)} rules of {self.group} let these networks in on port {self.port}"
        return Settlement(state="settled" if done else "waiting", reason=reason)

    def undo(self, before: JsonObject, after: JsonObject) -> "RevokeIngress":
        """Put the rules back that were there, or take out what was put back."""
        restore = [] if self.restore else before["rules"]
        return RevokeIngress.model_validate({**self.model_dump(), "restore": restore})

    def _meant(self, rule: Rule) -> bool:
        if rule.protocol != _ALL_PROTOCOLS:
            if rule.protocol not in _WITH_PORTS or rule.from_port is None or rule.to_port is None:
                return False
            if not rule.from_port <= self.port <= rule.to_port:
                return False
        return any(_holds(rule.source, one) for one in self.sources)

    def _wanted(self, state: Ingress) -> tuple[Rule, ...]:
        return tuple(sorted({*state.rules, *self.restore}, key=_order)) if self.restore else ()

    def _write(self, state: Ingress) -> tuple[str, list[dict[str, Any]]]:
        if self.restore:
            missing = [one for one in self.restore if one not in state.rules]
            return "authorize_security_group_ingress", [_written(one, described=True) for one in missing]
        return "revoke_security_group_ingress", [_written(one, described=False) for one in state.rules]


def _holds(network: str, other: str) -> bool:
    outer, inner = ip_network(network, strict=False), ip_network(other, strict=False)
    return outer.version == inner.version and outer.supernet_of(inner)  # type: ignore[arg-type]  # of one version


def _rules(permission: dict[str, Any]) -> list[Rule]:
    """The rules of a permission that name networks: one for each network."""
    sources = [(one["CidrIp"], one) for one in permission.get("IpRanges", ())]
    sources += [(one["CidrIpv6"], one) for one in permission.get("Ipv6Ranges", ())]
    return [
        Rule(
            protocol=str(permission["IpProtocol"]),
            from_port=permission.get("FromPort"),
            to_port=permission.get("ToPort"),
            source=str(source),
            description=str(one.get("Description", "")),
        )
        for source, one in sources
    ]


def _written(rule: Rule, *, described: bool) -> dict[str, Any]:
    six = ip_network(rule.source, strict=False).version == 6  # noqa: PLR2004  # of IP
    source: dict[str, str] = {"CidrIpv6" if six else "CidrIp": rule.source}
    if described and rule.description:
        source["Description"] = rule.description
    ports = {} if rule.from_port is None else {"FromPort": rule.from_port, "ToPort": rule.to_port}
    return {"IpProtocol": rule.protocol, **ports, "Ipv6Ranges" if six else "IpRanges": [source]}


def _order(rule: Rule) -> str:
    return f"{rule.protocol}/{rule.from_port}/{rule.to_port}/{rule.source}/{rule.description}"


def _listed(rules: Sequence[Rule]) -> JsonObject:
    return {"rules": [one.model_dump(mode="json", exclude_defaults=True) for one in rules]}


def _said(rule: Rule) -> str:
    ports = "" if rule.from_port is None else f" {rule.from_port}-{rule.to_port}"
    return f"{'all' if rule.protocol == _ALL_PROTOCOLS else rule.protocol}{ports} from {rule.source}"
