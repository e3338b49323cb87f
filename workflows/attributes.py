"""Search attributes, so that Temporal's own list can filter by what Halon knows. `halon setup` registers them."""

from typing import Any, TypeAlias

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate

from halon.contracts.run import SearchAttribute

SERVICE = SearchAttributeKey.for_keyword(SearchAttribute.SERVICE)
SEVERITY = SearchAttributeKey.for_keyword(SearchAttribute.SEVERITY)
PLAYBOOK = SearchAttributeKey.for_keyword(SearchAttribute.PLAYBOOK)
INCIDENT = SearchAttributeKey.for_keyword(SearchAttribute.INCIDENT)
STATE = SearchAttributeKey.for_keyword(SearchAttribute.STATE)
OUTCOME = SearchAttributeKey.for_keyword(SearchAttribute.OUTCOME)
WAITING = SearchAttributeKey.for_bool(SearchAttribute.WAITING)

MAX_KEYWORD = 200
"""Bytes of a keyword: SQL visibility stores refuse more than 255."""


def keyword(text: str) -> str:
    """Text as a keyword: cut to what every visibility store takes."""
    return text.encode()[:MAX_KEYWORD].decode(errors="ignore")


Pairs: TypeAlias = list[SearchAttributePair[Any]]


def opened(playbook: str, incident: str, severity: str, service: str) -> Pairs:
    """What an incident and its run are found by while they are open."""
    return [
        SearchAttributePair(PLAYBOOK, playbook),
        SearchAttributePair(INCIDENT, keyword(incident)),
        SearchAttributePair(SEVERITY, keyword(severity)),
        SearchAttributePair(SERVICE, keyword(service)),
        SearchAttributePair(STATE, "open"),
    ]


def upsert(*updates: SearchAttributeUpdate[Any]) -> None:
    """Set search attributes of the running workflow."""
    workflow.upsert_search_attributes(list(updates))  # pyright: ignore[reportUnknownMemberType]  # theirs is untyped
