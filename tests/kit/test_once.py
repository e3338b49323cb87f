"""What people are told fits where it goes, and holds no secret."""

from halon.kit.once import line_of, mark_of, words_of


def test_what_is_too_long_is_cut_to_the_character_and_shows_that_it_was() -> None:
    assert words_of("x" * 130, 130) == "x" * 130
    cut = words_of("x" * 5000, 130)
    assert (len(cut), cut[-1]) == (130, "…")


def test_a_line_is_one_line_and_a_secret_is_masked_in_both() -> None:
    assert line_of(" cart\n is   down ", 100) == "cart is down"
    assert "hunter22" not in line_of("password=hunter22 " * 100, 200)
    assert words_of("a\n\nb\n", 100) == "a\n\nb"


def test_a_mark_is_the_same_for_the_same_reference_and_safe_anywhere() -> None:
    assert mark_of("i-1") == mark_of("i-1") != mark_of("i-2")
    assert set(mark_of('i" OR project = "HR')) <= set("halon-0123456789abcdef")
