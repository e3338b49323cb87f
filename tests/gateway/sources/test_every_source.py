"""What holds for every type of source: it reads what its sender sends, twice the same, and is not upset by anything."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import HERE, NOW, bodies, ends, read, source

from halon.contracts.base import is_list, is_object
from halon.errors import InvalidInput
from halon.gateway.auth import Sender
from halon.gateway.parsing import BadJson, Parsed, parse_json
from halon.gateway.sources import source_types

OTHERS = ("alertmanager", "generic")
"""Those with tests of their own, from before there were others."""
WEB = [kind for kind in source_types() if kind not in OTHERS]
CASES = [(kind, case) for kind in WEB for case in bodies(kind)]
WORDS = st.sampled_from(["", "x", "firing", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "1e400", "x" * 3000])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
unhurried = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def parsed(kind: str, body: Any) -> Parsed | None:
    """What is read, and nothing when the body is refused as it should be."""
    try:
        return source(kind).parse(body, {}, NOW)
    except InvalidInput:
        return None


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path]
    for name in value if is_object(value) else range(len(value)) if is_list(value) else ():
        found += places(value[name], (*path, name))
    return found


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with something else at a place."""
    if not path:
        return new
    copy: Any = dict(value) if is_object(value) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("kind", WEB)
def test_there_are_bodies_of_its_sender(kind: str) -> None:
    assert {"firing", "malformed"} <= bodies(kind).keys()


@pytest.mark.parametrize(("kind", "case"), CASES, ids=["-".join(one) for one in CASES])
def test_a_repeat_is_the_same_episode(kind: str, case: str) -> None:
    body = bodies(kind)[case]
    one, other = parsed(kind, body), parsed(kind, dict(reversed(body.items())) if is_object(body) else body)
    assert one == other
    if one is not None:
        assert one.alerts or one.rejected or one.remarks
        assert [alert.episode for alert in one.alerts] == [alert.episode for alert in (other or one).alerts]


@pytest.mark.parametrize("kind", [kind for kind in WEB if "resolved" in bodies(kind)])
def test_an_end_finds_what_fires_under_the_same_labels(kind: str) -> None:
    firing, resolved = read(kind, "firing"), read(kind, "resolved")
    assert ends(firing, resolved)
    for before, after in zip(firing.alerts, resolved.alerts, strict=True):
        assert (before.name, before.condition, before.labels) == (after.name, after.condition, after.labels)


@pytest.mark.parametrize("kind", WEB)
def test_a_malformed_body_is_refused_with_the_field(kind: str) -> None:
    try:
        refused = list(read(kind, "malformed").rejected)
    except InvalidInput as error:
        refused = list(error.problems)
    assert refused
    assert all(": " in line for line in refused)


@pytest.mark.parametrize("kind", WEB)
def test_a_body_that_was_cut_off_is_no_json(kind: str) -> None:
    raw = (HERE / kind / "firing.json").read_bytes()
    with pytest.raises(BadJson):
        parse_json(raw[: len(raw) // 2])


@pytest.mark.parametrize("kind", source_types())
@unhurried
@given(body=JSON)
def test_any_json_is_read_or_refused(kind: str, body: Any) -> None:
    parsed(kind, body)


@pytest.mark.parametrize("kind", WEB)
@unhurried
@given(data=st.data())
def test_a_body_with_anything_at_any_place_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(list(bodies(kind).values())))
    body = replaced(body, data.draw(st.sampled_from(places(body))), data.draw(JSON))
    found = parsed(kind, body)
    for alert in found.alerts if found else ():
        json.dumps(alert.model_dump(mode="json"))
        assert alert.name
        assert alert.fingerprint


@pytest.mark.parametrize("kind", source_types())
def test_what_its_sender_can_do_is_declared(kind: str) -> None:
    module = __import__(f"halon.gateway.sources.{kind}", fromlist=["SENDER"])
    assert isinstance(module.SENDER, Sender)
    assert ("signature" in module.SENDER.ways) == (module.SENDER.scheme is not None)


def test_what_no_store_can_keep_is_replaced() -> None:
    body = bodies("pagerduty")["firing"]["event"]
    data = body["data"] | {"title": "a\0b", "service": {"summary": "ca\0rt"}}
    (alert,) = source("pagerduty").parse({"event": body | {"data": data}}, {}, NOW).alerts
    assert (alert.name, alert.labels["service"]) == ("a\ufffdb", "ca\ufffdrt")
