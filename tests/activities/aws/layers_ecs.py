"""What moto does not do of ECS: a deployment for each new task definition, which takes a while."""

import json
from typing import Any

from emulator import Answer, Call, Layer

STEPS = 2
"""How often a look finds a deployment under way before it is complete."""


def create_service(call: Call) -> Answer:
    """Let moto do it, and keep what it forgets."""
    settings: dict[str, Any] = call.emulator.state.setdefault("deployment settings", {})
    settings[call.data["serviceName"]] = call.data.get("deploymentConfiguration", {})
    return call.forward()


def update_service(call: Call) -> Answer:
    """Let moto do it, and begin a deployment of a new task definition."""
    answer = call.forward()
    wanted = call.data.get("taskDefinition")
    if answer.status < 300 and wanted:
        begun: dict[str, Any] = call.emulator.state.setdefault("deployments", {})
        before = begun.get(call.data["service"], {}).get("now")
        begun[call.data["service"]] = {"now": wanted, "before": before, "looks": 0}
    return answer


def describe_services(call: Call) -> Answer:
    answer = call.forward()
    if answer.status >= 300:
        return answer
    found = json.loads(answer.body)
    for one in found["services"]:
        one["deploymentConfiguration"] = call.emulator.state["deployment settings"].get(one["serviceName"], {})
        begun = call.emulator.state.get("deployments", {}).get(one["serviceName"])
        if begun is None:
            begun = {"before": None, "looks": STEPS}
        begun["looks"] += 1
        one["deployments"] = _deployments(one, begun)
    return call.answer(found)


def _deployments(service: dict[str, Any], begun: dict[str, Any]) -> list[dict[str, Any]]:
    wanted, failed = service["desiredCount"], begun.get("failed", "")
    done = begun["looks"] >= STEPS
    newest = {
        "id": "ecs-svc/2",
        "status": "PRIMARY",
        "taskDefinition": service["taskDefinition"],
        "desiredCount": wanted,
        "runningCount": wanted if done and not failed else 0,
        "failedTasks": 3 if failed else 0,
        "rolloutState": "FAILED" if failed else "COMPLETED" if done else "IN_PROGRESS",
        "rolloutStateReason": failed or "ECS deployment ecs-svc/2",
    }
    older = {
        **newest,
        "id": "ecs-svc/1",
        "status": "ACTIVE",
        "taskDefinition": begun["before"] or service["taskDefinition"],
        "runningCount": wanted,
        "rolloutState": "COMPLETED",
        "rolloutStateReason": "",
    }
    return [newest] if done and not failed else [newest, older]


LAYERS: dict[tuple[str, str], Layer] = {
    ("ecs", "CreateService"): create_service,
    ("ecs", "UpdateService"): update_service,
    ("ecs", "DescribeServices"): describe_services,
}
