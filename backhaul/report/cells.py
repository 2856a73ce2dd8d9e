"""Tables of the page as cells of text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Args:
        text: What it says.
        words: Whether it is text, set to the left, and not a number.
        heat: Strength of its background in [0, 1], None for none.
        colour: Colour of the dot before it, empty for none.
    """

    text: str
    words: bool = False
    heat: float | None = None
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row is its heading."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
