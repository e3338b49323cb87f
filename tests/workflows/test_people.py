"""Who may decide is found when the question is put, and a seal proves who decides: on a running engine."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lamp import APPROVED, DIM, LOOK, Engine, alert, book, running, time_skipping_server
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from halon.cli.decisions import decide
from halon.clients.seals import Sealer, new_private_key, read_private_key, sealer
from halon.contracts.audit import AuditKind, StoredRecord
from halon.contracts.decision import Cause, Seal, Verdict
from halon.contracts.outcome import Outcome
from halon.contracts.people import Method
from halon.contracts.run import Decide
from halon.core.ids import run_id
from halon.errors import InvalidInput
from halon.settings import Settings

FIRST = "dim-0000000000-" + alert().episode[:8]
PEM = new_private_key()
KEY = Sealer(read_private_key(PEM, "a key of ana's"))
PEOPLE: dict[str, Any] = {
    "people": {
        "ana": {"email": "ana@example.com", "keys": [KEY.public]},
        "ben": {"email": "ben@example.com"},
        "cyd": {"email": "cyd@example.com"},
    },
    "groups": {"light": {"members": ["ana", "ben"]}},
    "roles": {
        "responder": {"may": ["read", "decide"], "to": ["group:light"], "where": {"service": ["stage"]}},
        "owner": {"may": ["break_glass"], "to": ["cyd"]},
    },
}
ASKED = {**DIM, "approve": {"within": "10m", "from": ["group:light"]}}
TWO = {**DIM, "approve": {"within": "10m", "from": ["group:light"], "quorum": 2}}


def settings_in(directory: Path, **more: Any) -> Settings:
    return Settings.model_validate({"data_dir": directory, **PEOPLE, **more})


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with await _engine(tmp_path) as one:
        yield one


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Engine]:
    async with await _engine(tmp_path, approvals={"trust": "signed"}) as one:
        yield one


async def _engine(directory: Path, **more: Any) -> AbstractAsyncContextManager[Engine]:
    return running(directory, await time_skipping_server(), settings_in(directory, **more))


async def seal(engine: Engine, **changed: Any) -> Seal:
    """What the gateway would seal when ana approves what is shown now."""
    gate = (await engine.waiting(FIRST)).gates[0]
    said = Seal(
        run=run_id(FIRST),
        verdict=Verdict.APPROVE,
        by="ana",
        method=Method.OIDC,
        step=gate.step,
        plan=gate.digest,
        id=f"seal-of-{changed.get('by', 'ana')}-0123456789",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    return said.model_copy(update=changed)


def decision(said: Seal, token: str) -> dict[str, Any]:
    given = {"verdict": said.verdict.value, "by": said.by, "comment": said.comment, "break_glass": said.break_glass}
    return {**given, "plan": said.plan, "step": said.step, "seal": token}


async def refused(engine: Engine, given: dict[str, Any]) -> str:
    """Why this decision does not count, as the word that is counted."""
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await engine.run(FIRST).execute_update("decide", given)
    assert isinstance(error.value.cause, ApplicationError)
    cause: dict[str, str] = error.value.cause.details[0]
    return cause["cause"]


async def record_of(engine: Engine, kind: AuditKind) -> StoredRecord:
    return next(one for one in await engine.store.audit.records(FIRST) if one.kind is kind)


async def test_only_those_who_are_asked_approve_and_the_audit_keeps_who_they_were(engine: Engine) -> None:
    handle = await engine.fire(book([ASKED, LOOK]), alert())
    gate = (await engine.waiting(FIRST)).gates[0]
    assert [one.person for one in gate.electorate.electors] == ["ana", "ben"]
    assert await refused(engine, {"verdict": "approve", "by": "cyd@example.com"}) == Cause.NOT_ASKED
    assert engine.lamp.writes == []
    await engine.run(FIRST).execute_update("decide", {"verdict": "approve", "by": "BEN@example.com"})
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert (await record_of(engine, AuditKind.APPROVAL_ASKED)).data["asked"] == ["ana", "ben"]
    taken = await record_of(engine, AuditKind.DECISION_TAKEN)
    assert (taken.actor, taken.data["authenticated"], taken.data["asked_as"]) == ("ben", "claimed", ["group:light"])


async def test_who_has_no_right_there_is_not_asked_there(engine: Engine) -> None:
    elsewhere = alert().model_copy(update={"labels": {"lamp": "1", "service": "hall"}})
    handle = await engine.fire(book([ASKED, LOOK]), elsewhere)
    result = await handle.result()
    assert result.outcome is Outcome.EXPIRED  # cyd could break the glass, so the question stood
    assert engine.lamp.writes == []


async def test_a_question_that_nobody_could_answer_is_refused_at_once(tmp_path: Path) -> None:
    lonely = {**PEOPLE, "groups": {"light": {"members": []}}, "roles": {}}
    async with running(
        tmp_path, await time_skipping_server(), Settings.model_validate({**lonely, "data_dir": tmp_path})
    ) as engine:
        handle = await engine.fire(book([ASKED, LOOK]), alert())
        result = await handle.result()
        assert result.outcome is Outcome.REFUSED
        assert "group:light: it has no members now" in result.reason
        assert engine.lamp.writes == []


async def test_a_sealed_decision_counts_and_is_told_with_how_it_was_proven(strict: Engine, tmp_path: Path) -> None:
    handle = await strict.fire(book([ASKED, LOOK]), alert())
    said = await seal(strict)
    gateway = sealer(settings_in(tmp_path))
    answer = await strict.run(FIRST).execute_update("decide", decision(said, gateway.seal(said)))
    assert answer.startswith("taken: approve of dim by ana on plan ")
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert (await record_of(strict, AuditKind.DECISION_TAKEN)).data["authenticated"] == "oidc"


async def test_where_seals_are_asked_for_a_claimed_name_is_recorded_and_ignored(strict: Engine) -> None:
    handle = await strict.fire(book([ASKED, LOOK]), alert())
    await strict.waiting(FIRST)
    assert await refused(strict, {"verdict": "approve", "by": "ana"}) == Cause.UNSEALED
    await strict.run(FIRST).signal("approve", {"by": "ana"})
    await strict.run(FIRST).signal("deny", {"by": "ana"})
    assert (await handle.result()).outcome is Outcome.EXPIRED
    assert strict.lamp.writes == []
    assert (await strict.told(FIRST)).count(AuditKind.DECISION_REFUSED) == 3


async def test_a_persons_own_key_decides_by_signal_as_well(strict: Engine) -> None:
    handle = await strict.fire(book([ASKED, LOOK]), alert())
    said = await seal(strict, method=Method.KEY)
    given = decision(said, KEY.seal(said))
    del given["verdict"]
    await strict.signal(FIRST, "approve", given)
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert (await record_of(strict, AuditKind.DECISION_TAKEN)).data["authenticated"] == "key"


async def test_the_command_signs_with_a_key_in_a_file(strict: Engine, tmp_path: Path) -> None:
    handle = await strict.fire(book([ASKED, LOOK]), alert())
    await strict.waiting(FIRST)
    key = tmp_path / "ana.pem"
    key.write_bytes(PEM)
    settings = settings_in(tmp_path, temporal={"address": strict.client.service_client.config.target_host})
    given = Decide(verdict=Verdict.APPROVE, by="whoever")
    other = tmp_path / "other.pem"
    other.write_bytes(new_private_key())
    with pytest.raises(InvalidInput, match="the key is nobody's"):
        await decide(settings, FIRST, given, other)
    incident, answer = await decide(settings, FIRST, given, key)
    assert (incident, answer.split(" on ")[0]) == (FIRST, "taken: approve of dim by ana")
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert (await record_of(strict, AuditKind.DECISION_TAKEN)).data["authenticated"] == "key"


async def test_a_seal_is_for_one_decision_of_one_person_on_one_plan_of_one_run_once(
    strict: Engine, tmp_path: Path
) -> None:
    gateway = sealer(settings_in(tmp_path))
    handle = await strict.fire(book([TWO, LOOK]), alert())
    said = await seal(strict)
    good = decision(said, gateway.seal(said))
    stranger = Sealer(Ed25519PrivateKey.generate())
    late = await seal(strict, expires_at=datetime.now(UTC) - timedelta(minutes=1))
    for wrong in (
        {**good, "by": "ben"},
        {**good, "comment": "and delete the rest"},
        {**good, "verdict": "deny"},
        {**good, "plan": "f" * 64},
        {**good, "step": "other"},
        {**good, "seal": good["seal"][:-4] + "AAAA"},
        {**good, "seal": "x" * 40_000},
        {**good, "seal": stranger.seal(said)},
        {**good, "seal": KEY.seal(said)},
        decision(late, gateway.seal(late)),
    ):
        assert await refused(strict, wrong) == Cause.FORGED
    for changed, cause in (
        ({"run": "another-0000000000-00000000-run"}, Cause.FORGED),
        ({"plan": "f" * 64}, Cause.OTHER_PLAN),
    ):
        other = await seal(strict, **changed, id=f"another-seal-{cause}")
        assert await refused(strict, decision(other, gateway.seal(other))) == cause
    await strict.run(FIRST).execute_update("decide", good)
    assert await refused(strict, good) == Cause.REPLAYED
    again = await seal(strict, id="a-second-seal-of-ana")
    assert await refused(strict, decision(again, gateway.seal(again))) == Cause.TWICE
    assert strict.lamp.writes == []
    other = await seal(strict, by="ben")
    await strict.run(FIRST).execute_update("decide", decision(other, gateway.seal(other)))
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert AuditKind.DECISION_REFUSED in await strict.told(FIRST)


async def test_breaking_the_glass_is_told_as_what_it_is(engine: Engine) -> None:
    handle = await engine.fire(book([TWO, LOOK]), alert())
    await engine.waiting(FIRST)
    glass = {"verdict": "approve", "by": "cyd", "break_glass": True}
    assert await refused(engine, glass) == Cause.NO_REASON
    assert await refused(engine, {**glass, "by": "ben", "comment": "all asleep"}) == Cause.NO_RIGHT
    await engine.run(FIRST).execute_update("decide", {**glass, "comment": "all asleep"})
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    broken = await record_of(engine, AuditKind.GLASS_BROKEN)
    assert (broken.actor, broken.data["comment"]) == ("cyd", "all asleep")


async def test_escalation_finds_who_is_meant_when_it_comes_to_it(engine: Engine) -> None:
    step = {**DIM, "approve": {"within": "10m", "from": ["ana"], "escalate": {"after": "2m", "to": ["ben"]}}}
    handle = await engine.fire(book([step, LOOK]), alert())
    await engine.waiting(FIRST)
    assert await refused(engine, {"verdict": "approve", "by": "ben"}) == Cause.NOT_ASKED
    await engine.environment.sleep(timedelta(minutes=3))
    await engine.run(FIRST).execute_update("decide", {"verdict": "approve", "by": "ben"})
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert (await record_of(engine, AuditKind.APPROVAL_ESCALATED)).data["asked"] == ["ben"]


async def test_without_people_anyone_may_still_decide(tmp_path: Path) -> None:
    async with running(tmp_path, await time_skipping_server(), Settings(data_dir=tmp_path)) as engine:
        handle = await engine.fire(book([APPROVED, LOOK]), alert())
        await engine.waiting(FIRST)
        await engine.run(FIRST).execute_update("decide", {"verdict": "approve", "by": "whoever"})
        assert (await handle.result()).outcome is Outcome.REMEDIATED


ON_CALL = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260101T000000Z\r\nDTEND:20990101T000000Z\r\nSUMMARY:cyd\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


async def test_whoever_is_on_call_when_it_is_asked_may_decide(tmp_path: Path) -> None:
    calendar = tmp_path / "oncall.ics"
    calendar.write_text(ON_CALL)
    scheduled = {"groups": {"light": {"calendar": {"file": calendar}}}}
    async with await _engine(tmp_path, **scheduled) as engine:
        handle = await engine.fire(book([ASKED, LOOK]), alert())
        gate = (await engine.waiting(FIRST)).gates[0]
        assert [one.person for one in gate.electorate.electors] == ["cyd"]
        assert await refused(engine, {"verdict": "approve", "by": "ana"}) == Cause.NOT_ASKED
        await engine.run(FIRST).execute_update("decide", {"verdict": "approve", "by": "cyd"})
        assert (await handle.result()).outcome is Outcome.REMEDIATED
