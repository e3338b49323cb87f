"""Secrets, commands and caches: what is there before a change, and what somebody else does to it."""

from emulator import Emulator
from layers_running import LAYERS, begin_rotation, finish_rotation, node, secret, sent
from operations import Given

from activities.aws._once import text_of
from halon.contracts.base import JsonObject

COMMAND: JsonObject = {"document": "Acme-Restart", "tags": {"service": "cart"}, "reference": "i-1"}
NODES = ("i-0123456789abcdef0", "i-0123456789abcdef1")


def nodes(aws: Emulator) -> None:
    """Two nodes of a service, and one of another."""
    for name in NODES:
        node(aws, name, service="cart")
    node(aws, "i-0123456789abcdef2", service="web")


def distribution(aws: Emulator) -> JsonObject:
    """A distribution; gives its id."""
    reached = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    origin = {"Id": "o", "DomainName": "shop.example.com", "CustomOriginConfig": reached}
    config = {
        "CallerReference": "ours",
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "o",
            "ViewerProtocolPolicy": "allow-all",
            "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
            "MinTTL": 0,
        },
        "Comment": "",
        "Enabled": True,
    }
    made = aws.admin("cloudfront").create_distribution(DistributionConfig=config)
    return {"distribution": str(made["Distribution"]["Id"])}


def invalidated(aws: Emulator, reference: str) -> None:
    """Somebody has other paths fetched anew."""
    ours = aws.admin("cloudfront")
    (one,) = ours.list_distributions()["DistributionList"]["Items"]
    batch = {"Paths": {"Quantity": 1, "Items": ["/other"]}, "CallerReference": reference}
    ours.create_invalidation(DistributionId=one["Id"], InvalidationBatch=batch)


def _secret(aws: Emulator) -> None:
    secret(aws)


def _rotated_twice(aws: Emulator) -> None:
    for version in ("c" * 32, "d" * 32):
        begin_rotation(aws.state["secret"], version)
        finish_rotation(aws.state["secret"])


def _sent_elsewhere(aws: Emulator) -> None:
    sent(aws, 7, Comment=text_of("i-1", {"nodes": []}, "other"))


WORLDS: dict[str, Given] = {
    "rotate_secret": Given({"secret": "orders"}, _secret, _rotated_twice, LAYERS, loses=1),
    "run_command": Given(COMMAND, nodes, _sent_elsewhere, LAYERS, loses=1),
    "invalidate_paths": Given(
        {"paths": ["/index.html", "/assets/*"], "reference": "i-1"},
        distribution,
        lambda aws: invalidated(aws, text_of("i-1", {"paths": ["/other"]}, "other")),
        LAYERS,
        loses=1,
    ),
}
