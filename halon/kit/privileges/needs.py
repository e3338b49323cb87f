"""The least privilege that playbooks need: what the action of each step declares, narrowed by the step's constants.

A parameter that the playbook gives as a constant, or as an input that has an `enum`, narrows what is needed to these
values; what an expression gives can be anything. Guards need nothing: they ask Temporal, which a worker reaches anyway.
"""

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args, get_type_hints

from halon.contracts.base import Json, is_list
from halon.contracts.playbook import Playbook
from halon.core.library import library_of
from halon.kit.action import Action, Change, NoUndo, Permission
from halon.kit.registry import Registry
from halon.playbook.uses import Use, Values, uses_of

MAX_VALUES = 20
"""Resources that one permission of one step is narrowed to; beyond that it is not narrowed."""
_LATER = frozenset({"account", "region"})
"""Placeholders that stay in an ARN until it is known for which account it is written."""
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_UNNAMED = frozenset({"list", "watch", "deletecollection"})
"""Verbs of requests that name no object, so that a rule with names would never allow them; so is `create`, but for
subresources."""

_AWS_READS = ("BatchGet", "Describe", "Filter", "Get", "List", "Lookup", "Query", "Search", "Simulate")
"""How IAM's actions begin that only look."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that one step must be allowed."""

    playbook: str
    step: str
    action: str
    system: Literal["kubernetes", "aws", "http"]
    verb: str
    resource: str
    """As in `Permission`, with the constants filled in; for AWS `{account}` and `{region}` may still stand in it."""
    why: str
    scope: Literal["namespace", "cluster"]
    targets: tuple[str, ...] | None
    """Names of clusters or accounts; an empty name is the default one, None any."""
    namespaces: tuple[str, ...] | None
    """None: any."""
    names: tuple[str, ...]
    """Names of objects; empty: any."""
    regions: tuple[str, ...] | None
    """Of AWS; an empty name is the account's own, None any."""

    @property
    def reads(self) -> bool:
        """Whether it is for looking only."""
        if self.system == "aws":
            return self.verb.partition(":")[2].startswith(_AWS_READS)
        return self.verb in {"get", "list", "watch", "GET", "HEAD"}

    @property
    def who(self) -> tuple[str, str]:
        """Which step of which playbook."""
        return self.playbook, self.step


def needs_of(chosen: Iterable[Playbook], catalogue: Mapping[str, Playbook], registry: Registry) -> list[Need]:
    """Give what these playbooks need, with the playbooks that they call, in order and without repeats.

    Raises:
        InvalidInput: a playbook names an action that is not installed.
    """
    books: dict[str, Playbook] = {}
    for book in chosen:
        books |= {book.metadata.name: book, **library_of(book, catalogue)}
    found = [need for _, book in sorted(books.items()) for use in uses_of(book) for need in _needs(use, registry)]
    return list(dict.fromkeys(found))


def undo_actions(action: type[Action]) -> tuple[type[Change[Any]], ...]:
    """Give the actions that take a change of this action back, from what its `undo` says that it gives.

    Raises:
        NameError: the annotation names what its module does not import.
    """
    if not issubclass(action, Change) or not action.undoable:
        return ()
    given: Any = get_type_hints(cast("Any", action).undo)["return"]
    options: tuple[Any, ...] = get_args(given) or (given,)
    return tuple(one for one in options if isinstance(one, type) and one is not NoUndo)


def _needs(use: Use, registry: Registry) -> Iterator[Need]:
    action = registry.action(use.action)
    known = {**_defaults(action, use), **use.values}
    itself = list(_of_action(use, action, known))
    yield from itself
    if use.undo == "auto":
        for undo in undo_actions(action):
            shared = {name: values for name, values in known.items() if name in undo.model_fields}
            taking_back = replace(use, step=f"{use.step} (undo)", action=registry.name_of(undo))
            have = {_granted(one) for one in itself}
            yield from (one for one in _of_action(taking_back, undo, shared) if _granted(one) not in have)


