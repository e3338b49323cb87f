"""Tokens that people use with the API. Only their hashes are kept."""

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from halon.contracts.people import Person
from halon.errors import Misconfigured

PREFIX = "halon_"
"""So that a token is known for one wherever it turns up, such as in a log or a repository."""
MAX_TOKEN = 200
_BYTES = 32
_HASH = "sha256:"
_OPERATOR = Path("keys") / "operator-token"
_READABLE_BY_OTHERS = 0o077


def new_token() -> str:
    """Make a token: 256 bits by chance."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def hash_of(token: str) -> str:
    """Hash a token as `halon.yaml` has it. A random token of 256 bits cannot be guessed, so a plain hash is enough."""
    return _HASH + hashlib.sha256(token.encode()).hexdigest()


class Tokens:
    """Whose token is whose."""

    def __init__(self, people: Mapping[str, Person]) -> None:
        self._hashes = [(known.encode(), person) for person, whose in people.items() for known in whose.tokens]

    def owner(self, token: str) -> str | None:
        """The person whose token it is. It takes as long for every token, right or wrong."""
        given, owner = hash_of(token[:MAX_TOKEN]).encode(), None
        for known, person in self._hashes:
            if hmac.compare_digest(given, known):
                owner = person
        return owner


def operator_token(data_dir: Path) -> str:
    """Give the token of whoever runs this installation. It is made when there is none.

    Raises:
        Misconfigured: it cannot be kept, or others can read it.
    """
    file = data_dir / _OPERATOR
    try:
        token = _made(file)
        mode = file.stat().st_mode
    except OSError as error:
        raise Misconfigured(f"the operator's token cannot be kept in {file}: {error.strerror}") from error
    if mode & _READABLE_BY_OTHERS:
        raise Misconfigured(f"others can read the operator's token: chmod 600 {file}")
    if not token.startswith(PREFIX) or len(token) < len(PREFIX) + _BYTES:
        raise Misconfigured(f"{file} holds no token: remove it, and another one is made")
    return token


def operator_token_file(data_dir: Path) -> Path:
    """Where it is."""
    return data_dir / _OPERATOR


def _made(file: Path) -> str:
    """Read the file; the first process that wants it makes it, whole or not at all."""
    with contextlib.suppress(FileNotFoundError):
        return file.read_text(encoding="ascii", errors="replace").strip()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
        out.write(new_token() + "\n")
    with contextlib.suppress(FileExistsError):
        os.link(draft, file)
    draft.unlink()
    return file.read_text(encoding="ascii", errors="replace").strip()
