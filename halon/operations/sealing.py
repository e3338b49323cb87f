"""Sealing what somebody decides, after it is known who they are: the same for the API, the console, links and Slack."""

import secrets
from datetime import datetime, timedelta

from pydantic import ValidationError

from halon.clients.seals import Sealer
from halon.contracts.decision import MAX_SEAL, Seal
from halon.contracts.people import Principal
from halon.contracts.run import Decide
from halon.errors import InvalidInput

HOLDS_FOR = timedelta(minutes=5)
"""How long a seal may take from here to the run."""


def sealed(sealer: Sealer, who: Principal, run: str, given: Decide, at: datetime, *, seal_id: str = "") -> Decide:
    """Give the decision with its seal, in the name of `who`.

    `seal_id` counts once in a run; without it each seal is one of its own.

    Raises:
        InvalidInput: it does not name its step and the whole digest of its plan, or its comment is too long.
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
    token = sealer.seal(seal)
    if len(token) > MAX_SEAL:
        raise InvalidInput("the comment is too long to be sealed with the decision: shorten it")
    return given.model_copy(update={"by": who.person, "seal": token})
