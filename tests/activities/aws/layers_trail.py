"""CloudTrail's event history, which moto has not: by one attribute, in a time range, in pages."""

import json
from datetime import datetime
from typing import Any

from emulator import Answer, Call, Emulator, Layer
from layers_work import shaped


def happened(aws: Emulator, at: datetime, name: str, **more: Any) -> None:
    """Something was done."""
    record: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "accessKeyId": more.pop("key", "AKIAIOSFODNN7EXAMPLE"), "userName": "ada"},
        "eventTime": at.isoformat().replace("+00:00", "Z"),
        "awsRegion": "eu-west-1",
        "sourceIPAddress": more.pop("ip", "192.0.2.7"),
        "eventName": name,
        **more.pop("record", {}),
    }
    events: list[dict[str, Any]] = aws.state.setdefault("trail", [])
    events.append(
        {
            "EventId": f"{len(events):08}",
            "EventName": name,
            "EventTime": at.timestamp(),
            "EventSource": "iam.amazonaws.com",
            "AccessKeyId": record["userIdentity"]["accessKeyId"],
            "Username": "ada",
            "ReadOnly": "false",
            "Resources": [{"ResourceType": "AWS::IAM::User", "ResourceName": "ada"}],
            "CloudTrailEvent": json.dumps(record),
            **more,
        }
    )


def lookup(call: Call) -> Answer:
    """Give a page; as many later ones as `refusing` counts are refused."""
    state, asked = call.emulator.state, call.data
    if state.get("refusing", 0) > 0 and asked.get("NextToken"):
        state["refusing"] -= 1
        return call.error("ThrottlingException", "Rate exceeded")
    (by,) = asked["LookupAttributes"]
    assert asked["StartTime"] < asked["EndTime"]
    field = {"ResourceName": "", "ResourceType": ""}.get(by["AttributeKey"], by["AttributeKey"])
    there = [
        one
        for one in sorted(state.get("trail", []), key=lambda one: -one["EventTime"])
        if asked["StartTime"] <= one["EventTime"] <= asked["EndTime"] and one.get(field) == by["AttributeValue"]
    ]
    begin = int(asked.get("NextToken", 0))
    end = begin + asked["MaxResults"]
    more = {"NextToken": str(end)} if end < len(there) else {}
    return shaped(call, {"Events": there[begin:end], **more})


LAYERS: dict[tuple[str, str], Layer] = {("cloudtrail", "LookupEvents"): lookup}
