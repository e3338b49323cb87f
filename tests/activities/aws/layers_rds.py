"""What moto does not do of RDS: a standby takes over, a replica stops being one, and events tell of it."""

import re
from typing import Any

from emulator import Answer, Call, Layer

ZONES = ("eu-west-1a", "eu-west-1b")


def _changed(call: Call) -> dict[str, Any]:
    changed: dict[str, Any] = call.emulator.state.setdefault("databases", {})
    if not changed:
        changed |= {"swapped": set(), "promoted": set(), "told": []}
    return changed


def reboot(call: Call) -> Answer:
    answer, name = call.forward(), call.data["DBInstanceIdentifier"]
    if answer.status < 300 and call.data.get("ForceFailover") == "true":
        _changed(call)["swapped"] ^= {name}
        _changed(call)["told"].append(name)
    return answer


def promote(call: Call) -> Answer:
    answer = call.forward()
    if answer.status < 300:
        _changed(call)["promoted"].add(call.data["DBInstanceIdentifier"])
    return answer


def describe(call: Call) -> Answer:
    """Let moto do it, and put in what a failover or a promotion changed."""
    answer = call.forward()
    parts = re.split(r"(?=<DBInstance>)", answer.body.decode())
    return Answer(answer.status, "".join(_put_in(call, one) for one in parts).encode(), [("Content-Type", "text/xml")])


def _put_in(call: Call, text: str) -> str:
    found = re.search(r"<DBInstanceIdentifier>([^<]+)<", text)
    if not text.startswith("<DBInstance>") or found is None:
        return text
    changed = _changed(call)
    if found[1] in changed["promoted"]:
        text = re.sub(r"<ReadReplicaSourceDBInstanceIdentifier>[^<]*</ReadReplicaSourceDBInstanceIdentifier>", "", text)
    if "<MultiAZ>true</MultiAZ>" not in text:
        return text
    here, there = ZONES[::-1] if found[1] in changed["swapped"] else ZONES
    zones = f"<AvailabilityZone>{here}</AvailabilityZone><SecondaryAvailabilityZone>{there}</SecondaryAvailabilityZone>"
    return re.sub(r"<AvailabilityZone>eu-west-1.</AvailabilityZone>(?!</)", zones, text, count=1)


def events(call: Call) -> Answer:
    told = _changed(call)["told"] if call.data.get("EventCategories.EventCategory.1") == "failover" else []
    name = call.data.get("SourceIdentifier", "")
    one = (
        f"<Event><SourceIdentifier>{name}</SourceIdentifier><SourceType>db-instance</SourceType>"
        "<Message>Multi-AZ instance failover started.</Message><EventCategories><EventCategory>failover</EventCategory>"
        "</EventCategories><Date>2026-01-02T03:04:05Z</Date></Event>"
    )
    inside = f"<Events>{one * told.count(name)}</Events>"
    whole = f"<DescribeEventsResponse><DescribeEventsResult>{inside}</DescribeEventsResult></DescribeEventsResponse>"
    return Answer(200, whole.encode(), [("Content-Type", "text/xml")])


LAYERS: dict[tuple[str, str], Layer] = {
    ("rds", "RebootDBInstance"): reboot,
    ("rds", "PromoteReadReplica"): promote,
    ("rds", "DescribeDBInstances"): describe,
    ("rds", "DescribeEvents"): events,
}
