"""Roles for Kubernetes: what is needed in which namespace, in as few rules as say it, each with who needs it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from halon.errors import InvalidInput
from halon.kit.privileges.needs import Need

Who: TypeAlias = tuple[str, str]
"""Playbook and step."""
CLUSTER = ""
"""The place of what is granted in the whole cluster."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """For whom roles are written."""

    cluster: str | None = None
    """Only what this cluster needs; None for what any of them does."""
    default: str = ""
    """The cluster that is meant when a playbook names none."""
    namespaces: tuple[str, ...] = ()
    """Where what may be in any namespace is granted; none: in the whole cluster."""
    namespaced: bool = False
    """Grant nothing in the whole cluster, and leave out what needs it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a role."""

    group: str
    resources: tuple[str, ...]
    names: tuple[str, ...]
    verbs: tuple[str, ...]
    reasons: tuple[tuple[tuple[str, ...], tuple[Who, ...]], ...]
    """Verbs, and which steps need them."""


@dataclass(frozen=True, slots=True)
class Roles:
    """What is granted where."""

    rules: dict[str, tuple[Rule, ...]]
    """By namespace; `CLUSTER` is the whole cluster."""
    left_out: tuple[Need, ...]
    """What only the whole cluster can grant, and was not to be."""


@dataclass(slots=True)
class _Grants:
    """Who needs a verb, by place, resource, object's name (empty: any) and verb."""

    who: dict[tuple[str, str, str, str], dict[Who, None]] = field(
        default_factory=dict[tuple[str, str, str, str], dict[tuple[str, str], None]]
    )

    def add(self, key: tuple[str, str, str, str], who: Iterable[Who]) -> None:
        self.who.setdefault(key, {}).update(dict.fromkeys(who))

    def merge(self) -> None:
        """Let what is granted more widely cover what is granted more narrowly."""
        for place, resource, name, verb in list(self.who):
            wider = [(CLUSTER, resource, "", verb), (place, resource, "", verb), (CLUSTER, resource, name, verb)]
            for key in wider:
                if key in self.who and key != (place, resource, name, verb):
                    self.add(key, self.who.pop((place, resource, name, verb)))
                    break


def roles_of(needs: Sequence[Need], wanted: Wanted) -> Roles:
    """Give the roles that grant these needs.

    Raises:
        InvalidInput: everything is to be granted in namespaces, and none is known for a step.
    """
    grants = _Grants()
    left_out: list[Need] = []
    for need in needs:
        if need.system != "kubernetes" or not concerns(need, wanted):
            continue
        where = places(need, wanted)
        if not where:
            left_out.append(need)
        for place in where:
            for name in need.names or ("",):
                grants.add((place, need.resource, name, need.verb), [need.who])
    grants.merge()
    granted = sorted({place for place, *_ in grants.who})
    return Roles({place: tuple(_rules(place, grants)) for place in granted}, tuple(left_out))


def concerns(need: Need, wanted: Wanted) -> bool:
    """Whether a step may act on the cluster that is asked for."""
    if wanted.cluster is None or need.targets is None:
        return True
    return wanted.cluster in {one or wanted.default for one in need.targets}


def places(need: Need, wanted: Wanted) -> tuple[str, ...]:
    """Give where a step needs it: in which namespaces, or in the whole cluster.

    Raises:
        InvalidInput: nothing is to be granted in the whole cluster, and no namespace is known.
    """
    if need.scope == "cluster":
        return () if wanted.namespaced else (CLUSTER,)
    if need.namespaces is not None:
        return need.namespaces
    if wanted.namespaces:
        return wanted.namespaces
    if wanted.namespaced:
        playbook, step = need.who
        raise InvalidInput(
            f"step {step} of playbook {playbook} may act in any namespace: say in which it may with --namespace"
        )
    return (CLUSTER,)


def _rules(place: str, grants: _Grants) -> list[Rule]:
    """Give the rules of one place, one for each resource and set of verbs, with all the names that share them.

    Resources of one group that the same steps need in the same way share a rule too.
    """
    verbs: dict[tuple[str, str], dict[str, dict[Who, None]]] = {}
    for (where, resource, name, verb), who in grants.who.items():
        if where == place:
            verbs.setdefault((resource, name), {})[verb] = who
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (resource, name), found in verbs.items():
        alike.setdefault((resource, tuple(sorted(found)) if name else ()), []).append(name)
    rules: dict[tuple[object, ...], Rule] = {}
    for (resource, _), names in sorted(alike.items()):
        needed: dict[str, dict[Who, None]] = {}
        for name in names:
            for verb, who in verbs[resource, name].items():
                needed.setdefault(verb, {}).update(who)
        group, _, plural = resource.partition("/")
        named = tuple(sorted(one for one in names if one))
        reasons = _reasons(needed)
        same = (group, reasons, plural if named else "", named)
        before = rules[same].resources if same in rules else ()
        rules[same] = Rule(group, (*before, plural), named, tuple(sorted(needed)), reasons)
    return list(rules.values())


def _reasons(needed: dict[str, dict[Who, None]]) -> tuple[tuple[tuple[str, ...], tuple[Who, ...]], ...]:
    """Put verbs together that the same steps need."""
    alike: dict[tuple[Who, ...], list[str]] = {}
    for verb, who in sorted(needed.items()):
        alike.setdefault(tuple(sorted(who)), []).append(verb)
    return tuple((tuple(verbs), who) for who, verbs in alike.items())


def reason(verbs: Sequence[str], who: Sequence[Who]) -> str:
    """Say which steps need these verbs: `get, list: crashloop-rollback (owner, history)`."""
    steps: dict[str, list[str]] = {}
    for playbook, step in who:
        steps.setdefault(playbook, []).append(step)
    said = ", ".join(f"{playbook} ({', '.join(names)})" for playbook, names in steps.items())
    return f"{', '.join(verbs)}: {said}"