def _granted(need: Need) -> tuple[object, ...]:
    """What is needed, without for what."""
    return need.system, need.verb, need.resource, need.scope, need.targets, need.namespaces, need.names, need.regions


def _of_action(use: Use, action: type[Action], known: Values) -> Iterator[Need]:
    for permission in action.permissions:
        if not _applies(permission, known):
            continue
        for verb in permission.verbs:
            for resource in _filled(permission.resource, known):
                yield _need(use, permission, verb, resource, known)


def _applies(permission: Permission, known: Values) -> bool:
    """Whether a call with these values needs the permission; what is open may need it."""
    for field, value in permission.when:
        values = _texts(known, field)
        if not (values is None or value in values or (value == "*" and any(values))):
            return False
    return True


def _need(use: Use, permission: Permission, verb: str, resource: str, known: Values) -> Need:
    kubernetes = permission.system == "kubernetes"
    namespaced = kubernetes and permission.scope == "namespace"
    return Need(
        playbook=use.playbook,
        step=use.step,
        action=use.action,
        system=permission.system,
        verb=verb,
        resource=resource,
        why=permission.why,
        scope=permission.scope,
        targets=_texts(known, "cluster" if kubernetes else "account") if permission.system != "http" else None,
        namespaces=_texts(known, "namespace", empty_is_open=True) if namespaced else None,
        names=_names(permission, verb, known) if kubernetes else (),
        regions=_texts(known, "region") if permission.system == "aws" else None,
    )


def _names(permission: Permission, verb: str, known: Values) -> tuple[str, ...]:
    subresource = permission.resource.count("/") > 1
    if not permission.name or verb in _UNNAMED or (verb == "create" and not subresource):
        return ()
    filled = _filled(permission.name, known)
    return () if any("*" in one for one in filled) else tuple(filled)


def _defaults(action: type[Action], use: Use) -> dict[str, tuple[Json, ...]]:
    """Give what parameters are that the step does not name."""
    return {
        name: (field.default,)
        for name, field in action.model_fields.items()
        if not field.is_required() and name not in use.given and isinstance(field.default, str)
    }


def _filled(template: str, known: Values) -> list[str]:
    """Put every value for every placeholder; what is open, or has too many values, becomes `*`."""
    fields = [one for one in dict.fromkeys(_PLACEHOLDER.findall(template)) if one not in _LATER]
    options = [_texts(known, one, empty_is_open=True) or ("*",) for one in fields]
    if math.prod(len(one) for one in options) > MAX_VALUES:
        options = [("*",) for _ in fields]
    chosen = (dict(zip(fields, values, strict=True)) for values in itertools.product(*options))
    return list(dict.fromkeys(put(template, one) for one in chosen))


def put(template: str, values: Mapping[str, str]) -> str:
    """Put one value for each placeholder. A resource may be named by its whole ARN, which then stands for itself."""
    arns = {name: value for name, value in values.items() if value.startswith("arn:") and template.startswith("arn:")}
    for name, value in arns.items():
        if template.endswith(f"{{{name}}}"):
            return value
    short = {name: re.split(r"[/:]", value)[-1] for name, value in arns.items()}
    return _PLACEHOLDER.sub(lambda match: {**values, **short}.get(match[1], match[0]), template)


def _texts(known: Values, name: str, *, empty_is_open: bool = False) -> tuple[str, ...] | None:
    """Give the texts that a parameter can be, one of a list each; None when it is open.

    An empty text means the default of what is in halon.yaml; of anything else it means that the action finds it itself.
    """
    if name not in known:
        return None
    flat = [one for value in known[name] for one in (value if is_list(value) else [value])]
    texts = tuple(dict.fromkeys(str(one) for one in flat if one is not None))
    return None if empty_is_open and (not texts or "" in texts) else texts
