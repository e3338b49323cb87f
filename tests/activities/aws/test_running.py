"""Secrets are rotated, commands run, caches emptied and logs asked: what is refused, and what comes of it."""

import hashlib
import math
from datetime import timedelta
from typing import Any

import pytest
from aws_stage import Stage, stage
from layers_running import FUNCTION, LAYERS, begin_rotation, finish_rotation, node, secret, sent
from operations_running import COMMAND, NODES, distribution, nodes
from pydantic import ValidationError
from world import KEY, World

from activities.aws._once import text_of
from activities.aws.query_logs import QueryLogs, number
from activities.aws.run_command import RunCommand
from halon.contracts.activity import ConfirmRequest
from halon.errors import NotFound, PermanentError, PermissionDenied, TransientError

NOBODY: Any = None
ROTATE = {"secret": "orders"}


def world(there: Stage, action: str, **params: Any) -> World:
    return there.world(f"aws.{action}", params, NOBODY)


async def test_a_rotation_is_done_when_the_new_version_is_the_current_one() -> None:
    async with stage("aws.rotate_secret", layers=LAYERS) as there:
        secret(there.aws)
        here = world(there, "rotate_secret", **ROTATE)
        plan = await here.plan()
        assert FUNCTION in plan.notes[0]
        await here.apply(plan)
        request = ConfirmRequest(plan=plan, incident="i-1", step="step", poll=timedelta(seconds=1))
        assert (await here.lifecycle.confirm(request)).state == "waiting"
        told = await here.confirmed(plan)
        assert (told.state, told.observed) == ("settled", {"version": hashlib.sha256(KEY.encode()).hexdigest()})
        assert [one.partition(" ")[0] for one in here.writes()] == ["secretsmanager:RotateSecret"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"RotationLambdaARN": None}, "has no rotation function"),
        ({"RotationEnabled": False}, "rotation switched off"),
        ({"RotationLambdaARN": None, "OwningService": "rds"}, "managed by the service rds"),
        ({"DeletedDate": 1767323045}, "scheduled for deletion"),
        ({"PrimaryRegion": "us-east-1"}, "is a replica: rotate it in us-east-1"),
        ({"VersionIdsToStages": {"b" * 32: ["AWSCURRENT"], "c" * 32: ["AWSPENDING"]}}, "failed half-way"),
        ({"VersionIdsToStages": None}, "has no current version"),
    ],
    ids=["no function", "off", "managed", "deleted", "replica", "half-way", "empty"],
)
async def test_what_cannot_be_rotated_is_refused(more: Any, reason: str) -> None:
    async with stage("aws.rotate_secret", layers=LAYERS) as there:
        secret(there.aws, **more)
        plan = await world(there, "rotate_secret", **ROTATE).plan()
        assert (plan.kind, reason in plan.reason) == ("refused", True), plan.reason


async def test_a_rotation_that_somebody_else_begins_meanwhile_is_not_made_twice() -> None:
    async with stage("aws.rotate_secret", layers=LAYERS) as there:
        found = secret(there.aws)
        here = world(there, "rotate_secret", **ROTATE)
        plan = await here.plan()
        begin_rotation(found, "c" * 32)
        applied = await here.apply(plan)
        assert (applied.status, applied.ours, here.writes()) == ("already", False, [])


async def test_a_rotation_that_is_cancelled_is_broken() -> None:
    async with stage("aws.rotate_secret", layers=LAYERS) as there:
        found = secret(there.aws)
        here = world(there, "rotate_secret", **ROTATE)
        plan = await here.plan()
        await here.apply(plan)
        found["VersionIdsToStages"] = {"b" * 32: ["AWSCURRENT"], "a" * 32: ["AWSPREVIOUS"]}
        there.aws.state["looks"] = 9
        assert (await here.confirmed(plan)).state == "broken"
        begin_rotation(found, "e" * 32)
        finish_rotation(found)
        with pytest.raises(NotFound):
            await world(there, "rotate_secret", secret="other").plan()


async def test_a_command_goes_to_the_nodes_of_the_plan_and_tells_what_they_said() -> None:
    async with stage("aws.run_command", layers=LAYERS) as there:
        nodes(there.aws)
        there.aws.state["output"] = "restarted, token=abcdef123456 " + "x" * 2000
        here = world(there, "run_command", **COMMAND)
        plan = await here.plan()
        assert (plan.params["instances"], plan.params.get("tags", {})) == (list(NODES), {})
        node(there.aws, "i-0123456789abcdef9", service="cart")  # a new one, which nobody approved
        await here.apply(plan)
        told = await here.confirmed(plan)
        assert told.state == "settled"
        (first, second) = told.observed["first"]  # type: ignore[misc]  # a list of JSON
        assert [first["node"], second["node"]] == list(NODES)  # type: ignore[index,call-overload]
        assert "abcdef123456" not in str(told)
        assert len(str(told)) < 4000
        (one,) = there.aws.state["commands"]
        assert one["InstanceIds"] == list(NODES)


