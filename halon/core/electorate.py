"""Who may decide a question: those who are asked, as far as they have the right, and who may decide in their place."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from halon.contracts.people import (
    GROUP,
    Deputy,
    Elector,
    Electorate,
    ElectorateRequest,
    Right,
)
from halon.core.directory import Directory


def electorate(
    directory: Directory,
    request: ElectorateRequest,
    labels: Mapping[str, str],
    *,
    trust: Literal["namespace", "signed"],
    unreachable: Mapping[str, str],
) -> Electorate:
    """Find who may decide.

    `labels` are those of what it is about, with the installation's own; `unreachable` says why the members of a group
    could not be found.
    """
    if directory.is_empty:
        return Electorate(anyone=True, trust=trust)
    named = {reference: directory.members(reference) for reference in request.from_}
    asked_as: dict[str, list[str]] = {}
    for reference, members in named.items():
        for person in members or ():
            asked_as.setdefault(person, []).append(reference)
    if not request.from_:
        asked_as = {person: [] for person in directory.people}
    able = {person for person in asked_as if directory.may(person, Right.DECIDE, labels)}
    started = directory.who(request.started_by)
    return Electorate(
        trust=trust,
        electors=tuple(_elector(directory, request, person, asked_as[person]) for person in sorted(able)),
        groups=tuple(_groups(directory, request, labels)),
        breakers=tuple(
            _elector(directory, request, person)
            for person in sorted(directory.people)
            if directory.may(person, Right.BREAK_GLASS, labels)
        ),
        starter=None if started is None else _elector(directory, request, started),
        missing=tuple(_missing(named, unreachable, sorted(asked_as.keys() - able) if request.from_ else ())),
    )


def _elector(directory: Directory, request: ElectorateRequest, person: str, references: Sequence[str] = ()) -> Elector:
    whose = directory.people[person]
    deputies = [
        Deputy(person=deputy, names=directory.people[deputy].names, from_=one.from_, until=one.until)
        for one in whose.delegates
        if one.until > request.at and (deputy := directory.who(one.to)) is not None
    ]
    return Elector(person=person, names=whose.names, asked_as=tuple(references), deputies=tuple(deputies))


def _groups(directory: Directory, request: ElectorateRequest, labels: Mapping[str, str]) -> Iterator[str]:
    """Give the groups that a proof may put somebody into, and whose members then have the right."""
    asked = [one.removeprefix(GROUP) for one in request.from_ if one.startswith(GROUP)] if request.from_ else None
    for group in sorted(directory.open if asked is None else directory.open & frozenset(asked)):
        if directory.may("", Right.DECIDE, labels, groups=(group,)):
            yield group


def _missing(
    named: Mapping[str, tuple[str, ...] | None], unreachable: Mapping[str, str], unable: Sequence[str]
) -> Iterator[str]:
    for reference, members in named.items():
        why = unreachable.get(reference.removeprefix(GROUP), "") if reference.startswith(GROUP) else ""
        if why:
            yield f"{reference}: {why}"
        elif members is None:
            yield f"{reference}: nobody in halon.yaml is called so"
        elif not members:
            yield f"{reference}: it has no members now"
    for person in unable:
        yield f"{person}: has no right to decide here"
