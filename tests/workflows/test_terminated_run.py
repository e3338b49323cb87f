"""A run that somebody terminates after it has written: it undoes nothing, so people are told what is there."""

from lamp import DIM, GROUP, LOOK, Engine, alert, book, until

from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome

FIRST = f"{GROUP}-{alert().episode[:8]}"


async def test_what_a_terminated_run_has_changed_is_handed_over(real_time_engine: Engine) -> None:
    engine = real_time_engine
    engine.lamp.lit = False
    handle = await engine.fire(book([DIM, {**LOOK, "within": "5m"}]), alert())

    async def written() -> bool:
        return engine.lamp.writes == [1]

    await until(written)
    await engine.run(FIRST).terminate("by mistake")
    result = await handle.result()
    assert result.outcome is Outcome.FAILED
    assert "changes that are, or may be, in place: Set the lamp to 1; look at" in result.reason
    [told] = [one for one in await engine.store.audit.records(FIRST) if one.kind is AuditKind.UNDO_FAILED]
    assert told.data["left"]["before"] == {"level": 9}  # type: ignore[index,call-overload]  # any JSON
    assert told.data["key"] == engine.lamp.mark
