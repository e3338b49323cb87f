"""What looks like a secret in an alert goes no further than the door, and the secret of a source may change."""

import asyncio
from pathlib import Path

from gateway_doubles import SETTINGS, TOKEN, Gateway, firing, running, webhook

from halon.redaction import MASK
from halon.telemetry import Telemetry

PLANTED = "ghp_plantedplantedplanted01"


async def test_what_looks_like_a_secret_is_masked_in_every_part_of_an_alert(gateway: Gateway) -> None:
    alert = firing(release=PLANTED, secret="cart-tls", severity=PLANTED)
    alert["annotations"] = {"summary": f"token={PLANTED}", "db_password": "plain", "runbook": "restart it"}
    alert["generatorURL"] = "http://ana:hunter2-planted@prometheus.example.com/graph"
    assert (await gateway.post(webhook(alert))).status_code == 202
    (group,) = gateway.dispatcher.groups
    (taken,) = group.alerts
    assert PLANTED not in taken.model_dump_json()
    assert "hunter2-planted" not in taken.model_dump_json()
    assert (taken.labels["release"], taken.labels["secret"], taken.labels["namespace"]) == (MASK, "cart-tls", "shop")
    assert (taken.annotations["db_password"], taken.annotations["runbook"]) == (MASK, "restart it")


async def test_a_source_whose_token_was_changed_takes_the_new_one_soon(tmp_path: Path, telemetry: Telemetry) -> None:
    settings = f"credentials: {{refresh: 1s}}\n{SETTINGS}"
    async with running(tmp_path, telemetry, settings) as gateway:

        async def status(token: str) -> int:
            headers = {"authorization": f"Bearer {token}"}
            return (await gateway.post(webhook(firing()), "alertmanager", **headers)).status_code

        assert await status(TOKEN) == 202
        (tmp_path / "token").unlink()

        assert await status("another-token") == 401
        assert await status(TOKEN) == 202  # what cannot be read stays as it was
        (tmp_path / "token").write_text("another-token")

        async with asyncio.timeout(10):
            while await status("another-token") != 202:  # noqa: ASYNC110  # the file is read when it is time
                await asyncio.sleep(0.1)
        assert await status(TOKEN) == 401
