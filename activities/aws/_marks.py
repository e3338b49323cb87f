"""How Halon's mark is written where AWS has no token: into a name that the write makes anyway, or as a tag before it.

Most of AWS's writes take neither a token nor a tag. A tag is a call of its own, so it is written *before* the change
and says what will be so: the key, and a digest of the state that the change makes. It counts only while the target is
in that state. A worker that dies between the tag and the change leaves a tag that says nothing, and the next attempt
goes on.
"""

from halon.contracts.base import JsonObject, digest

PREFIX = "halon:"
"""What the names of Halon's tags begin with."""
_STATE = 12
"""Hexadecimal digits of a state's digest in a tag, whose value has room for 256 characters."""
_SID = "Halon"


def intent(key: str, after: JsonObject) -> str:
    """Give a tag's value: the key, and the state that is wanted."""
    return f"{key}/{digest(after)[:_STATE]}"


def fulfilled(value: str, owned: JsonObject) -> str:
    """Give the key in a tag's value when the target is in the state that it speaks of, otherwise nothing."""
    key, _, state = value.rpartition("/")
    return key if state == digest(owned)[:_STATE] else ""


def sid(key: str, number: int = 0) -> str:
    """Write a key as the id of a policy's statement, which may have letters and digits only.

    Args:
        key: the key.
        number: a number that the id holds as well.
    """
    return f"{_SID}{number}x{key.encode().hex()}"


def of_sid(text: str) -> tuple[int, str] | None:
    """Read the id of a statement that Halon wrote: its number and the key; None when somebody else wrote it."""
    number, _, key = text.removeprefix(_SID).partition("x")
    if not text.startswith(_SID) or not (number.isascii() and number.isdigit()):
        return None
    try:
        return int(number), bytes.fromhex(key).decode()
    except ValueError:
        return None