async def test_a_node_that_ssm_does_not_tell_of_yet_is_waited_for() -> None:
    async with stage("aws.run_command", layers=LAYERS) as there:
        nodes(there.aws)
        here = world(there, "run_command", **COMMAND)
        plan = await here.plan()
        await here.apply(plan)
        there.aws.state["commands"][0] |= {"Status": "Success", "StatusDetails": "Success"}
        there.aws.state["late"] = 1
        request = ConfirmRequest(plan=plan, incident="i-1", step="step", poll=timedelta(seconds=1))
        assert (await here.lifecycle.confirm(request)).state == "waiting"
        assert (await here.lifecycle.confirm(request)).state == "settled"


@pytest.mark.parametrize("bad", [True, False], ids=["one", "all"])
async def test_a_command_that_fails_on_any_node_is_broken(bad: bool) -> None:  # noqa: FBT001  # a parameter
    async with stage("aws.run_command", layers=LAYERS) as there:
        nodes(there.aws)
        there.aws.state |= {"bad": [NODES[1]]} if bad else {"ends": "TimedOut"}
        here = world(there, "run_command", **COMMAND)
        plan = await here.plan()
        await here.apply(plan)
        told = await here.confirmed(plan)
        assert (told.state, f"succeeded on {1 if bad else 0} of 2 nodes" in told.reason) == ("broken", True)
        assert told.observed["first"][0]["status"] == ("Failed" if bad else "TimedOut")  # type: ignore[index,call-overload]


async def test_only_documents_that_halon_yaml_names_are_run() -> None:
    async with stage("aws.run_command", layers=LAYERS) as there:
        nodes(there.aws)
        for document in ("AWS-RunShellScript", "Acme-Restar", "acme-restart"):
            with pytest.raises(PermissionDenied, match=r"aws\.accounts\.prod\.documents in halon\.yaml does not name"):
                await world(there, "run_command", **{**COMMAND, "document": document}).plan()


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"tags": {"service": "none"}}, "manages no node with the tags service=none"),
        ({"max_nodes": 1}, "2 nodes are more than `max_nodes`"),
        ({"tags": {}, "instances": ["i-0123456789abcdef8", NODES[0]]}, "i-0123456789abcdef8 (not managed by SSM)"),
        ({"tags": {"service": "lost"}}, "(ConnectionLost) cannot take a command"),
    ],
    ids=["nobody", "many", "unknown", "away"],
)
async def test_nodes_that_cannot_or_may_not_take_it_are_refused(params: Any, reason: str) -> None:
    async with stage("aws.run_command", layers=LAYERS) as there:
        nodes(there.aws)
        node(there.aws, "i-0123456789abcdef7", "ConnectionLost", service="lost")
        plan = await world(there, "run_command", **{**COMMAND, **params}).plan()
        assert (plan.kind, reason in plan.reason) == ("refused", True), plan.reason


async def test_a_reference_is_one_command_and_not_another() -> None:
    async with stage("aws.run_command", layers=LAYERS) as there:
        nodes(there.aws)
        here = world(there, "run_command", **COMMAND)
        await here.apply(await here.plan())
        for number_of in range(60):  # others' commands, more than a page
            sent(there.aws, 100 + number_of)
        assert "was sent for this already" in (await here.plan()).reason
        other = await world(there, "run_command", **COMMAND, parameters={"Unit": ["other"]}).plan()
        assert (other.kind, "with other parameters or nodes" in other.reason) == ("refused", True)
        assert (await world(there, "run_command", **{**COMMAND, "reference": "i-2"}).plan()).kind == "change"
        for number_of in range(1000):
            sent(there.aws, 1000 + number_of)
        with pytest.raises(PermanentError, match="more than 1000 commands"):
            await here.plan()


@pytest.mark.parametrize(
    "params",
    [
        {"tags": {}},
        {"instances": [NODES[0]]},
        {"tags": {}, "instances": ["i-1"]},
        {"document": "x y"},
        {"parameters": {"commands": ["x" * 8000] * 5}},
        {"start_within": "10s"},
    ],
    ids=["nothing", "both", "no id", "no document", "long", "short"],
)
def test_what_is_no_command_is_no_call(params: Any) -> None:
    with pytest.raises(ValidationError):
        RunCommand.model_validate({**COMMAND, **params})


