"""A run that grows too long fails while there is still room to undo."""

from halon.core.length import Length


def test_the_first_bound_is_told_once_so_that_undo_goes_on_and_the_second_every_time() -> None:
    length = Length()
    assert length.exhausted(29_999, 24_999_999) == ""
    assert length.exhausted(30_000, 0) == "the run has grown too long for Temporal (30000 events, 0 MB)"
    assert length.exhausted(30_010, 0) == ""
    assert length.exhausted(44_999, 39_999_999) == ""
    assert length.exhausted(45_000, 0) != ""
    assert length.exhausted(45_001, 0) != ""


def test_bytes_count_as_events_do() -> None:
    assert Length().exhausted(10, 25_000_000) == "the run has grown too long for Temporal (10 events, 25 MB)"
