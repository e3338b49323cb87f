"""What tests of the cloud's playbooks share: copies with short times, the rights they need, alerts, and a person."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emulator import ACCOUNT, REGION, Emulator
from engine import Engine, approving, until

import worker
from halon.contracts.audit import AuditRecord
from halon.contracts.incident import IncidentRow
from halon.kit.privileges.iam import AwsAccount, policies_of
from halon.kit.privileges.needs import needs_of
from halon.playbook.catalogue import load_catalogue
from halon.store.store import open_store

SHIPPED = Path(__file__).parents[2] / "playbooks"
REGISTRY = worker.registry()
DONE_WITHIN = 240.0
STARTS_WITHIN = 180.0
"""Seconds; both are for machines that do much else."""
LEASE = "12s"
_TIMES = {"every": "1s", "within": "4m", "hold": "2s", "wait": "1s", "expires": LEASE}


def shortened(directory: Path, *names: str) -> Path:
    """Copies of shipped playbooks whose looks, pauses and leases take seconds."""
    directory.mkdir()
    for name in names:
        text = next(SHIPPED.glob(f"*/{name}.yaml")).read_text()
        for field, short in _TIMES.items():
            text = re.sub(rf"(?m)^(\s+{field}: )\d+[smhd]\b", rf"\g<1>{short}", text)
        (directory / f"{name}.yaml").write_text(text.partition("\ntests:\n")[0] + "\n")
    return directory


def rights(*names: str) -> list[str]:
    """The IAM actions that `halon permissions --format iam` writes for these playbooks."""
    catalogue = load_catalogue([SHIPPED], REGISTRY.schemas).playbooks
    needs = needs_of([catalogue[name] for name in names], catalogue, REGISTRY)
    policies = policies_of(needs, AwsAccount("prod", ACCOUNT, REGION))
    return [verb for one in policies for _, statement in one.statements for verb in statement.actions]


async def serve(engine: Engine) -> None:
    """Start Temporal, a worker and the gateway, and wait until alerts can come."""
    await engine.start("temporal")
    await engine.prepare()
    await engine.start("worker")
    await engine.start("gateway")
    await until(lambda: _listens(engine.gateway_port), within=STARTS_WITHIN, pause=0.3)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def alert(name: str, annotations: dict[str, str] | None = None, **labels: str) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": name, "severity": "critical", "account": ACCOUNT, "region": REGION, **labels},
        "annotations": annotations or {},
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": name,
    }


async def ended(engine: Engine, sent: dict[str, Any]) -> tuple[IncidentRow, list[AuditRecord]]:
    """Send an alert, approve what is asked, and wait for the end; gives the incident and what was told."""
    async with open_store(engine.settings) as store:
        before = {row.id for row in await store.incidents.list()}
        person = asyncio.create_task(approving(await engine.client(), store))
        await engine.send(sent)

        async def closed() -> IncidentRow | None:
            rows = await store.incidents.list()
            return next((row for row in rows if row.state == "closed" and row.id not in before), None)

        row = await until(closed, within=DONE_WITHIN, pause=0.3)
        person.cancel()
        assert row is not None
        assert (await store.audit.verify()).ok
        return row, list(await store.audit.records(row.id))


def changed(aws: Emulator) -> list[str]:
    """Names of the calls that changed something, in order, without marks."""
    calls = [line.split()[0] for line in aws.journal]
    return [one for one in calls if not one.endswith(("TagResource", "CreateTags", "TagUser", "TagRole"))]
