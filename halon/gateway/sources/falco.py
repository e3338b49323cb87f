"""Falco's events, from its own `http_output` or from Falcosidekick's webhook: each happened once and never ends."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, digest, is_list, is_object
from halon.errors import InvalidInput
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource, Parsed
from halon.gateway.sources._reading import (
    CRITICAL,
    INFO,
    WARNING,
    at,
    each,
    finished,
    first,
    labelled,
    moment,
    needed,
    text,
    texts,
)
from halon.settings import Source

SENDER = Sender("Falco", ("bearer", "basic", "header"))
_SEVERITIES = {
    "emergency": CRITICAL,
    "alert": CRITICAL,
    "critical": CRITICAL,
    "error": WARNING,
    "warning": WARNING,
    "notice": INFO,
    "informational": INFO,
    "info": INFO,
    "debug": INFO,
}
_PLACES = {
    "namespace": ("k8s.ns.name", "ka.target.namespace"),
    "pod": ("k8s.pod.name", "ka.target.pod.name"),
    "container": ("container.name",),
    "container_id": ("container.id",),
    "image": ("container.image.repository", "container.image"),
    "resource": ("ka.target.resource",),
    "target": ("ka.target.name",),
}
"""Labels of where it happened, and the fields that say so. Together with the rule they are what recurs."""
_ACTORS = {
    "process": ("proc.name",),
    "parent": ("proc.pname",),
    "user": ("user.name", "ka.user.name", "ct.user"),
    "file": ("fd.name",),
}
_NONE = frozenset({"<NA>", "host", "null"})
"""What stands where there is nothing; `host` is the container of what runs in none."""
_TEST = ("Test rule", "This is a test from falcosidekick")


class Falco:
    """The source `falco`."""

    timeless = True

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alert of one event, or those of a list of them.

        Raises:
            InvalidInput: the body is no event of Falco's.
        """
        del headers, now
        if not (is_object(body) or is_list(body)):
            raise InvalidInput("the body is no event of Falco", ["body: an object was expected"])
        return each(body if is_list(body) else [body], "events" if is_list(body) else "body", self._read)

    def _read(self, raw: Any, where: str) -> Alert | str:
        rule, output = needed(raw, where, "rule"), text(raw, "output")
        if rule == _TEST[0] and output.startswith(_TEST[1]):
            return "Falcosidekick tests the webhook"
        fields = at(raw, "output_fields")
        fields = fields if is_object(fields) else {}
        priority = text(raw, "priority")
        severity = _SEVERITIES.get(priority.lower(), "")
        places, actors = _picked(fields, _PLACES), _picked(fields, _ACTORS)
        tags = at(raw, "tags")
        labels, rest = labelled(
            {"rule": rule, "priority": priority, "severity": severity, "hostname": at(raw, "hostname")}
            | {"engine": at(raw, "source")}
            | places
            | actors
            | {"tags": ",".join(sorted(map(text, tags))) if is_list(tags) else ""}
        )
        return finished(
            Alert.model_construct(
                source=self.name,
                name=rule,
                fingerprint=digest([rule, text(raw, "hostname"), dict(places), actors.get("process", "")])[:16],
                status=AlertStatus.FIRING,
                severity=severity,
                labels=labels,
                annotations=texts({"summary": output, "uuid": at(raw, "uuid")} | fields) | rest,
                starts_at=moment(first(text(raw, "time"), text(fields, "evt.time")) or None, f"{where}.time"),
            ),
            where,
        )


def build(name: str, settings: Source) -> AlertSource:
    """Build the source from its settings, of which it needs none."""
    del settings
    return Falco(name)


def _picked(fields: dict[str, Any], names: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    found = {label: first(*(text(fields.get(name)) for name in given)) for label, given in names.items()}
    return {label: value for label, value in found.items() if value and value not in _NONE}
