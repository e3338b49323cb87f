"""What tests of sources share: the bodies that senders really send, and what a source reads in them."""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from halon.core.membership import Members
from halon.gateway.parsing import AlertSource, Parsed, parse_json
from halon.gateway.sources import build_source
from halon.settings.loading import parse_settings

HERE = Path(__file__).parent
NOW = datetime(2026, 1, 2, 3, 10, tzinfo=UTC)
OWN = {
    "generic": "map: {name: '${{ body.name }}', starts_at: '${{ body.since }}'}",
    "sqs": "queue: {name: alerts}",
    "kubernetes_events": "watch: {}",
}
"""Settings that a type has of its own."""


@cache
def source(kind: str) -> AlertSource:
    """A source of a type, under the name `shop`."""
    auth = {"sqs": "iam", "kubernetes_events": "cluster"}.get(kind, "none")
    more = f", {OWN[kind]}" if kind in OWN else ""
    text = f"gateway: {{sources: {{shop: {{type: {kind}, auth: {{{auth}: true}}{more}}}}}}}"
    return build_source("shop", parse_settings(text, Path("halon.yaml")).gateway.sources["shop"])


@cache
def bodies(kind: str) -> dict[str, Any]:
    """The bodies of a type's sender by their names."""
    return {file.stem: json.loads(file.read_text()) for file in sorted((HERE / kind).glob("*.json"))}


def read(kind: str, case: str, now: datetime = NOW, **headers: str) -> Parsed:
    """What a source of this type finds in one of its sender's bodies."""
    raw = (HERE / kind / f"{case}.json").read_bytes()
    return taken(kind, parse_json(raw), now, **headers)


def taken(kind: str, body: Any, now: datetime = NOW, **headers: str) -> Parsed:
    """What a source of this type finds in a body."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return source(kind).parse(body, sent, now)


def ends(firing: Parsed, resolved: Parsed) -> bool:
    """Whether an incident that has the alerts of one body is over after the other."""
    members = Members()
    members.take(firing.alerts, frozenset(alert.episode for alert in firing.alerts))
    assert members.firing
    members.take(resolved.alerts, frozenset())
    return members.cleared
