from datetime import timedelta
from typing import Annotated, Literal

import pytest
from pydantic import Field

from halon.contracts.base import Contract, Duration
from halon.documents import DocumentError, nearest, parse, validate


class Inner(Contract):
    kind: Literal["soft", "hard"] = "soft"
    size: Annotated[int, Field(ge=1, le=9)] = 1
    tags: tuple[str, ...] = ()


class Outer(Contract):
    name: str
    wait: Duration | None = None
    inner: Inner = Inner()
    parts: Annotated[tuple[Inner, ...], Field(max_length=2)] = ()
    flag: bool = False


def said(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        validate(parse(text, "x.yaml"), Outer)
    return [one.removeprefix("x.yaml:") for one in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("nam: a\n", "1:1: unknown field `nam`; did you mean `name`?"),
        ("wait: 5m\n", "1:1: needs a field `name`"),
        ("name: a\ninner: {kind: sotf}\n", '2:15: `kind` must be one of soft, hard, not "sotf"; did you mean `soft`?'),
        ("name: a\ninner:\n  size: 12\n", "3:9: `size` must be at most 9"),
        ("name: a\ninner:\n  size: big\n", '3:9: `size` must be a whole number, not "big"'),
        ("name: a\ninner:\n  size: '3'\n", '3:9: `size` must be a whole number, not "3"'),
        ("name: a\nwait: 5 minutes\n", '2:7: `wait` must be a duration such as 90s, 10m, 1h30m or 2d, not "5 minutes"'),
        ("name: 12\n", "1:7: `name` must be text, not 12; put it in quotes"),
        ("name: a\nflag: yes\n", '2:7: `flag` must be true or false, not "yes"'),
        ("name: a\nparts: [{}, {}, {}]\n", "2:8: `parts` must have at most 2 entries"),
        ("name: a\nparts:\n  - {size: 1}\n  - {siez: 1}\n", "4:6: unknown field `siez`; did you mean `size`?"),
        ("name: a\nparts: {}\n", "2:8: `parts` must be a list, not a mapping"),
        ("name: a\ninner:\n  tags: [a, 1]\n", "3:13: must be text, not 1; put it in quotes"),
        ("", "1:1: the file is empty"),
    ],
)
def test_a_wrong_value_is_told_where_it_stands(text: str, line: str) -> None:
    assert said(text) == [line]


def test_all_wrong_values_are_told_at_once() -> None:
    assert len(said("name: 1\nwait: x\nparts:\n  - {size: 0}\nflag: maybe\nmore: 1\n")) == 5


def test_lists_and_durations_come_out_as_the_model_has_them() -> None:
    value = validate(parse("name: a\nwait: 1h30m\ninner: {tags: [x, y]}\n", "x.yaml"), Outer)
    assert (value.wait, value.inner.tags) == (timedelta(hours=1.5), ("x", "y"))


def test_a_name_that_is_near_to_none_is_told_all_that_there_are() -> None:
    assert nearest("zzz", ["beta", "alpha"]) == "; known: alpha, beta"
    assert nearest("alhpa", ["beta", "alpha"]) == "; did you mean `alpha`?"
    assert nearest("x", []) == ""
    assert nearest("zzz", [f"n{i}" for i in range(20)]).endswith("and 8 more")
