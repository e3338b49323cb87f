"""Whether two triggers may take the same alert, and two names with expressions in them may come out the same."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import product

from halon.contracts.playbook import Trigger
from halon.core.matching import label_matches
from halon.core.template import Hole, split

_MAGIC = frozenset("*?[")
_MAX_CELLS = 100_000
"""What would take more comparisons than this is taken to meet."""
_CACHED = 65_536
"""Every playbook is held against every other, and most of them have targets and labels of few forms."""


def triggers_meet(one: Trigger, other: Trigger) -> bool:
    """Whether an alert may start both. Two different `if` are taken to tell their alerts apart."""
    if one.if_ and other.if_ and one.if_ != other.if_:
        return False
    if not _any_meet(one.alerts, other.alerts):
        return False
    if one.sources and other.sources and not _any_meet(one.sources, other.sources):
        return False
    return all(labels_meet(one.labels[name], other.labels[name]) for name in one.labels.keys() & other.labels.keys())


def labels_meet(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether a label may have a value that suits both."""
    firsts, seconds = _wanted(one), _wanted(other)
    if not firsts and not seconds:
        return True
    if len(firsts) * len(seconds) > _MAX_CELLS:
        return True
    pairs = product(firsts or seconds, seconds or firsts)
    return any(globs_meet(first, second) and _allowed(first, second, (one, other)) for first, second in pairs)


def _allowed(first: str, second: str, both: tuple[Sequence[str], Sequence[str]]) -> bool:
    """Whether what stands with `!` leaves something of two patterns that meet; of two globs nobody can tell, so yes."""
    value = next((text for text in (first, second) if not _is_glob(text)), None)
    if value is not None:
        return all(label_matches(patterns, value) for patterns in both)
    unwanted = {pattern[1:] for patterns in both for pattern in patterns if pattern.startswith("!")}
    return not unwanted & {first, second, "*"}


def _wanted(patterns: Sequence[str]) -> list[str]:
    return [pattern for pattern in patterns if not pattern.startswith("!")]


def _any_meet(firsts: tuple[str, ...], seconds: tuple[str, ...]) -> bool:
    if not set(firsts).isdisjoint(seconds) or len(firsts) * len(seconds) > _MAX_CELLS:
        return True
    if not _any_glob(firsts) and not _any_glob(seconds):
        return False
    return any(globs_meet(first, second) for first, second in product(firsts, seconds))


@lru_cache(maxsize=_CACHED)
def _any_glob(patterns: tuple[str, ...]) -> bool:
    return any(map(_is_glob, patterns))


def globs_meet(first: str, second: str) -> bool:
    """Whether some text matches both patterns."""
    if not _is_glob(first):
        return first == second if not _is_glob(second) else fnmatchcase(first, second)
    if not _is_glob(second):
        return fnmatchcase(second, first)
    one, other = _tokens(first), _tokens(second)
    return len(one) * len(other) > _MAX_CELLS or _tokens_meet(one, other)


@lru_cache(maxsize=_CACHED)
def names_meet(first: str, second: str) -> bool:
    """Whether two texts with expressions in them, such as targets, may come out the same, part by part between `/`."""
    one, other = _skeleton(first), _skeleton(second)
    if ["*"] in (one, other):
        return True
    return len(one) == len(other) and all(globs_meet(*pair) for pair in zip(one, other, strict=True))


@lru_cache(maxsize=_CACHED)
def _skeleton(text: str) -> list[str]:
    pieces = ["*" if isinstance(piece, Hole) else "".join(map(_literal, piece)) for piece in split(text)]
    return "".join(pieces).split("/")


def _literal(char: str) -> str:
    return f"[{char}]" if char in _MAGIC else char


def _is_glob(text: str) -> bool:
    return not _MAGIC.isdisjoint(text)


def _tokens(pattern: str) -> list[str]:
    """Single characters, `?`, `*`, and sets such as `[ab]`."""
    tokens: list[str] = []
    index = 0
    while index < len(pattern):
        end = pattern.find("]", index + 2) if pattern[index] == "[" else -1
        stop = end + 1 if end > 0 else index + 1
        tokens.append(pattern[index:stop])
        index = stop
    return tokens


def _tokens_meet(first: Sequence[str], second: Sequence[str]) -> bool:
    """Row by row: `reached[j]` says that what is read of the first may equal the first `j` tokens of the second."""
    reached = [True]
    for other in second:
        reached.append(reached[-1] and other == "*")
    for one in first:
        row = [reached[0] and one == "*"]
        for index, other in enumerate(second):
            step = reached[index] and _one_meets(one, other)
            row.append(step or ("*" in {one, other} and (row[index] or reached[index + 1])))
        reached = row
    return reached[-1]


def _one_meets(one: str, other: str) -> bool:
    """Whether a character matches both tokens. Of two sets it is not told apart, so they may."""
    if len(one) == 1 and one not in _MAGIC:
        return fnmatchcase(one, other)
    if len(other) == 1 and other not in _MAGIC:
        return fnmatchcase(other, one)
    return True
