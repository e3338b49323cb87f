"""Where an action leaves what is too large to travel: logs, events, states. The store implements it."""

from typing import Protocol, runtime_checkable

from halon.kit.env import Env


class Kept(Protocol):
    """A piece of evidence in its store."""

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in lower-case hex: the name by which it is found again."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...


@runtime_checkable
class EvidenceStore(Protocol):
    """Keeps bytes by their digest: the same bytes are kept once, so collecting twice adds nothing."""

    async def put(self, data: bytes, media_type: str, name: str) -> Kept:
        """Keep `data`.

        Raises:
            TransientError: the store cannot be written now.
            InvalidInput: the piece is larger than the store takes.
        """
        ...

    async def get(self, digest: str) -> bytes:
        """Give the bytes.

        Raises:
            NotFound: there is no such evidence.
            PermanentError: it was changed since it was kept.
            TransientError: the store cannot be read now.
        """
        ...

    async def about(self, digest: str) -> Kept:
        """Say what a piece of evidence is.

        Raises:
            NotFound: there is no such evidence.
        """
        ...


def evidence_store(env: Env) -> EvidenceStore:
    """The store of this worker.

    Raises:
        Misconfigured: it has none.
    """
    return env.get(EvidenceStore)  # type: ignore[type-abstract]  # only ever compared with isinstance, never called
