"""What moto does not do of Route 53: batches that are all or nothing, changes that spread, checks that are red."""

from typing import Any
from xml.etree import ElementTree as ET

from botocore.parsers import create_parser
from botocore.session import get_session
from emulator import Answer, Call, Layer

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
STEPS = 2
"""How often a look finds a change on its way before all servers know it."""


def change_records(call: Call) -> Answer:
    """Check the batch as Route 53 does, and let moto keep what comes of it."""
    zone = call.path.split("/")[3]
    ours = call.emulator.admin("route53")
    pages = ours.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
    there = {_named(one): one for page in pages for one in page["ResourceRecordSets"]}
    wanted = dict(there)
    for change in _batch(call.body):
        action, record = change["Action"], change["ResourceRecordSet"]
        name = _named(record)
        if action == "DELETE" and name not in wanted:
            return _refused(call, f"Tried to delete resource record set {name} but it was not found")
        if action == "DELETE" and _same(wanted[name]) != _same(record):
            return _refused(call, f"Tried to delete {name} but the values provided do not match the current values")
        if action == "CREATE" and name in wanted:
            return _refused(call, f"Tried to create resource record set {name} but it already exists")
        if action == "DELETE":
            del wanted[name]
        else:
            wanted[name] = record
    return _kept(call, zone, there, wanted)


def _kept(call: Call, zone: str, there: dict[Any, Any], wanted: dict[Any, Any]) -> Answer:
    changes = [{"Action": "DELETE", "ResourceRecordSet": there[name]} for name in there if name not in wanted]
    changes += [
        {"Action": "UPSERT", "ResourceRecordSet": wanted[name]}
        for name in wanted
        if name not in there or _same(there[name]) != _same(wanted[name])
    ]
    layers = call.emulator.layers
    call.emulator.layers = {}
    try:
        call.emulator.admin("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    finally:
        call.emulator.layers = layers
    known: dict[str, int] = call.emulator.state.setdefault("changes", {})
    name = f"C{len(known) + 1:04}"
    known[name] = 0
    return _xml("ChangeResourceRecordSetsResponse", _info(name, "PENDING"))


def get_change(call: Call) -> Answer:
    known: dict[str, int] = call.emulator.state.setdefault("changes", {})
    name = call.path.rpartition("/")[2]
    if name not in known:
        return call.error("NoSuchChange", f"Could not find resource with ID: {name}", 404)
    known[name] += 1
    return _xml("GetChangeResponse", _info(name, "INSYNC" if known[name] >= STEPS else "PENDING"))


def health(call: Call) -> Answer:
    red: set[str] = call.emulator.state.setdefault("red", set())
    check = call.path.split("/")[3]
    if check in call.emulator.state.get("calculated", ()):
        return call.error("InvalidInput", "The status of a calculated health check is not available here")
    said = "Failure: The HTTP request timed out." if check in red else "Success: HTTP Status Code 200, OK."
    one = (
        "<HealthCheckObservation><Region>eu-west-1</Region><IPAddress>192.0.2.1</IPAddress><StatusReport>"
        f"<Status>{said}</Status><CheckedTime>2026-01-02T03:04:05Z</CheckedTime></StatusReport></HealthCheckObservation>"
    )
    found = f"<HealthCheckObservations>{one * 3}</HealthCheckObservations>"
    return _xml("GetHealthCheckStatusResponse", found)


def _batch(body: bytes) -> list[dict[str, Any]]:
    """Read the request's batch by botocore's own model of it."""
    model = get_session().get_service_model("route53")
    shape = model.operation_model("ChangeResourceRecordSets").input_shape.members["ChangeBatch"]
    node = ET.fromstring(body).find(f"{{{NAMESPACE}}}ChangeBatch")  # noqa: S314  # boto3 wrote it
    assert node is not None
    for one in node.iter():
        one.tag = one.tag.rpartition("}")[2]
    parsed: Any = create_parser("rest-xml")._parse_shape(shape, node)
    return list(parsed["Changes"])


def _named(record: dict[str, Any]) -> tuple[str, str, str]:
    return record["Name"].rstrip("."), record["Type"], record.get("SetIdentifier", "")


def _same(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "Name": record["Name"].rstrip(".")}


def _refused(call: Call, said: str) -> Answer:
    return call.error("InvalidChangeBatch", f"[{said}]")


def _info(name: str, status: str) -> str:
    at = "2026-01-02T03:04:05Z"
    return f"<ChangeInfo><Id>/change/{name}</Id><Status>{status}</Status><SubmittedAt>{at}</SubmittedAt></ChangeInfo>"


def _xml(root: str, inside: str) -> Answer:
    whole = f'<?xml version="1.0" encoding="UTF-8"?><{root} xmlns="{NAMESPACE}">{inside}</{root}>'
    return Answer(200, whole.encode(), [("Content-Type", "text/xml")])


LAYERS: dict[tuple[str, str], Layer] = {
    ("route53", "ChangeResourceRecordSets"): change_records,
    ("route53", "GetChange"): get_change,
    ("route53", "GetHealthCheckStatus"): health,
}
