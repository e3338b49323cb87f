from collections.abc import Callable

import pytest

from halon.contracts.base import JsonObject
from halon.contracts.plan import Effect
from halon.playbook.actions import ActionSchema, ActionSchemas
from halon.playbook.loader import LoadResult, load


def params(*required: str, **more: JsonObject) -> JsonObject:
    text: JsonObject = {"type": "string"}
    properties: JsonObject = {**dict.fromkeys(required, text), **more}
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def output(**fields: str) -> JsonObject:
    properties: JsonObject = {name: {"type": kind} for name, kind in fields.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


@pytest.fixture(scope="session")
def actions() -> ActionSchemas:
    """Actions of every effect, as a registry would describe them."""
    deployment = params("namespace", "name")
    known = [
        ActionSchema("kubernetes.get_owner", Effect.READ, params("namespace", "pod"), output(deployment="string")),
        ActionSchema(
            "kubernetes.get_rollout_history",
            Effect.READ,
            deployment,
            output(previous="integer", age="string", selector="string"),
            hints={"age": "duration"},
        ),
        ActionSchema(
            "kubernetes.collect_evidence",
            Effect.READ,
            params("namespace", "selector", logs={"enum": ["previous", "current"]}),
        ),
        ActionSchema(
            "kubernetes.rollback_deployment",
            Effect.CHANGE,
            params("namespace", "name", to_revision={"type": "integer", "minimum": 1}),
        ),
        ActionSchema(
            "kubernetes.scale_deployment",
            Effect.CHANGE,
            params("namespace", "name", replicas={"type": "integer", "minimum": 0, "maximum": 100}),
        ),
        ActionSchema("kubernetes.delete_pod", Effect.DESTROY, params("namespace", "name"), undoable=False),
        ActionSchema("kubernetes.restart_deployment", Effect.CHANGE, deployment, undoable=False),
        ActionSchema("http.check", Effect.READ, params("url"), output(ok="boolean")),
        ActionSchema("prometheus.query", Effect.READ, params("query"), output(value="number")),
        ActionSchema("notify.page", Effect.NOTIFY, params("to", "summary", details={"type": "string"})),
    ]
    return {action.name: action for action in known}


@pytest.fixture(scope="session")
def loaded(actions: ActionSchemas) -> Callable[[str], LoadResult]:
    """Loads the text of a playbook's file."""
    return lambda text: load(text, "x.yaml", actions)