async def test_cloudfront_that_has_too_much_to_do_is_asked_again_later() -> None:
    async with stage("aws.invalidate_paths", layers=LAYERS) as there:
        here = world(there, "invalidate_paths", **distribution(there.aws), paths=["/*"], reference="i-1")
        plan = await here.plan()
        there.aws.state["too many"] = True
        with pytest.raises(TransientError) as raised:
            await here.apply(plan)
        assert raised.value.retry_after is not None
        there.aws.state["too many"] = False
        await here.apply(plan)
        told = await here.confirmed(plan)
        assert told.state == "settled"
        assert "was made for this already" in (await here.plan()).reason
        (call,) = here.writes()
        assert text_of("i-1", {"distribution": here.params["distribution"], "paths": ["/*"]}, KEY) in call
        other = await world(there, "invalidate_paths", **{**here.params, "paths": ["/other"]}).plan()
        assert (other.kind, "of other paths" in other.reason) == ("refused", True)


async def test_a_distribution_that_is_not_there_is_not_found() -> None:
    async with stage("aws.invalidate_paths", layers=LAYERS) as there:
        with pytest.raises(NotFound):
            await world(there, "invalidate_paths", distribution="E1A2B3C4D5E6F7", paths=["/"], reference="i").plan()


LOGS = {"groups": ["/shop"], "query": "stats count(*) as errors"}


async def ask(there: Stage, statuses: list[str], *rows: dict[str, str], **params: Any) -> Any:
    there.aws.state |= {"statuses": statuses, "rows": rows}
    return await QueryLogs.model_validate({**LOGS, **params}).run(there.env)


async def test_a_count_is_a_value_and_nothing_is_no_data() -> None:
    async with stage("aws.query_logs", layers=LAYERS) as there:
        found = await ask(there, ["Scheduled", "Running", "Complete"], {"errors": "12", "@ptr": "x"}, over="10m")
        assert (found.value, found.no_data, found.rows, found.cut) == (12, False, ({"errors": "12"},), False)
        assert (found.matched, found.scanned_bytes) == (3, 900)
        asked = there.aws.state["asked"]
        assert (asked["endTime"] - asked["startTime"], asked["limit"]) == (600, 50)
        assert "stopped" not in there.aws.state
        nothing = await ask(there, ["Complete"])
        assert (nothing.value, nothing.no_data) == (None, True)


async def test_a_value_is_named_where_there_are_several_fields_and_secrets_are_masked() -> None:
    async with stage("aws.query_logs", layers=LAYERS) as there:
        row = {"service": "token=abcdef123456", "p95": "1.5e2"}
        assert (await ask(there, ["Complete"], row)).value is None
        found = await ask(there, ["Complete"], row, value="p95")
        assert (found.value, found.rows[0]["service"]) == (150, "token=[redacted]")
        assert (await ask(there, ["Complete"], row, value="none")).value is None
        many = await ask(there, ["Complete"], row, row, value="p95", most=2)
        assert (many.value, many.cut, len(many.rows)) == (None, True, 2)


@pytest.mark.parametrize("text", ["NaN", "inf", "-Infinity", "1_000", " 1", "1e999", "0x10", "", "१", "1,5", "9" * 41])
def test_what_is_no_finite_number_is_none(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("-3", -3), ("1.50", 1.5), ("2E3", 2000)])
def test_what_is_a_number_is_read_as_one(text: str, value: float) -> None:
    found = number(text)
    assert found is not None
    assert math.isclose(found, value)


async def test_a_query_that_takes_too_long_is_stopped() -> None:
    async with stage("aws.query_logs", layers=LAYERS) as there:
        with pytest.raises(PermanentError, match="was not complete within 1s"):
            await ask(there, ["Running"], within="1s")
        assert there.aws.state["stopped"] == "q-1"


async def test_an_account_with_too_many_queries_is_asked_again_later() -> None:
    async with stage("aws.query_logs", layers=LAYERS) as there:
        there.aws.state["busy"] = True
        with pytest.raises(TransientError) as raised:
            await ask(there, ["Complete"])
        assert raised.value.retry_after is not None


async def test_a_query_that_fails_is_an_error_and_one_that_cannot_be_read_is_stopped() -> None:
    async with stage("aws.query_logs", layers=LAYERS) as there:
        with pytest.raises(PermanentError, match="as Failed"):
            await ask(there, ["Failed"])
        with pytest.raises(NotFound):
            await ask(there, ["Complete"], groups=["/none"])
        assert "stopped" not in there.aws.state
        there.aws.denied.add("logs:GetQueryResults")
        with pytest.raises(PermissionDenied):
            await ask(there, ["Running"])
        assert there.aws.state["stopped"] == "q-1"
