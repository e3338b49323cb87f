"""Falco's events, by its own output and by Falcosidekick."""

from datetime import UTC, datetime

import pytest
from reading import read, taken

from halon.errors import InvalidInput


def test_an_event_says_where_it_happened_and_who_did_it() -> None:
    (alert,) = read("falco", "firing").alerts
    assert (alert.name, alert.severity) == ("Terminal shell in container", "info")
    assert alert.starts_at == datetime(2026, 1, 2, 3, 0, 28, tzinfo=UTC)
    assert alert.labels == {
        "rule": "Terminal shell in container",
        "priority": "Notice",
        "severity": "info",
        "hostname": "node-3",
        "engine": "syscall",
        "namespace": "shop",
        "pod": "cart-7d9f-x2x",
        "container": "cart",
        "container_id": "5e8c1c9a1b3d",
        "image": "registry.example.com/cart",
        "process": "bash",
        "parent": "runc",
        "user": "root",
        "tags": "T1059,container,maturity_stable,mitre_execution,shell",
    }
    assert alert.annotations["proc.cmdline"] == "bash"


def test_the_same_again_later_is_the_same_condition_and_another_episode() -> None:
    (one,), (again,), (own,) = (read("falco", case).alerts for case in ("firing", "again", "http-output"))
    assert one.condition == again.condition == own.condition
    assert one.episode == own.episode != again.episode


def test_what_runs_on_the_host_has_no_container_and_long_fields_are_no_labels() -> None:
    (alert,) = read("falco", "host").alerts
    assert alert.severity == "critical"
    assert not {"container", "container_id", "namespace", "pod"} & alert.labels.keys()
    assert len(alert.annotations["proc.cmdline"]) == 5000


def test_the_audit_log_of_kubernetes_is_read_too() -> None:
    (alert,) = read("falco", "audit").alerts
    assert [alert.labels[name] for name in ("namespace", "resource", "target", "user")] == [
        "shop",
        "pods",
        "cart-7d9f-x2x",
        "rosa",
    ]


def test_a_list_of_events_is_read_one_by_one() -> None:
    parsed = read("falco", "batch")
    assert [alert.labels["hostname"] for alert in parsed.alerts] == ["node-3", "node-4"]
    assert parsed.rejected == ("events[2].rule: Field required",)


def test_a_test_of_falcosidekick_does_nothing_but_say_so() -> None:
    parsed = read("falco", "test")
    assert (parsed.alerts, parsed.remarks) == ((), ("Falcosidekick tests the webhook",))


def test_what_is_no_event_is_refused() -> None:
    assert taken("falco", {"output": "x"}).rejected == ("body[0].rule: Field required",)
    with pytest.raises(InvalidInput, match="no event of Falco"):
        taken("falco", 7)
