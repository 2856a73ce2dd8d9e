"""Tables of the page as cells of text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

_MARKUP = re.compile(r"([\\`*_\[\]|])")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Args:
        text: What it says.
        words: Whether it is text, set to the left, and not a number.
        heat: Strength of its background in [0, 1], None for none.
        colour: Colour of the dot before it, empty for none.
        href: Page that it leads to, empty for none.
    """

    text: str
    words: bool = False
    heat: float | None = None
    colour: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row is its heading."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def in_markdown(table: Table) -> list[str]:
    """Return a table as lines of Markdown; what could be markup there shows as it is."""
    rows = [[_plain(cell.text) for cell in row] for row in table.rows]
    return [_line(table.head), _line(["---"] * len(table.head)), *map(_line, rows)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    return html.escape(_MARKUP.sub(r"\\\1", " ".join(text.split())), quote=False)
