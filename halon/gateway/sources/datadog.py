"""Datadog's webhooks integration: its body is what the user's template makes of Datadog's variables, or the default.

A field is found by the name of its variable, however the template writes it: `$ALERT_TRANSITION` may stand under
`alert_transition`, `alertTransition` or `transition`. What the default body lacks is read in the event's title, which
begins with priority, transition and scope in brackets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, digest, is_object
from halon.errors import InvalidInput
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource, Parsed
from halon.gateway.sources._reading import (
    CRITICAL,
    INFO,
    WARNING,
    beside,
    finished,
    first,
    labelled,
    missing,
    moment,
    one,
    ranked,
    tagged,
    text,
    texts,
)
from halon.redaction import cut_text
from halon.settings import Source

SENDER = Sender("Datadog", ("bearer", "basic", "header"))
_SEVERITIES = {
    "triggered": CRITICAL,
    "re-triggered": CRITICAL,
    "renotify": CRITICAL,
    "warn": WARNING,
    "re-warn": WARNING,
    "no data": WARNING,
    "re-no data": WARNING,
}
"""Transitions that fire."""
_ENDS = frozenset({"recovered", "success"})
_WORDS = {CRITICAL, WARNING, INFO}
_BRACKET = re.compile(r"\s*\[([^\]\[]{1,600})\]")
_SCOPED = re.compile(r"(?P<transition>[A-Za-z -]{1,20}?)(?:\s+on\s+\{(?P<scope>.*)\})?")
_UNSET = re.compile(r"\$[A-Z_]+|null|none|n/a", re.IGNORECASE)
"""What stands where a variable has no value."""
_PLAIN = re.compile(r"[^a-z]")
_MAX_BRACKETS = 5
_VARIABLES = frozenset(
    {"alertid", "alerttitle", "alerttransition", "alertcyclekey", "alertscope", "alertpriority", "alertstatus"}
    | {"alertquery", "alertmetric", "aggregkey", "eventtitle", "eventmsg", "textonlymsg", "eventtype", "orgname"}
    | {"hostname", "tags", "link", "snapshot", "date", "dateposix", "lastupdated"}
)
"""Names that mean a variable wherever they stand, also within an object such as `metadata`."""


@dataclass(frozen=True, slots=True)
class _Title:
    """What an event's title says."""

    name: str
    transition: str = ""
    scope: str = ""
    priority: str = ""
    test: bool = False


