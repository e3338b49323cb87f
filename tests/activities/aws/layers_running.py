"""What moto has not, or too simply: rotations that take a while, commands on nodes, invalidations, queries of logs."""

import re
from typing import Any

from emulator import Answer, Call, Emulator, Layer
from layers_work import shaped

SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders-AbCdEf"  # a name
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:rotate-orders"


def secret(aws: Emulator, **more: Any) -> dict[str, Any]:
    """A secret `orders` with two versions, `a` before `b`, and a function that rotates it."""
    found = {
        "ARN": SECRET_ARN,
        "Name": "orders",
        "RotationEnabled": True,
        "RotationLambdaARN": FUNCTION,
        "VersionIdsToStages": {"b" * 32: ["AWSCURRENT", "AWSPENDING"], "a" * 32: ["AWSPREVIOUS"]},
        **more,
    }
    aws.state["secret"] = {name: value for name, value in found.items() if value is not None}
    return aws.state["secret"]


def begin_rotation(found: dict[str, Any], version: str) -> None:
    """A new version is pending."""
    versions: dict[str, list[str]] = found["VersionIdsToStages"]
    for labels in versions.values():
        if "AWSPENDING" in labels:
            labels.remove("AWSPENDING")
    versions[version] = ["AWSPENDING"]


def finish_rotation(found: dict[str, Any]) -> None:
    """The pending version becomes the current one, and the current one the previous one; others lose their labels."""
    versions: dict[str, list[str]] = found["VersionIdsToStages"]
    pending = next(version for version, labels in versions.items() if labels == ["AWSPENDING"])
    current = next(version for version, labels in versions.items() if "AWSCURRENT" in labels)
    found["VersionIdsToStages"] = {pending: ["AWSCURRENT", "AWSPENDING"], current: ["AWSPREVIOUS"]}


