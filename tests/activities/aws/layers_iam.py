"""What moto's IAM leaves out: simulating the policies of a role, here by moto's own reading of them."""

from typing import Any
from xml.sax.saxutils import escape

from emulator import ACCOUNT, Answer, Call, Layer
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.models import iam_backends

DECISIONS = {
    PermissionResult.PERMITTED: "allowed",
    PermissionResult.DENIED: "explicitDeny",
    PermissionResult.NEUTRAL: "implicitDeny",
}


def simulate_principal_policy(call: Call) -> Answer:
    """Evaluate every action on every resource. Conditions that `state['context']` names are left open."""
    data = call.data
    name = str(data["PolicySourceArn"]).rpartition("/")[2]
    backend: Any = iam_backends[ACCOUNT]["aws"]
    role = next((one for one in backend.roles.values() if one.name == name), None)
    if role is None:
        return call.error("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
    documents = [*role.policies.values(), *(one.default_version.document for one in role.managed_policies.values())]
    policies = [IAMPolicy(one) for one in documents]
    actions = [value for key, value in data.items() if key.startswith("ActionNames.")]
    (resource,) = [value for key, value in data.items() if key.startswith("ResourceArns.")]
    members = "".join(_member(call, action, resource, _decision(policies, action, resource)) for action in actions)
    result = f"<EvaluationResults>{members}</EvaluationResults><IsTruncated>false</IsTruncated>"
    whole = f"<SimulatePrincipalPolicyResult>{result}</SimulatePrincipalPolicyResult>"
    namespace = "https://iam.amazonaws.com/doc/2010-05-08/"
    body = f'<SimulatePrincipalPolicyResponse xmlns="{namespace}">{whole}</SimulatePrincipalPolicyResponse>'
    return Answer(200, body.encode(), [("Content-Type", "text/xml")])


def _decision(policies: list[IAMPolicy], action: str, resource: str) -> str:
    found = {DECISIONS[one.is_action_permitted(action, resource)] for one in policies}
    return next((one for one in ("explicitDeny", "allowed") if one in found), "implicitDeny")


def _member(call: Call, action: str, resource: str, decision: str) -> str:
    named = f"<EvalActionName>{action}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
    context = call.emulator.state.get("context", {}).get(action)
    missing = f"<MissingContextValues><member>{context}</member></MissingContextValues>" if context else ""
    return f"<member>{named}<EvalDecision>{decision}</EvalDecision>{missing}</member>"


IAM_LAYERS: dict[tuple[str, str], Layer] = {("iam", "SimulatePrincipalPolicy"): simulate_principal_policy}