class _Fields:
    """The fields of a body by their plain names; those of an object also with its name, such as `alert` and `id`."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._values = {_plain(name): value for name, value in body.items()}
        for outer, inner in body.items():
            for name, value in inner.items() if is_object(inner) else ():
                self._values.setdefault(_plain(outer + name), value)
                if _plain(name) in _VARIABLES:
                    self._values.setdefault(_plain(name), value)

    def raw(self, *names: str) -> Any:
        """Give the first that is set."""
        found = (self._values.get(name) for name in names)
        return next((value for value in found if value and not _UNSET.fullmatch(text(value).strip())), None)

    def __call__(self, *names: str) -> str:
        """Give the first that is set, as text."""
        return text(self.raw(*names)).strip()


class Datadog:
    """The source `datadog`."""

    timeless = True

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alert of one event, or the remark that the event is none.

        Raises:
            InvalidInput: the body has neither a title nor a time.
        """
        del headers
        if not is_object(body):
            raise InvalidInput("the body is no event of Datadog", ["body: an object was expected"])
        given = _Fields(body)
        title = _title(given("alerttitle", "eventtitle", "title", "monitortitle", "monitorname", "alertname", "name"))
        if not title.name:
            raise missing("title")
        if title.test:
            return one("Datadog tests the monitor's notifications")
        # Some templates call the transition a status, which is a sentence where it has a name of its own.
        status = given("status", "alertstatus", "state").lower()
        said = status if status in _SEVERITIES or status in _ENDS else ""
        transition = first(given("alerttransition", "transition"), title.transition, said).lower()
        if transition not in _SEVERITIES and transition not in _ENDS:
            kind = cut_text(transition or given("eventtype") or "an event without a transition", 60)
            return one(f"{kind} is no alert")
        return one(self._alert(given, title, transition, now))

    def _alert(self, given: _Fields, title: _Title, transition: str, now: datetime) -> Alert:
        ends = transition in _ENDS
        monitor, scope = given("alertid", "monitorid"), given("alertscope", "scope", "scopes") or title.scope
        word = given("severity", "alertseverity").lower()
        ranks = (given("alertpriority", "monitorpriority", "priority"), title.priority, word)
        priority = first(*(ranked(rank) for rank in ranks), word if word in _WORDS else "")
        tags, plain = tagged(given.raw("tags"))
        scoped, _ = tagged(scope)
        organisation = given("orgname") or text(given.raw("org"), "name")
        own = (
            {"monitor_id": monitor, "scope": scope, "priority": given("alertpriority") or title.priority}
            | {"metric": given("alertmetric"), "host": given("hostname", "host"), "organisation": organisation}
            | {"severity": tags.get("severity") or priority}
        )
        labels, rest = labelled(beside(own, tags | scoped))
        tag = labels.get("severity", "")
        told = given.raw("date", "dateposix", "timestamp", "lastupdated", "lastupdatedposix")
        # For want of a cycle and a time, an event's own id tells it apart, where `id` is not the monitor's.
        event = given("eventid") or (given("id") if monitor and given("id") != monitor else "")
        cycle = given("alertcyclekey", "cyclekey") or (event if told is None else "")
        if told is None and not cycle:
            raise missing("date", "put $DATE and $ALERT_CYCLE_KEY into the webhook's payload")
        when = now if told is None else moment(told, "date")
        return finished(
            Alert.model_construct(
                source=self.name,
                name=title.name,
                fingerprint=_fingerprint(given, title, monitor, scope, organisation),
                status=AlertStatus.RESOLVED if ends else AlertStatus.FIRING,
                severity=priority or (tag if tag in _WORDS else _SEVERITIES.get(transition, "")),
                labels=labels,
                annotations=texts(
                    {
                        "summary": given("alertstatus") or title.name,
                        "description": given("textonlymsg", "body", "eventmsg", "message", "eventmessage", "textmsg"),
                        "query": given("alertquery", "query"),
                        "snapshot": given("snapshot"),
                        "transition": transition,
                        "event_id": given("id", "eventid"),
                        "tags": ",".join(plain),
                    }
                )
                | rest,
                starts_at=when,
                ends_at=when if ends else None,
                cycle=cut_text(cycle, 400),
                # With a cycle the time is that of this event, and so it always is at the end.
                undated=ends or bool(cycle),
                url=given("link", "url", "alertlink", "eventlink", "alerturl", "eventurl"),
            ),
            "body",
        )


def build(name: str, settings: Source) -> AlertSource:
    """Build the source from its settings, of which it needs none."""
    del settings
    return Datadog(name)


def _plain(name: str) -> str:
    return _PLAIN.sub("", name.lower())


def _fingerprint(given: _Fields, title: _Title, monitor: str, scope: str, organisation: str) -> str:
    if monitor:
        whole = f"{monitor}/{scope}" if scope else monitor
        return whole if len(whole) <= 400 else f"{monitor}/{digest(scope)[:16]}"  # noqa: PLR2004  # below the bound
    return given("aggregkey", "aggregationkey", "aggregate") or digest([organisation, title.name, scope])[:16]


def _title(text_: str) -> _Title:
    """Read `[P1] [Triggered on {host:web-1}] CPU is high`."""
    transition = scope = priority = ""
    test = False
    rest = text_
    for _ in range(_MAX_BRACKETS):
        bracket = _BRACKET.match(rest)
        if bracket is None:
            break
        inner = bracket[1].strip()
        found = _SCOPED.fullmatch(inner)
        if inner.upper() == "TEST":
            test = True
        elif ranked(inner) and not priority:
            priority = inner
        elif found and not transition and found["transition"].lower() in {*_SEVERITIES, *_ENDS}:
            transition, scope = found["transition"], (found["scope"] or "").strip()
        else:
            break
        rest = rest[bracket.end() :]
    return _Title(rest.strip() or text_.strip(), transition, scope, priority, test)
