"""The inputs of a run that is started by hand, held against what its playbook declares."""

from halon.contracts.base import JsonObject
from halon.contracts.playbook import Playbook
from halon.core.frame import StepFailed
from halon.core.inputs import checked_input
from halon.documents import nearest
from halon.errors import InvalidInput


def check_inputs(playbook: Playbook, given: JsonObject) -> JsonObject:
    """Give the inputs as they are when a run could begin with them.

    Raises:
        InvalidInput: a name is unknown, a value is not of its type, or a needed one is missing; `problems` says which.
    """
    problems: list[str] = []
    for name, value in given.items():
        declared = playbook.inputs.get(name)
        if declared is None:
            known = nearest(name, playbook.inputs) or f"; it has {', '.join(playbook.inputs) or 'none'}"
            problems.append(f"inputs.{name}: playbook {playbook.metadata.name} has no such input{known}")
            continue
        try:
            checked_input(name, declared, value)
        except StepFailed as failure:
            problems.append(f"{failure.step}: {failure.reason}")
    missing = [name for name, one in playbook.inputs.items() if one.required and one.default is None]
    problems += [f"inputs.{name}: is missing" for name in missing if name not in given]
    if problems:
        raise InvalidInput(f"the inputs do not fit playbook {playbook.metadata.name}", problems)
    return given
