"""Names in Route 53: what is there before a change, and what somebody else does to it."""

from typing import Any

import layers_route53
from emulator import Emulator
from operations import Given

from halon.contracts.base import JsonObject

NAME = "shop.example.com"


def zone(aws: Emulator) -> str:
    """The zone `example.com`; gives its id."""
    made = aws.admin("route53").create_hosted_zone(Name="example.com", CallerReference="zone")
    return str(made["HostedZone"]["Id"].rpartition("/")[2])


def check(aws: Emulator, name: str) -> str:
    """A health check; gives its id."""
    config = {"Type": "HTTPS", "FullyQualifiedDomainName": name, "Port": 443, "ResourcePath": "/"}
    made = aws.admin("route53").create_health_check(CallerReference=name, HealthCheckConfig=config)
    return str(made["HealthCheck"]["Id"])


def records(aws: Emulator, zone_id: str, *some: dict[str, Any], action: str = "CREATE") -> None:
    """Records of `shop.example.com`, one in each of two regions."""
    batch = [
        {
            "Action": action,
            "ResourceRecordSet": {
                "Name": NAME,
                "Type": "A",
                "TTL": 60,
                "ResourceRecords": [{"Value": f"192.0.2.{number}"}],
                **one,
            },
        }
        for number, one in enumerate(some, 1)
    ]
    aws.admin("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": batch})


def weighted(aws: Emulator) -> JsonObject:
    """Weights 3 in `west` and 1 in `central`, each with a health check."""
    made = zone(aws)
    records(
        aws,
        made,
        {"SetIdentifier": "west", "Weight": 3, "HealthCheckId": check(aws, "west")},
        {"SetIdentifier": "central", "Weight": 1, "HealthCheckId": check(aws, "central")},
    )
    return {"zone": made}


def paired(aws: Emulator) -> JsonObject:
    """`west` is primary, `central` secondary, each with a health check."""
    made = zone(aws)
    records(
        aws,
        made,
        {"SetIdentifier": "west", "Failover": "PRIMARY", "HealthCheckId": check(aws, "west")},
        {"SetIdentifier": "central", "Failover": "SECONDARY", "HealthCheckId": check(aws, "central")},
    )
    return {"zone": made}


def reweighted(aws: Emulator) -> None:
    """Somebody gives `west` another weight."""
    records(aws, _zone(aws), {"SetIdentifier": "west", "Weight": 9}, action="UPSERT")


def replaced(aws: Emulator) -> None:
    """Somebody puts another record in the place of the primary one."""
    ours, zone_id = aws.admin("route53"), _zone(aws)
    there = ours.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName=NAME)["ResourceRecordSets"]
    old = next(one for one in there if one.get("Failover") == "PRIMARY")
    batch = [
        {"Action": "DELETE", "ResourceRecordSet": old},
        {"Action": "CREATE", "ResourceRecordSet": {**old, "SetIdentifier": "north"}},
    ]
    ours.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": batch})


def _zone(aws: Emulator) -> str:
    return str(aws.admin("route53").list_hosted_zones()["HostedZones"][0]["Id"].rpartition("/")[2])


SHOP: JsonObject = {"name": NAME, "type": "A"}
WORLDS: dict[str, Given] = {
    "shift_weight": Given(
        {**SHOP, "weights": {"west": 1, "central": 1}}, weighted, reweighted, layers_route53.LAYERS, loses=1
    ),
    "fail_over_record": Given(SHOP, paired, replaced, layers_route53.LAYERS, loses=1),
}