def describe_secret(call: Call) -> Answer:
    found = call.emulator.state.get("secret")
    if found is None or call.data["SecretId"] != found["Name"]:
        return call.error("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    answer = shaped(call, found)
    if call.emulator.state.get("looks", 1) == 0:
        finish_rotation(found)
    if "looks" in call.emulator.state:
        call.emulator.state["looks"] -= 1
    return answer


def rotate_secret(call: Call) -> Answer:
    found, token = call.emulator.state["secret"], call.data["ClientRequestToken"]
    assert call.data["RotateImmediately"] is True
    if any(labels == ["AWSPENDING"] for labels in found["VersionIdsToStages"].values()):
        said = "A previous rotation isn't complete. That rotation will be reattempted."
        return call.error("InvalidRequestException", said)
    begin_rotation(found, token)
    call.emulator.state["looks"] = 2
    return shaped(call, {"ARN": found["ARN"], "Name": found["Name"], "VersionId": token})


def node(aws: Emulator, name: str, ping: str = "Online", **tags: str) -> None:
    """SSM manages an instance."""
    aws.state.setdefault("nodes", {})[name] = {"ping": ping, "tags": tags}


def sent(aws: Emulator, number: int, **more: Any) -> dict[str, Any]:
    """A command was sent."""
    one = {
        "CommandId": f"{number:08}-0000-4000-8000-000000000000",
        "DocumentName": "Acme-Restart",
        "Comment": "",
        "Status": "InProgress",
        "StatusDetails": "InProgress",
        "RequestedDateTime": 1767323045,
        "InstanceIds": [],
        "TargetCount": 1,
        **more,
    }
    aws.state.setdefault("commands", []).insert(0, one)
    return one


def describe_nodes(call: Call) -> Answer:
    wanted = {one["Key"]: one["Values"] for one in call.data["Filters"]}
    assert "InstanceIds" not in wanted or len(wanted) == 1
    found = [
        {"InstanceId": name, "PingStatus": one["ping"], "PlatformType": "Linux"}
        for name, one in call.emulator.state.get("nodes", {}).items()
        if all(
            name in values if key == "InstanceIds" else one["tags"].get(key.removeprefix("tag:")) in values
            for key, values in wanted.items()
        )
    ]
    begin = int(call.data.get("NextToken", 0))
    more = {"NextToken": str(begin + 10)} if begin + 10 < len(found) else {}
    return shaped(call, {"InstanceInformationList": found[begin : begin + 10], **more})


def send_command(call: Call) -> Answer:
    asked = call.data
    assert len(asked["Comment"]) <= 100
    commands = call.emulator.state.setdefault("commands", [])
    one = sent(
        call.emulator,
        len(commands) + 1,
        DocumentName=asked["DocumentName"],
        Comment=asked["Comment"],
        InstanceIds=asked["InstanceIds"],
        TargetCount=len(asked["InstanceIds"]),
    )
    one["looks"] = 1
    return shaped(call, {"Command": {name: value for name, value in one.items() if name != "looks"}})


def list_commands(call: Call) -> Answer:
    by = {one["key"]: one["value"] for one in call.data["Filters"]}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", by["InvokedAfter"])
    found = [one for one in call.emulator.state.get("commands", []) if one["DocumentName"] == by["DocumentName"]]
    for one in found:
        if "looks" in one:
            one["looks"] -= 1
            if one["looks"] < 0:
                status = call.emulator.state.get("ends", "Success")
                one |= {"Status": status, "StatusDetails": status}
    begin = int(call.data.get("NextToken", 0))
    size = call.data["MaxResults"]
    more = {"NextToken": str(begin + size)} if begin + size < len(found) else {}
    plain = [{name: value for name, value in one.items() if name != "looks"} for one in found[begin : begin + size]]
    return shaped(call, {"Commands": plain, **more})


def list_invocations(call: Call) -> Answer:
    (one,) = [each for each in call.emulator.state["commands"] if each["CommandId"] == call.data["CommandId"]]
    bad = call.emulator.state.get("bad", ())
    output = call.emulator.state.get("output", "done")
    late = call.emulator.state.pop("late", 0)
    found = [
        {
            "CommandId": one["CommandId"],
            "InstanceId": name,
            "Status": "Failed" if name in bad else one["Status"],
            "StatusDetails": "Failed" if name in bad else one["StatusDetails"],
            "CommandPlugins": [{"Name": "runShell", "Output": output}],
        }
        for name in one["InstanceIds"][late:]
    ]
    return shaped(call, {"CommandInvocations": found})


def create_invalidation(call: Call) -> Answer:
    """Make one for each caller's reference; moto makes one for each call."""
    if call.emulator.state.get("too many"):
        return call.error("TooManyInvalidationsInProgress", "Processing your request would exceed the quota")
    return call.forward()


def list_invalidations(call: Call) -> Answer:
    """Know of no invalidations of a distribution that is not there; moto says that there are none."""
    ours, name = call.emulator.admin("cloudfront"), call.path.split("/")[-2]
    try:
        ours.get_distribution(Id=name)
    except ours.exceptions.NoSuchDistribution:
        return call.error("NoSuchDistribution", "The specified distribution does not exist.", 404)
    return call.forward()


def get_invalidation(call: Call) -> Answer:
    """Say that it is under way when it is looked at first, and write the end as CloudFront does."""
    answer = call.forward()
    looks = call.emulator.state.setdefault("invalidations", {})
    looks[call.path] = looks.get(call.path, 0) + 1
    status = b"InProgress" if looks[call.path] < 3 else b"Completed"
    answer.body = answer.body.replace(b"COMPLETED", status)
    return answer


def start_query(call: Call) -> Answer:
    state = call.emulator.state
    if call.data["logGroupNames"] != ["/shop"]:
        return call.error("ResourceNotFoundException", "The specified log group does not exist.")
    if state.get("busy"):
        return call.error("LimitExceededException", "You have reached the maximum number of resources allowed.")
    state["asked"] = call.data
    return shaped(call, {"queryId": "q-1"})


def query_results(call: Call) -> Answer:
    state = call.emulator.state
    assert call.data == {"queryId": "q-1"}
    status = state["statuses"].pop(0) if len(state["statuses"]) > 1 else state["statuses"][0]
    rows = [[{"field": name, "value": value} for name, value in row.items()] for row in state.get("rows", [])]
    told = {"recordsMatched": 3.0, "recordsScanned": 9.0, "bytesScanned": 900.0}
    return shaped(call, {"results": rows if status == "Complete" else [], "statistics": told, "status": status})


def stop_query(call: Call) -> Answer:
    call.emulator.state["stopped"] = call.data["queryId"]
    return shaped(call, {"success": True})


LAYERS: dict[tuple[str, str], Layer] = {
    ("secretsmanager", "DescribeSecret"): describe_secret,
    ("secretsmanager", "RotateSecret"): rotate_secret,
    ("ssm", "DescribeInstanceInformation"): describe_nodes,
    ("ssm", "SendCommand"): send_command,
    ("ssm", "ListCommands"): list_commands,
    ("ssm", "ListCommandInvocations"): list_invocations,
    ("cloudfront", "CreateInvalidation"): create_invalidation,
    ("cloudfront", "ListInvalidations"): list_invalidations,
    ("cloudfront", "GetInvalidation"): get_invalidation,
    ("logs", "StartQuery"): start_query,
    ("logs", "GetQueryResults"): query_results,
    ("logs", "StopQuery"): stop_query,
}
