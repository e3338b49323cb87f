"""Events of a cluster: what they are about, since when, and which of them are alerts."""

from pathlib import Path

import pytest
from reading import NOW, bodies, read, taken

from halon.documents.document import DocumentError
from halon.gateway.parsing import Parsed
from halon.gateway.sources import build_source
from halon.settings.loading import parse_settings


def watched(watch: str, case: str) -> Parsed:
    text = f"gateway: {{sources: {{e: {{type: kubernetes_events, auth: {{cluster: true}}, watch: {watch}}}}}}}"
    source = build_source("e", parse_settings(text, Path("halon.yaml")).gateway.sources["e"])
    return source.parse(bodies("kubernetes_events")[case], {}, NOW)


def test_an_event_says_what_it_is_about_and_since_when() -> None:
    (alert,) = read("kubernetes_events", "firing").alerts
    assert (alert.name, alert.severity, alert.starts_at.isoformat()) == (
        "BackOff",
        "warning",
        "2026-01-02T02:58:41+00:00",
    )
    wanted = {
        "namespace": "shop",
        "pod": "cart-6d4cf56db6-abcde",
        "container": "cart",
        "kind": "Pod",
        "component": "kubelet",
        "host": "node-a",
    }
    assert wanted.items() <= alert.labels.items()
    assert alert.annotations["summary"].startswith("Back-off restarting failed container")


def test_an_event_with_a_series_began_at_its_event_time() -> None:
    (alert,) = read("kubernetes_events", "series").alerts
    assert alert.starts_at.isoformat() == "2026-01-02T03:01:00.123456+00:00"
    assert alert.labels["component"] == "default-scheduler"


def test_a_list_is_read_and_what_is_no_warning_is_said() -> None:
    found = read("kubernetes_events", "batch")
    assert [(one.name, one.labels.get("node"), one.labels.get("deployment")) for one in found.alerts] == [
        ("NodeNotReady", "node-a", None),
        ("ReplicaSetCreateError", None, "cart"),
    ]
    assert "namespace" not in found.alerts[0].labels
    assert found.remarks == ("Pulled is no warning",)


def test_reasons_and_counts_choose() -> None:
    assert [one.name for one in watched("{reasons: [Pulled], cluster: prod}", "batch").alerts] == ["Pulled"]
    assert [one.name for one in watched("{at_least: 2}", "batch").alerts] == ["ReplicaSetCreateError"]
    assert watched("{at_least: 48}", "firing").remarks == ("BackOff happened 47 times, and `watch.at_least` is 48",)
    assert watched("{at_least: 4}", "series").alerts


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{type: kubernetes_events, auth: {cluster: true}}", "needs `watch`"),
        ("{type: kubernetes_events, auth: {none: true}, watch: {}}", "`auth: {cluster: true}`"),
        ("{type: grafana, auth: {none: true}, watch: {}}", "no other one takes it"),
        ("{type: kubernetes_events, auth: {cluster: true}, watch: {look_back: 25h}}", "at most 24h"),
        ("{type: kubernetes_events, auth: {cluster: true}, watch: {reasons: [a b]}}", "does not have the form"),
    ],
)
def test_what_does_not_belong_together_is_refused(source: str, said: str) -> None:
    with pytest.raises(DocumentError) as raised:
        parse_settings(f"gateway: {{sources: {{e: {source}}}}}", Path("halon.yaml"))
    assert said in "\n".join(map(str, raised.value.problems))


def test_what_is_not_wanted_may_be_about_nothing() -> None:
    parsed = taken(
        "kubernetes_events", bodies("kubernetes_events")["firing"] | {"type": "Normal", "involvedObject": {}}
    )
    assert (parsed.rejected, parsed.remarks) == ((), ("BackOff is no warning",))
