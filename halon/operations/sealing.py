"""Sealing what somebody decides, after it is known who they are: the same for the API, the console, links and Slack."""

import secrets
from datetime import datetime, timedelta

from pydantic import ValidationError

from halon.clients.seals import Sealer
from halon.contracts.decision import Seal
from halon.contracts.people import Principal
from halon.contracts.run import Decide, OpenGate, RunStatus
from halon.core.approval import MIN_DIGEST
from halon.errors import Conflict, InvalidInput

HOLDS_FOR = timedelta(minutes=5)
"""How long a seal may take from here to the run."""


def sealed(sealer: Sealer, who: Principal, run: str, given: Decide, at: datetime, *, seal_id: str = "") -> Decide:
    """Give the decision with its seal, in the name of `who`.

    `seal_id` counts once in a run; without it each seal is one of its own.

    Raises:
        InvalidInput: it does not name its step and the whole digest of its plan.
    """
    try:
        seal = Seal(
            run=run,
            verdict=given.verdict,
            by=who.person,
            method=who.method,
            groups=who.groups,
            step=given.step,
            plan=given.plan,
            comment=given.comment,
            break_glass=given.break_glass,
            id=seal_id or secrets.token_urlsafe(24),
            expires_at=at + HOLDS_FOR,
        )
    except ValidationError as error:
        fields = ", ".join(f"`{one['loc'][0]}`" for one in error.errors(include_url=False))
        raise InvalidInput(
            f"a decision to be sealed needs the whole plan digest and its step; wrong: {fields}"
        ) from error
    return given.model_copy(update={"by": who.person, "seal": sealer.seal(seal)})


def meant(status: RunStatus, given: Decide) -> OpenGate:
    """Give the open question that a decision is about: by its step, else by its plan, else the only one.

    Raises:
        Conflict: none is open, several are meant, or the plan that is shown now is another one.
    """
    gates = [gate for gate in status.gates if given.step in {"", gate.step}]
    gates = [gate for gate in gates if gate.digest.startswith(given.plan)] or gates
    if not gates:
        waits = ", ".join(gate.step for gate in status.gates)
        raise Conflict(f"no step {given.step} waits; open: {waits}" if waits else "nothing waits for a decision now")
    if len(gates) > 1:
        raise Conflict(f"several steps wait; say which: {', '.join(gate.step for gate in gates)}")
    gate = gates[0]
    if given.plan and (len(given.plan) < MIN_DIGEST or not gate.digest.startswith(given.plan)):
        raise Conflict(f"the plan shown now is {gate.digest[:12]}, not {given.plan[:12]}: read it again")
    return gate
