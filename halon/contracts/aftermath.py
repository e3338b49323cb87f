"""What a run has left behind that ended without a result: somebody terminated it."""

from halon.contracts.base import Contract
from halon.contracts.outcome import LeftInPlace

AFTERMATH = "halon.aftermath"


class Remains(Contract):
    """A change of such a run, with the key that the target may carry."""

    key: str
    left: LeftInPlace


class Aftermath(Contract):
    """All of them, in the order of the attempts."""

    remains: tuple[Remains, ...] = ()
