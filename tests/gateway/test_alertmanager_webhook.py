"""Alertmanager's webhook, version 4, as it really comes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from gateway_doubles import Gateway, firing, webhook

from halon.contracts.alert import AlertStatus


async def test_an_alert_reaches_the_incident_of_its_playbook(gateway: Gateway) -> None:
    answer = await gateway.post(webhook(firing()))
    assert answer.status_code == 202
    (group,) = gateway.dispatcher.groups
    assert answer.json()["incidents"] == [group.id]
    assert answer.json()["alerts"] == [
        {
            "name": "KubePodCrashLooping",
            "fingerprint": "6ab3d5ba3ee1f3a3",
            "status": "firing",
            "incidents": [group.id],
            "playbooks": ["crashloop-rollback"],
            "unmatched": "",
            "suppressed": "",
            "repeated": False,
        }
    ]
    (alert,) = group.alerts
    assert (alert.source, alert.severity, alert.fingerprint) == ("lab", "warning", "6ab3d5ba3ee1f3a3")
    assert alert.starts_at == datetime(2026, 1, 2, 3, 0, 0, 123456, tzinfo=UTC)
    assert alert.ends_at is None
    assert alert.labels["pod"] == "cart-7d9f-x2x"
    assert alert.url.startswith("http://prometheus.example.com")


async def test_firing_and_resolved_alerts_of_one_body_go_to_their_incidents_in_order(gateway: Gateway) -> None:
    resolved = firing(pod="cart-2") | {"status": "resolved", "endsAt": "2026-01-02T03:02:00+01:00", "fingerprint": "2"}
    body = webhook(firing(), resolved, firing(namespace="pay") | {"fingerprint": "3"}, firing(alertname="NodeDown"))
    receipt = (await gateway.post(body)).json()
    counts = {name: receipt[name] for name in ("received", "matched", "suppressed", "unmatched", "rejected")}
    assert counts == {"received": 4, "matched": 3, "suppressed": 0, "unmatched": 1, "rejected": 0}
    shop, pay = gateway.dispatcher.groups
    assert [alert.status for alert in shop.alerts] == [AlertStatus.FIRING, AlertStatus.RESOLVED]
    assert shop.alerts[1].ends_at == datetime(2026, 1, 2, 2, 2, tzinfo=UTC)
    assert [alert.labels["namespace"] for alert in pay.alerts] == ["pay"]
    assert receipt["alerts"][3]["unmatched"] == "no trigger names it"


async def test_the_same_webhook_again_is_durable_already_and_says_so(gateway: Gateway) -> None:
    first, second = [(await gateway.post(webhook(firing()))).json() for _ in range(2)]
    (group,) = gateway.dispatcher.groups
    assert first["incidents"] == second["incidents"] == [group.id]
    assert [(one["matched"], one["repeated"]) for one in (first, second)] == [(1, 0), (1, 1)]
    assert [one["alerts"][0]["repeated"] for one in (first, second)] == [False, True]


async def test_alerts_that_the_sender_left_out_are_counted_and_recorded(gateway: Gateway) -> None:
    assert (await gateway.post(webhook(firing(), truncatedAlerts=7))).json()["truncated"] == 7
    assert 'result="truncated"' in (await gateway.http.get("/metrics")).text
    (record,) = await gateway.store.audit.records("unmatched-2026-01-02")
    assert (record.kind, record.data["alerts"]) == ("alert.suppressed", 7)


async def test_an_end_that_no_incident_waits_for_is_told_and_recorded(gateway: Gateway) -> None:
    gateway.dispatcher.open = False
    receipts = [(await gateway.post(webhook(firing() | {"status": "resolved"}))).json() for _ in range(2)]
    assert [(one["matched"], one["suppressed"], one["incidents"]) for one in receipts] == [(0, 1, [])] * 2
    fate = receipts[0]["alerts"][0]
    assert (fate["playbooks"], fate["incidents"]) == (["crashloop-rollback"], [])
    assert fate["suppressed"] == "it is resolved, and no incident is open that waits for it"
    (record,) = await gateway.store.audit.records("unmatched-2026-01-02")
    assert record.kind == "alert.suppressed"
    assert record.message == f"Nothing is done about alert KubePodCrashLooping: {fate['suppressed']}"


async def test_a_body_without_alerts_is_taken(gateway: Gateway) -> None:
    answer = await gateway.post(webhook())
    assert (answer.status_code, answer.json()["received"]) == (202, 0)


async def test_a_fingerprint_that_is_missing_is_made_from_the_labels(gateway: Gateway) -> None:
    alert = firing()
    del alert["fingerprint"]
    receipt = (await gateway.post(webhook(alert, alert, alert | {"labels": alert["labels"] | {"pod": "2"}}))).json()
    assert [one["repeated"] for one in receipt["alerts"]] == [False, True, False]
    one, other = gateway.dispatcher.groups[0].alerts
    assert one.fingerprint != other.fingerprint


async def test_a_field_that_is_null_is_one_that_is_not_there(gateway: Gateway) -> None:
    nothing = {"annotations": None, "endsAt": None, "generatorURL": None, "fingerprint": None}
    receipt = (await gateway.post(webhook(firing() | nothing, truncatedAlerts=None))).json()
    assert (receipt["received"], receipt["rejected"], receipt["truncated"]) == (1, 0, 0)
    (alert,) = gateway.dispatcher.groups[0].alerts
    assert (alert.ends_at, alert.url, alert.annotations) == (None, "", {})
    assert alert.fingerprint


async def test_an_address_that_is_too_long_is_left_out_and_the_alert_is_taken(gateway: Gateway) -> None:
    await gateway.post(webhook(firing() | {"generatorURL": f"http://prometheus.example.com/graph?{'x' * 5000}"}))
    assert [alert.url for alert in gateway.dispatcher.groups[0].alerts] == [""]


async def test_long_annotations_are_cut_and_the_alert_is_taken(gateway: Gateway) -> None:
    await gateway.post(webhook(firing() | {"annotations": {"description": "x" * 50_000, "summary": "short"}}))
    annotations = gateway.dispatcher.groups[0].alerts[0].annotations
    assert len(annotations["description"]) < 9000
    assert annotations["summary"] == "short"


WRONG: list[tuple[Any, str]] = [
    ([], "body"),
    ("text", "body"),
    (None, "body"),
    ({"version": "3", "alerts": []}, "version"),
    ({"version": "4"}, "alerts"),
    ({"version": "4", "alerts": {}}, "alerts"),
    (webhook("text"), "alerts[0]"),  # type: ignore[arg-type]  # the point
    (webhook({}), "alerts[0].status"),
    (webhook(firing() | {"status": "burning"}), "alerts[0].status"),
    (webhook(firing() | {"labels": {"a": 1}}), "alerts[0].labels.a"),
    (webhook(firing() | {"labels": {"severity": "x"}}), "alerts[0].labels.alertname"),
    (webhook(firing() | {"startsAt": "yesterday"}), "alerts[0].startsAt"),
    (webhook(firing() | {"startsAt": "2026-01-02T03:04:05"}), "alerts[0].startsAt"),
    (webhook(firing(pod="x" * 2049)), "alerts[0].labels.pod: 2049 characters, at most 2048"),
    (webhook(firing(alertname="x" * 600)), "alerts[0].name"),
    (webhook(firing(**{f"l{n}": "x" for n in range(65)})), "alerts[0].labels: 72 labels, at most 64"),
    (webhook(firing() | {"fingerprint": "x" * 600}), "alerts[0].fingerprint"),
    (webhook(*[{}] * 2001), "alerts: 2001 items, at most 2000"),
]


@pytest.mark.parametrize(("body", "field"), WRONG)
async def test_a_body_of_the_wrong_shape_is_refused_with_the_field(gateway: Gateway, body: Any, field: str) -> None:
    answer = await gateway.post(body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert any(error.startswith(field) for error in answer.json()["errors"]), answer.json()
    assert gateway.dispatcher.groups == []


async def test_a_million_characters_in_a_label_are_not_repeated(gateway: Gateway) -> None:
    answer = await gateway.post(webhook(firing(pod="x" * 90_000)))
    assert answer.status_code == 422
    assert len(answer.content) < 1000
    (record,) = await gateway.store.audit.records("unmatched-2026-01-02")
    assert record.kind == "alert.rejected"
    assert record.message.endswith("rejected: alerts[0].labels.pod: 90000 characters, at most 2048 are taken")


async def test_one_alert_that_cannot_be_taken_does_not_hold_up_the_others(gateway: Gateway) -> None:
    answer = await gateway.post(webhook(firing(pod="x" * 3000), firing(), {"status": "firing"}))
    assert answer.status_code == 202
    assert (answer.json()["received"], answer.json()["rejected"]) == (3, 2)
    assert answer.json()["errors"][0].startswith("alerts[0].labels.pod")
    assert len(gateway.dispatcher.groups[0].alerts) == 1
    records = await gateway.store.audit.records("unmatched-2026-01-02")
    assert [record.kind for record in records] == ["alert.rejected"] * 2


async def test_an_answer_tells_of_a_hundred_alerts_and_counts_all(gateway: Gateway) -> None:
    receipt = (await gateway.post(webhook(*[firing() | {"fingerprint": f"{n}"} for n in range(150)]))).json()
    assert (receipt["received"], receipt["matched"], len(receipt["alerts"])) == (150, 150, 100)
    assert [len(group.alerts) for group in gateway.dispatcher.groups] == [100, 50]
