"""Text from outside as people see it: without what would deceive a reader, and no more than a page can hold.

The templates escape it; this takes away what escaping leaves, such as characters that turn the direction of writing.
"""

import json
import re
import unicodedata

from markupsafe import Markup, escape

from halon.contracts.base import Json

MAX_LINE = 300
"""Characters of what stands on a line: a label, a target, a name."""
MAX_TEXT = 2000
"""Characters of what people read in whole: a sentence, a comment, a value of a plan."""
_CODE = re.compile(r"`([^`\n]+)`")
_CONTROL = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def line(text: str, limit: int = MAX_LINE) -> str:
    """Give text on one line."""
    return " ".join(passage(text, limit).split())


def passage(text: str, limit: int = MAX_TEXT) -> str:
    """Give text with its line breaks."""
    seen = "".join(_visible(one) for one in text[:limit])
    more = len(text) - limit
    return f"{seen}… ({more:,} more characters)" if more > 0 else seen


def value(given: Json) -> str:
    """Give a value of a plan."""
    if given is None:
        return "(nothing)"
    return passage(given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, indent=_indent(given)))


def prose(text: str) -> Markup:
    """Give a sentence of Halon's, escaped, with what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(passage(text)))))  # noqa: S704  # it is escaped


def _indent(given: Json) -> int | None:
    """Lists and maps of lists and maps are written over several lines; short ones stay on one."""
    within = given.values() if isinstance(given, dict) else given if isinstance(given, list) else ()
    return 2 if any(isinstance(one, dict | list) for one in within) else None


def _visible(one: str) -> str:
    if one in "\n\t":
        return one
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(one) in _CONTROL else one
