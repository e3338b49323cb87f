"""What a service account may do: the rules of the Roles and ClusterRoles that are bound to it, as they are now."""

from collections.abc import Iterator

from halon.demo.cluster.access import Rule, User
from halon.demo.cluster.objects import Json, child, is_list, namespace_of, objects
from halon.demo.cluster.resources import of_kind
from halon.demo.cluster.store import Store

_API = "rbac.authorization.k8s.io"


def user_of_account(store: Store, namespace: str, name: str, deny: tuple[Rule, ...] = ()) -> User:
    """Give the caller that a service account is at this moment."""
    return User(f"system:serviceaccount:{namespace}:{name}", tuple(_rules(store, namespace, name)), deny)


def _rules(store: Store, namespace: str, name: str) -> Iterator[Rule]:
    for binding in _all(store, "ClusterRoleBinding"):
        if _is_meant(binding, namespace, name):
            yield from _granted(store, binding, "*")
    for binding in _all(store, "RoleBinding"):
        if _is_meant(binding, namespace, name):
            yield from _granted(store, binding, namespace_of(binding))


def _all(store: Store, kind: str) -> list[Json]:
    resource = of_kind(f"{_API}/v1", kind)
    return list(store.items(resource)) if resource else []


def _is_meant(binding: Json, namespace: str, name: str) -> bool:
    """Whether a binding is for the account, or for a group that every account is in."""
    groups = {"system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"}
    for subject in objects(binding, "subjects"):
        account = (subject.get("kind"), subject.get("namespace"), subject.get("name"))
        if account == ("ServiceAccount", namespace, name):
            return True
        if subject.get("kind") == "Group" and subject.get("name") in groups:
            return True
    return False


def _granted(store: Store, binding: Json, namespace: str) -> Iterator[Rule]:
    """Give the rules of a binding's role. What the binding of a namespace grants, it grants there only."""
    reference = child(binding, "roleRef")
    kind = str(reference.get("kind"))
    resource = of_kind(f"{_API}/v1", kind)
    where = namespace_of(binding) if kind == "Role" else ""
    role = store.get(resource, where, str(reference.get("name"))) if resource else None
    for rule in objects(role or {}, "rules"):
        names = _texts(rule, "resourceNames")
        yield Rule(
            _texts(rule, "verbs"),
            _texts(rule, "apiGroups"),
            _texts(rule, "resources"),
            frozenset({namespace}),
            names or frozenset({"*"}),
        )


def _texts(rule: Json, key: str) -> frozenset[str]:
    listed = rule.get(key)
    return frozenset(str(one) for one in listed) if is_list(listed) else frozenset()
