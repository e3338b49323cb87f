import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halon.documents import DocumentError, Problem, parse, read
from halon.documents.parsing import MAX_BYTES, MAX_NODES


def problems(text: str | bytes) -> list[Problem]:
    return read(text, "x.yaml")[1]


def value(text: str | bytes) -> Any:
    return parse(text, "x.yaml").value


@pytest.mark.parametrize(
    ("text", "code", "place", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "duplicate_key", (3, 1), "`a` is there already, in line 1"),
        ("a:\n  - {b: 1, b: 2}\n", "duplicate_key", (2, 12), "in line 2"),
        ("a: &x 1\n", "anchor", (1, 4), "anchor (&x)"),
        ("a: 1\nb: *x\n", "alias", (2, 4), "write the value out"),
        ("a: !!python/object:os.system x\n", "tag", (1, 4), "a tag"),
        ("a: !!str 1\n", "tag", (1, 4), "a tag"),
        ("%TAG ! tag:example.com,2000:\n---\na: 1\n", "tag", (1, 1), "%TAG"),
        ("a: 1\n---\nb: 2\n", "documents", (2, 1), "one file holds one document"),
        ("a: 0o\nb: 012\n", "number", (2, 4), "octal to some"),
        ("a: .inf\n", "number", (1, 4), "not a number"),
        ("a: .nan\n", "number", (1, 4), "not a number"),
        ("a: 1e999\n", "number", (1, 4), "too large"),
        ("a: 9007199254740993\n", "number", (1, 4), "put it in quotes"),
        ("a: " + "9" * 100_000 + "\n", "number", (1, 4), "100000 characters"),
        ("1: a\n", "key", (1, 1), "a key must be text"),
        ("on: a\ntrue: b\n", "key", (2, 1), "put it in quotes"),
        ("? [a]\n: b\n", "key", (1, 3), "a list or mapping"),
        ("a: b\x00c\n", "control_character", (1, 5), "U+0000"),
        ('a: "b\\0c"\n', "control_character", (1, 4), "U+0000"),
        ("a: b\u202ec\n", "control_character", (1, 5), "U+202E"),
        (b"a: 1\nb: caf\xe9\n", "encoding", (2, 7), "UTF-8"),
        ("a: 1\nb: c\n".encode("utf-16"), "encoding", (1, 1), "UTF-8"),
        ("a:\n\tb: 1\n", "syntax", (2, 1), "indent with blanks, not with tabs"),
        ("a: [1, 2\n", "syntax", (2, 1), "not YAML"),
        ('a: "b\n', "syntax", (2, 1), "not YAML"),
        ("a: {b: ${{ c }}}\n", "syntax", (1, 9), "put text with `${{ }}` in quotes"),
        ("a: b: c\n", "syntax", (1, 5), "not YAML"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_at_its_place(
    text: str | bytes, code: str, place: tuple[int, int], words: str
) -> None:
    first = problems(text)[0]
    assert (first.code, (first.line, first.column)) == (code, place), first
    assert words in first.message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 60_000, "too_deep"),
        ("a: " + "{a: " * 60_000, "too_deep"),
        ("".join("  " * depth + "a:\n" for depth in range(200)), "too_deep"),
        ("- " * 60_000, "too_deep"),
        ("x" * (MAX_BYTES + 1), "too_large"),
        (b"\xff" * (MAX_BYTES + 1), "too_large"),
        ("é" * (MAX_BYTES // 2 + 1), "too_large"),
        ("- a\n" * (MAX_NODES + 1), "too_many_nodes"),
    ],
    ids=["flow", "mappings", "block", "dashes", "text", "bytes", "characters", "nodes"],
)
@pytest.mark.timeout(10)
def test_what_would_grow_is_refused_at_once(text: str | bytes, code: str) -> None:
    assert problems(text)[-1].code == code


def test_words_of_yaml_1_1_are_text_and_numbers_are_those_of_yaml_1_2() -> None:
    text = "[no, yes, off, on, n, Y, 1_000, 12:30:45, 2024-01-31, 0o14, 0xC, 1e3, .5, -1, +7, ~, null, True, 1.0.0]"
    assert value(text) == [
        *("no", "yes", "off", "on", "n", "Y", "1_000", "12:30:45", "2024-01-31"),
        *(12, 12, 1000.0, 0.5, -1, 7, None, None, True, "1.0.0"),
    ]


def test_quoted_words_stay_text() -> None:
    assert value("""["true", '012', "null", '~', |-\n  no\n]""".replace("|-\n  no\n", "'1'")) == [
        "true",
        "012",
        "null",
        "~",
        "1",
    ]


def test_a_byte_order_mark_and_other_line_ends_change_nothing() -> None:
    document = parse(b"\xef\xbb\xbfa: 1\r\nb: [x, y]\r\n", "x.yaml")
    assert document.value == {"a": 1, "b": ["x", "y"]}
    assert document.position(("b", 1)).line == 2


def test_an_empty_file_is_nothing() -> None:
    assert value("") is None
    assert value("# only a comment\n") is None


def test_all_problems_of_a_file_are_told_at_once_and_in_order() -> None:
    found = problems("a: &x 1\nb: 012\nb: !t 3\n")
    assert [(one.line, one.code) for one in found] == [(1, "anchor"), (2, "number"), (3, "duplicate_key"), (3, "tag")]


def test_the_error_lists_its_problems_as_lines() -> None:
    with pytest.raises(DocumentError) as caught:
        parse("a: 1\na: 2\n", "dir/x.yaml")
    assert caught.value.problems[0] == "dir/x.yaml:2:1: `a` is there already, in line 1"


@pytest.mark.parametrize(
    ("text", "word", "place"),
    [
        ("a: one two\n", "two", (1, 8)),
        ('a: "one two"\n', "two", (1, 9)),
        ("a: 'it''s two'\n", "two", (1, 11)),
        ('a: "t\\tab two"\n', "two", (1, 11)),
        ("a: |\n  one\n  two\n", "two", (3, 3)),
        ("a: >-\n  one\n\n  more two\n", "two", (4, 8)),
        ("a: one\n  more\n  two\n", "two", (3, 3)),
        ('a: "one\n  two"\n', "two", (2, 3)),
    ],
)
def test_a_character_is_found_however_its_text_is_written(text: str, word: str, place: tuple[int, int]) -> None:
    document = parse(text, "x.yaml")
    where = document.locate(("a",), document.value["a"].index(word))
    assert (where.line, where.column) == place


def test_comments_are_found_and_signs_within_text_are_not() -> None:
    text = "# first\na: 'x # no'  # second\nb: |\n  # text\n  more\n# third\nc: x#y\n"
    found = [(one.position.line, one.text) for one in parse(text, "x.yaml").comments()]
    assert found == [(1, "first"), (2, "second"), (6, "third")]


def test_a_file_full_of_comments_is_read_quickly() -> None:
    began = time.perf_counter()
    document = parse("- 'x # y'\n" * 15_000 + "# a\n" * 25_000, "x.yaml")
    assert sum(1 for _ in document.comments()) == 25_000
    assert time.perf_counter() - began < 2


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_no_text_makes_the_reader_raise(text: str | bytes) -> None:
    document, found = read(text, "x.yaml")
    assert document is not None or found
    assert all(one.line >= 1 and one.column >= 1 and one.message for one in found)


pieces = st.sampled_from(
    ["a", ": ", "- ", "\n", "  ", "[", "]", "{", "}", "'", '"', "|", ">", "&x", "*x", "!t", "#", "1"]
)


@given(st.lists(pieces, max_size=40).map("".join))
def test_no_heap_of_signs_makes_the_reader_raise(text: str) -> None:
    document, found = read(text, "x.yaml")
    assert document is not None or found
    if document is not None:
        list(document.comments())
