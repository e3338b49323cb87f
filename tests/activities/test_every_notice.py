"""What every notice to another system keeps to: told once for one reference, and nothing told and nothing betrayed in
trouble.

A notice that is in no family's `notices.py` fails here. `notify.*` has rules of its own: its channels take no key.
"""

import importlib.util
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from notice import Opening
from vendor import TOKEN
from world import REGISTRY

from halon.errors import HalonError, PermanentError, PermissionDenied, TransientError
from halon.kit.action import Notice

HERE = Path(__file__).parent
NAMES = [
    name for name in REGISTRY.names if issubclass(REGISTRY.action(name), Notice) and not name.startswith("notify.")
]
PAGE = b"<!doctype html><html><body>Sign in</body></html>"
STRANGE: tuple[tuple[bytes, int, type[HalonError]], ...] = (
    (PAGE, 200, PermanentError),
    (PAGE, 302, PermanentError),
    (PAGE, 502, TransientError),
    (b"[]", 200, PermanentError),
    (b"{}", 200, PermanentError),
    (b'{"result": [', 200, PermanentError),
    (b"[" * 100_000, 200, PermanentError),
    (b"x" * 2_000_000, 200, PermanentError),
)
"""What a proxy or another server may answer, and what it must be taken for."""


def _notices() -> dict[str, Opening]:
    found: dict[str, Opening] = {}
    for file in sorted(HERE.glob("*/notices.py")):
        spec = importlib.util.spec_from_file_location(f"notices_of_{file.parent.name}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= module.NOTICES
    return found


NOTICES = _notices()
every_notice = pytest.mark.parametrize("name", NAMES)


def test_every_notice_has_a_system_to_tell_and_every_system_a_notice() -> None:
    assert sorted(NOTICES) == NAMES


@every_notice
async def test_the_same_reference_twice_tells_once(name: str) -> None:
    async with NOTICES[name]() as here:
        first = await here.run()
        once = list(here.vendor.journal)
        assert len(once) == 1
        again = await here.run()
        assert here.vendor.journal == once
        assert isinstance(first, dict)
        assert isinstance(again, dict)
        assert set(first) == set(again)
        assert TOKEN not in str(first)


@every_notice
async def test_a_notice_whose_answer_is_lost_is_not_told_again(name: str) -> None:
    async with NOTICES[name]() as here:
        here.vendor.lose()
        with pytest.raises(TransientError):
            await here.run()
        once = list(here.vendor.journal)
        assert len(once) == 1
        await here.run()
        assert here.vendor.journal == once


@every_notice
async def test_a_missing_right_and_a_throttled_api_are_told_apart_and_nothing_is_told(name: str) -> None:
    async with NOTICES[name]() as here:
        here.vendor.deny()
        with pytest.raises(PermissionDenied) as denied:
            await here.run()
        here.vendor.throttle()
        with pytest.raises(TransientError) as throttled:
            await here.run()
        assert throttled.value.retry_after == timedelta(seconds=7)
        assert here.vendor.journal == []
        assert TOKEN not in f"{denied.value} {throttled.value}"


@every_notice
async def test_what_is_no_answer_of_the_system_is_one_sentence(name: str) -> None:
    async with NOTICES[name]() as here:
        for body, status, kind in STRANGE:
            page = b"<html" in body
            here.vendor.strange = web.Response(
                body=body, status=status, content_type="text/html" if page else "application/json"
            )
            with pytest.raises(kind) as caught:
                await here.run()
            said = str(caught.value)
            assert len(said) < 600
            assert TOKEN not in said
            assert "<html" not in said


@every_notice
async def test_an_answer_that_repeats_the_credential_does_not_give_it_away(name: str) -> None:
    async with NOTICES[name]() as here:
        body = f'{{"message": "no: {TOKEN}", "error": "no: {TOKEN}"}}'.encode()
        here.vendor.strange = web.Response(body=body, status=400, content_type="application/json")
        with pytest.raises(HalonError) as caught:
            await here.run()
        assert TOKEN not in str(caught.value)
