"""What an installation adds to the ledger's answer: its freezes, its policy, and which workers are there. Pure."""

from collections.abc import Sequence

from halon.contracts.ledger import Admission, AdmissionRequest
from halon.contracts.policy import PolicyRule


def held_to(
    answer: Admission,
    request: AdmissionRequest,
    frozen: Sequence[str],
    rules: Sequence[PolicyRule],
    environment: str,
    missing: Sequence[str] = (),
) -> Admission:
    """Give the whole answer. `frozen` has a sentence for each freeze that is in force for this run.

    `missing` has one for each worker that it needs and that is not there.
    """
    refused = (*missing, *(frozen if request.freeze == "respect" else ()))
    overridden = tuple(f"it overrides the {one}" for one in frozen) if request.freeze == "override" else ()
    return answer.model_copy(
        update={
            "granted": answer.granted and not refused,
            "reasons": (*refused, *answer.reasons),
            "approvals": (*overridden, *answer.approvals),
            "rules": tuple(rules),
            "environment": environment,
        }
    )
