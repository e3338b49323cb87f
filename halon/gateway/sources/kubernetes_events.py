"""Events of a Kubernetes cluster, which the gateway watches: each tells that something happens, and none that it ends.

The same event is one object, which the cluster writes anew when it happens again: its beginning stays, so it is one
episode. An hour after the last time the cluster forgets it, and what happens then is another one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, digest, is_list, is_object
from halon.errors import InvalidInput, Misconfigured
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource, Parsed
from halon.gateway.sources._reading import (
    INFO,
    WARNING,
    at,
    each,
    finished,
    first,
    labelled,
    maybe_moment,
    missing,
    needed,
    text,
    texts,
)
from halon.settings import Source
from halon.settings.sources import WatchSettings

SENDER = Sender("Kubernetes", ("cluster",))
_WARNING = "Warning"
_KINDS = {
    "Pod": "pod",
    "Node": "node",
    "Deployment": "deployment",
    "ReplicaSet": "replicaset",
    "StatefulSet": "statefulset",
    "DaemonSet": "daemonset",
    "Job": "job_name",
    "CronJob": "cronjob",
    "HorizontalPodAutoscaler": "horizontalpodautoscaler",
    "PersistentVolumeClaim": "persistentvolumeclaim",
    "PersistentVolume": "persistentvolume",
    "Service": "service",
    "Ingress": "ingress",
}
"""The label that names what it is about: that of kube-state-metrics, so that a playbook fits both."""


class KubernetesEvents:
    """The source `kubernetes_events`."""

    timeless = True

    def __init__(self, name: str, settings: WatchSettings) -> None:
        self.name = name
        self._settings = settings

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alert of one event, or those of a list of them as `kubectl get events -o json` writes it.

        Raises:
            InvalidInput: the body is no event.
        """
        del headers, now
        if not is_object(body):
            raise InvalidInput("the body is no event of Kubernetes", ["body: an object was expected"])
        items = body.get("items")
        if is_list(items):
            return each(items, "items", self._read)
        return each([body], "body", self._read)

    def _read(self, raw: Any, where: str) -> Alert | str:
        reason = needed(raw, where, "reason")
        unwanted = self._unwanted(raw, reason)
        if unwanted:
            return unwanted
        about = first_object(raw, "involvedObject", "regarding")
        if about is None:
            raise missing(f"{where}.involvedObject")
        kind, name = needed(about, f"{where}.involvedObject", "kind"), needed(about, f"{where}.involvedObject", "name")
        began = next(filter(None, (maybe_moment(at(raw, *path)) for path in _BEGINNINGS)), None)
        if began is None:
            raise missing(f"{where}.firstTimestamp")
        type_ = text(raw, "type")
        component = first(
            text(raw, "source", "component"), text(raw, "reportingComponent"), text(raw, "reportingController")
        )
        container = text(about, "fieldPath")
        label = _KINDS.get(kind)
        labels, rest = labelled(
            {"reason": reason, "kind": kind, "name": name, "namespace": text(about, "namespace")}
            | {"type": type_, "severity": WARNING if type_ == _WARNING else INFO}
            | {"component": component, "host": text(raw, "source", "host"), "cluster": self._settings.cluster}
            | {"container": container.partition("{")[2].rstrip("}")}
            | ({label: name} if label else {})
        )
        thing: Json = text(about, "uid") or [kind, text(about, "namespace"), name]
        return finished(
            Alert.model_construct(
                source=self.name,
                name=reason,
                fingerprint=digest([self._settings.cluster, thing, reason, container])[:16],
                status=AlertStatus.FIRING,
                severity=labels.get("severity", ""),
                labels=labels,
                annotations=texts({"summary": first(text(raw, "message"), text(raw, "note"))}) | rest,
                starts_at=began,
            ),
            where,
        )

    def _unwanted(self, raw: Any, reason: str) -> str:
        """Why it is no alert, or nothing."""
        wanted = self._settings.reasons
        if wanted and reason not in wanted:
            return f"{reason} is not among `watch.reasons`"
        if not wanted and text(raw, "type") != _WARNING:
            return f"{reason} is no warning"
        times = max(number(at(raw, "count")), number(at(raw, "series", "count")), number(at(raw, "deprecatedCount")))
        if max(times, 1) < self._settings.at_least:
            return f"{reason} happened {max(times, 1)} times, and `watch.at_least` is {self._settings.at_least}"
        return ""


_BEGINNINGS = (
    ("firstTimestamp",),
    ("deprecatedFirstTimestamp",),
    ("eventTime",),
    ("metadata", "creationTimestamp"),
)


def build(name: str, settings: Source) -> AlertSource:
    """Build the source that reads the cluster's events.

    Raises:
        Misconfigured: it does not say what is watched.
    """
    if settings.watch is None:
        raise Misconfigured(f"`gateway.sources.{name}.watch` is missing")
    return KubernetesEvents(name, settings.watch)


def happened(event: Json) -> datetime | None:
    """When an event happened last, as far as it says."""
    paths = (("series", "lastObservedTime"), ("lastTimestamp",), ("deprecatedLastTimestamp",), *_BEGINNINGS)
    return next(filter(None, (maybe_moment(at(event, *path)) for path in paths)), None)


def first_object(value: Any, *names: str) -> dict[str, Any] | None:
    """Give the first of these fields that is an object."""
    return next((one for one in (at(value, name) for name in names) if is_object(one)), None)


def number(value: Any) -> int:
    """Give a count, and 0 when there is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
