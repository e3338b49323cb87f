"""Evidence: the same bytes once, whole or not at all, and a change shows."""

# ruff: noqa: ASYNC240  # a test may wait for a file
import asyncio
import hashlib
from pathlib import Path

import pytest

from halon.errors import InvalidInput, NotFound, PermanentError, TransientError
from halon.store.evidence import MAX_EVIDENCE, EvidenceDirectory

DATA = b"cart-7d9f: panic: out of memory\n"
DIGEST = hashlib.sha256(DATA).hexdigest()


async def test_evidence_is_found_again_by_its_digest(tmp_path: Path) -> None:
    evidence = EvidenceDirectory(tmp_path / "deep" / "evidence")
    kept = await evidence.put(DATA, "text/plain", "cart.log")
    assert (kept.digest, kept.size, kept.media_type, kept.name) == (DIGEST, len(DATA), "text/plain", "cart.log")
    assert await evidence.get(DIGEST) == DATA
    assert await evidence.about(DIGEST) == kept


async def test_the_same_bytes_are_kept_once_however_many_write_them(tmp_path: Path) -> None:
    evidence = EvidenceDirectory(tmp_path)
    await asyncio.gather(*(evidence.put(DATA, "text/plain", f"{n}.log") for n in range(20)))
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == [DIGEST, f"{DIGEST}.json"]
    assert await evidence.get(DIGEST) == DATA


async def test_evidence_that_was_changed_is_not_given_out(tmp_path: Path) -> None:
    evidence = EvidenceDirectory(tmp_path)
    await evidence.put(DATA, "text/plain", "cart.log")
    (tmp_path / DIGEST[:2] / DIGEST).write_bytes(b"nothing to see here")
    with pytest.raises(PermanentError, match="was changed since"):
        await evidence.get(DIGEST)


async def test_half_a_file_left_by_a_crash_is_replaced(tmp_path: Path) -> None:
    (tmp_path / DIGEST[:2]).mkdir()
    (tmp_path / DIGEST[:2] / DIGEST).write_bytes(DATA[:5])
    evidence = EvidenceDirectory(tmp_path)
    await evidence.put(DATA, "text/plain", "cart.log")
    assert await evidence.get(DIGEST) == DATA


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", "", "A" * 64])
async def test_what_is_not_there_is_not_found(tmp_path: Path, digest: str) -> None:
    with pytest.raises(NotFound):
        await EvidenceDirectory(tmp_path).get(digest)


async def test_too_much_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="at most"):
        await EvidenceDirectory(tmp_path).put(bytes(MAX_EVIDENCE + 1), "text/plain", "huge.log")
    assert not list(tmp_path.iterdir())


async def test_a_directory_that_cannot_be_written_is_worth_another_try(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("a file in the way")
    with pytest.raises(TransientError, match="cannot be kept"):
        await EvidenceDirectory(tmp_path / "evidence").put(DATA, "text/plain", "cart.log")
