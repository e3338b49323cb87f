"""How the command writes: colours and boxes on a terminal, plain and stable lines elsewhere, JSON when asked for.

Text from outside (alerts, plans, comments) never reaches a terminal as markup or as control characters.
"""

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence

from pydantic import BaseModel
from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from halon.contracts.base import Json

_PLAIN_WIDTH = 100_000
"""Columns of a pipe: nothing is ever wrapped or cut there."""
_CONTROL = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})

OUTCOME_STYLES = {
    "remediated": "bold green",
    "unnecessary": "green",
    "resolved": "green",
    "dry_run": "cyan",
    "unverified": "bold yellow",
    "refused": "yellow",
    "denied": "yellow",
    "diagnosed": "yellow",
    "expired": "yellow",
    "undone": "yellow",
    "cancelled": "yellow",
    "failed": "bold red",
}


def clean(text: str) -> str:
    """Give text without control characters, on one line."""
    return "".join(
        " " if one in "\n\t\r" else "\N{REPLACEMENT CHARACTER}" if unicodedata.category(one) in _CONTROL else one
        for one in text
    )


def styled(text: str, style: str = "") -> Text:
    """Give text from outside, for a console: literally, in this style."""
    return Text(clean(text), style=style)


def counted(number: int, word: str) -> str:
    """Give `1 playbook`, `2 playbooks`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def json_text(value: Json) -> str:
    """Give a value as text for one cell."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def console() -> Console:
    """Give the console of standard output; Rich honours NO_COLOR."""
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    return Console(width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


def say(*parts: RenderableType) -> None:
    """Write lines to standard output."""
    out = console()
    for part in parts:
        out.print(part if not isinstance(part, str) else styled(part))


def say_whole(text: str | Text) -> None:
    """Write a line that people copy: a terminal wraps it as it likes, but no line break is put into it."""
    console().print(text if isinstance(text, Text) else styled(text), soft_wrap=True)


def note(message: str, *, style: str = "yellow", label: str = "warning") -> None:
    """Tell people something beside the output, on standard error."""
    errors = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
    errors.print(Text.assemble((f"{label}: ", f"bold {style}"), clean(message)))


def say_json(value: Json | BaseModel) -> None:
    """Write one JSON document to standard output."""
    data = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> RenderableType:
    """Give a table: with a box on a terminal, columns padded with spaces elsewhere."""
    cells = [[one if isinstance(one, Text) else styled(one) for one in row] for row in rows]
    if not sys.stdout.isatty():
        return _plain_table(columns, [[one.plain for one in row] for row in cells])
    grid = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        # What people copy, such as ids, is never cut; only the last column's text is wrapped.
        grid.add_column(column, no_wrap=column != columns[-1], overflow="fold")
    for row in cells:
        grid.add_row(*row)
    return grid


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Text:
    lines = [list(columns), *rows]
    widths = [max(cell_len(line[number]) for line in lines) for number in range(len(columns))]
    padded = (
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return Text("\n".join(line.rstrip() for line in padded))
