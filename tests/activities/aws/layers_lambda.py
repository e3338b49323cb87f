"""What moto does not know of Lambda: provisioned concurrency, guarded aliases, and what an account has left."""

import json
import re
from typing import Any

from emulator import Answer, Call, Layer

STEPS = 2
"""How often a look finds provisioning under way before it is ready."""


def _named(call: Call) -> tuple[str, str]:
    found = re.search(r"/functions/([^/]+)", call.path)
    assert found is not None
    return found[1], call.query.get("Qualifier", "")


def _configs(call: Call) -> dict[tuple[str, str], dict[str, Any]]:
    configs: dict[tuple[str, str], dict[str, Any]] = call.emulator.state.setdefault("provisioned", {})
    return configs


def _shown(config: dict[str, Any]) -> dict[str, Any]:
    ready = config["looks"] >= STEPS
    return {
        "RequestedProvisionedConcurrentExecutions": config["wanted"],
        "AvailableProvisionedConcurrentExecutions": config["wanted"] if ready else 0,
        "AllocatedProvisionedConcurrentExecutions": config["wanted"] if ready else 0,
        "Status": config.get("status") or ("READY" if ready else "IN_PROGRESS"),
        **({"StatusReason": config["reason"]} if "reason" in config else {}),
        "LastModified": "2026-01-02T03:04:05+0000",
    }


def put_provisioned(call: Call) -> Answer:
    config = {"wanted": call.data["ProvisionedConcurrentExecutions"], "looks": 0}
    _configs(call)[_named(call)] = config
    return Answer(202, json.dumps(_shown(config)).encode(), [("Content-Type", "application/json")])


def get_provisioned(call: Call) -> Answer:
    config = _configs(call).get(_named(call))
    if config is None:
        code = "ProvisionedConcurrencyConfigNotFoundException"
        return call.error(code, "No Provisioned Concurrency Config found for this function", 404)
    config["looks"] += 1
    return call.answer(_shown(config))


def delete_provisioned(call: Call) -> Answer:
    _configs(call).pop(_named(call), None)
    return Answer(204, b"", [])


def get_alias(call: Call) -> Answer:
    return _with_revision(call, call.forward())


def update_alias(call: Call) -> Answer:
    """Let moto do it, unless the alias was moved since: moto ignores RevisionId, and never changes it."""
    revisions: dict[str, int] = call.emulator.state.setdefault("revisions", {})
    there = revisions.get(call.path, 0)
    if call.data.get("RevisionId") not in {None, str(there)}:
        return call.error("PreconditionFailedException", "The RevisionId provided does not match", 412)
    answer = call.forward()
    revisions[call.path] = there + 1
    return _with_revision(call, answer)


def _with_revision(call: Call, answer: Answer) -> Answer:
    if answer.status >= 300:
        return answer
    revision = call.emulator.state.get("revisions", {}).get(call.path, 0)
    return call.answer({**json.loads(answer.body), "RevisionId": str(revision)})


def account_settings(call: Call) -> Answer:
    ours = call.emulator.admin("lambda")
    names = [one["FunctionName"] for one in ours.list_functions()["Functions"]]
    limits = [ours.get_function_concurrency(FunctionName=name) for name in names]
    taken = sum(one.get("ReservedConcurrentExecutions", 0) for one in limits)
    given = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000 - taken}
    return call.answer({"AccountLimit": given, "AccountUsage": {"FunctionCount": len(names)}})


LAYERS: dict[tuple[str, str], Layer] = {
    ("lambda", "PutProvisionedConcurrencyConfig"): put_provisioned,
    ("lambda", "GetProvisionedConcurrencyConfig"): get_provisioned,
    ("lambda", "DeleteProvisionedConcurrencyConfig"): delete_provisioned,
    ("lambda", "GetAlias"): get_alias,
    ("lambda", "UpdateAlias"): update_alias,
    ("lambda", "GetAccountSettings"): account_settings,
}
