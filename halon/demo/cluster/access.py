"""Who may do what: bearer tokens, each with the rules that allow and deny, and the reviews that tell of them."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from halon.demo.cluster.objects import Json, child
from halon.demo.cluster.resources import Resource
from halon.demo.cluster.status import ApiError, forbidden, unauthorized

READ_VERBS = frozenset({"get", "list", "watch"})
EVERYTHING = frozenset({"*"})
_ASKED = {"verb": "*", "group": "", "namespace": ""}
"""Attributes of a review, and what it means to leave them out."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Some verbs on some resources of some groups in some namespaces; a `*` stands for all, as in RBAC.

    A subresource is written `deployments/scale`; `deployments` alone does not include it. A rule with names never
    speaks of a request that names no object, such as a list.
    """

    verbs: frozenset[str] = EVERYTHING
    groups: frozenset[str] = EVERYTHING
    resources: frozenset[str] = EVERYTHING
    namespaces: frozenset[str] = EVERYTHING
    names: frozenset[str] = EVERYTHING

    def covers(self, verb: str, group: str, resource: str, namespace: str, name: str = "") -> bool:
        """Whether the rule speaks of a request; what belongs to the whole cluster has an empty namespace."""
        plural, _, subresource = resource.partition("/")
        names = {resource, "*"}
        if subresource:
            names |= {f"{plural}/*", f"*/{subresource}"}
        return (
            bool(self.verbs & {verb, "*"})
            and bool(self.groups & {group, "*"})
            and bool(self.resources & names)
            and bool(self.namespaces & {namespace, "*"})
            and bool(self.names & {name, "*"})
        )


@dataclass(frozen=True, slots=True)
class User:
    """One caller: allowed what a rule in `allow` covers, unless one in `deny` covers it too."""

    name: str
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()

    def may(self, verb: str, group: str, resource: str, namespace: str, name: str = "") -> bool:
        """Whether a request is allowed."""
        request = (verb, group, resource, namespace, name)
        return any(rule.covers(*request) for rule in self.allow) and not any(
            rule.covers(*request) for rule in self.deny
        )

    @property
    def is_unrestricted(self) -> bool:
        """Whether it may do everything, and so may also use the demonstration's own paths."""
        return Rule() in self.allow and not self.deny


ADMIN = User("admin", allow=(Rule(),))
READ_ONLY = User("read-only", allow=(Rule(verbs=READ_VERBS),))


class Access:
    """The tokens that the server knows."""

    def __init__(self) -> None:
        self._users: dict[str, Callable[[], User]] = {}

    def add(self, user: User, token: str = "") -> str:
        """Register a user under a token, a new one unless given, and return the token."""
        return self.add_changing(user.name, lambda: user, token)

    def add_changing(self, name: str, user: Callable[[], User], token: str = "") -> str:
        """Register a user whose rules are asked for at every request, and return the token."""
        token = token or f"{name}-{secrets.token_hex(8)}"
        self._users[token] = user
        return token

    def authenticate(self, authorization: str) -> User:
        """Find the user of an Authorization header.

        Raises:
            ApiError: there is no token, or nobody has it (401).
        """
        scheme, _, token = authorization.partition(" ")
        user = self._users.get(token.strip())
        if scheme.lower() != "bearer" or user is None:
            raise unauthorized()
        return user()


def refusal(user: User, verb: str, resource: Resource, subresource: str, namespace: str, name: str) -> ApiError | None:
    """Return the refusal of a request that the user may not make, in the words of RBAC."""
    plural = f"{resource.plural}/{subresource}" if subresource else resource.plural
    if user.may(verb, resource.group, plural, namespace, name):
        return None
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {verb} resource "{plural}" in API group "{resource.group}" {where}'
    return forbidden(resource, name, why)


def review(user: User, kind: str, body: Json) -> Json:
    """Answer a review about the caller's own permissions or identity."""
    if kind == "SelfSubjectReview":
        return {**body, "status": {"userInfo": {"username": user.name, "groups": ["system:authenticated"]}}}
    if kind == "SelfSubjectRulesReview":
        return {**body, "spec": child(body, "spec"), "status": _rules(user, str(child(body, "spec").get("namespace")))}
    asked = child(body, "spec", "resourceAttributes")
    if not asked:
        path_allowed = bool(child(body, "spec", "nonResourceAttributes"))
        return {**body, "status": {"allowed": path_allowed}}
    plural = str(asked.get("resource") or "*")
    if asked.get("subresource"):
        plural = f"{plural}/{asked['subresource']}"
    verb, group, where = (str(asked.get(key) or default) for key, default in _ASKED.items())
    allowed = user.may(verb, group, plural, where, str(asked.get("name") or ""))
    status: Json = {"allowed": allowed}
    if not allowed:
        status["reason"] = f'no rule of "{user.name}" allows it'
    return {**body, "status": status}


def _rules(user: User, namespace: str) -> Json:
    """List what is allowed in a namespace; rules that deny cannot be written there, so then the list is incomplete."""
    return {
        "incomplete": bool(user.deny),
        "resourceRules": [
            {
                "verbs": sorted(rule.verbs),
                "apiGroups": sorted(rule.groups),
                "resources": sorted(rule.resources),
                **({} if "*" in rule.names else {"resourceNames": sorted(rule.names)}),
            }
            for rule in user.allow
            if rule.namespaces & {namespace, "*"}
        ],
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/version", "/api", "/api/*", "/apis", "/apis/*"]}],
    }
