"""The table of methods and batches in the live view, as wide as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from backhaul.cli.view.picture import Cell, CellState, Picture, Row
from backhaul.cli.view.wording import size

Mode: TypeAlias = Literal["words", "scores", "marks"]

INITIAL = "initial model"
MOST_LABEL = 24
STYLES: dict[CellState, str] = {
    "to come": "dim",
    "running": "cyan",
    "done": "green",
    "cached": "blue",
    "failed": "bold red",
    "waiting": "yellow",
}
MARKS: dict[CellState, tuple[str, str]] = {
    "to come": ("·", "."),
    "running": ("▶", ">"),
    "done": ("✓", "+"),
    "cached": ("=", "="),
    "failed": ("✗", "x"),
    "waiting": ("?", "?"),
}
"""Symbol of each state, and its replacement in a terminal that shows only ASCII."""
WIDTHS: dict[Mode, int] = {"words": 12, "scores": 6, "marks": 1}
GAP = 2
SUMS: dict[str, int] = {"images": 6, "bytes": 8, "mAP50": 5, "gain": 6}
"""Columns that follow the batches, and their widths."""


def grid(picture: Picture, width: int, height: int, ascii_only: bool = False) -> Table:
    """Return the table.

    Args:
        picture: Where the campaign stands.
        width: Columns of the terminal.
        height: Most rows, its head included.
        ascii_only: Whether the terminal can show nothing else.
    """
    mode = _mode(picture, width)
    room = _room(picture, width, mode)
    shown = _columns(picture, mode, room)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    table.add_column("", width=_label_width(picture), no_wrap=True, overflow="ellipsis")
    for title in _titles(shown, mode, room):
        table.add_column(title, no_wrap=True, min_width=WIDTHS[mode])
    for title in _sums_of(mode):
        table.add_column(title, justify="right", width=SUMS[title], no_wrap=True)
    table.add_row(INITIAL, *_initial(picture, mode, len(shown), ascii_only))
    rows, hidden = _chosen(picture, height - 2)
    for label, row in rows:
        cells = _cells(row, shown, mode, ascii_only)
        table.add_row(Text(label), *cells, *_sums(picture, row, mode))
    if hidden:
        table.add_row(Text(f"and {hidden} more", style="dim"))
    return table


def legend(picture: Picture, width: int, ascii_only: bool = False) -> str:
    """Return the meaning of the symbols; empty if the grid has none.

    Args:
        picture: Where the campaign stands.
        width: Columns of the terminal.
        ascii_only: Whether the terminal can show only ASCII.
    """
    if _mode(picture, width) != "marks":
        return ""
    return "  ".join(f"{marks[ascii_only]} {state}" for state, marks in MARKS.items())


def _sums_of(mode: Mode) -> list[str]:
    """Return the columns after the batches: mAP50 where it is in no column of a batch."""
    return [title for title in SUMS if mode == "marks" or title != "mAP50"]


def _room(picture: Picture, width: int, mode: Mode) -> int:
    """Return how wide all columns of batches may be together, with the gaps before them."""
    sums = sum(SUMS[title] + GAP for title in _sums_of(mode))
    return width - _label_width(picture) - sums


def _label_width(picture: Picture) -> int:
    longest = max(cell_len(label) for label in (INITIAL, *picture.methods))
    return min(longest, MOST_LABEL)


def _mode(picture: Picture, width: int) -> Mode:
    modes: tuple[Mode, ...] = ("words", "scores")
    for mode in modes:
        if len(picture.batches) * (WIDTHS[mode] + GAP) <= _room(picture, width, mode):
            return mode
    return "marks"


def _columns(picture: Picture, mode: Mode, room: int) -> tuple[int, ...]:
    """Return the batches that are shown: the last ones, where not all have room."""
    most = max(room - GAP, 1) if mode == "marks" else len(picture.batches)
    return picture.batches[-most:]


def _titles(shown: Sequence[int], mode: Mode, room: int) -> list[str]:
    if not shown:
        return [""]
    if mode == "marks":
        return [f"batches {shown[0]} to {shown[-1]}"[: max(room - GAP, 1)]]
    word = "batch " if mode == "words" else "b"
    return [f"{word}{number}" for number in shown]


def _initial(picture: Picture, mode: Mode, n_shown: int, ascii_only: bool) -> list[Text]:
    """Return the cells of the initial model, the only one that belongs to no batch."""
    cell = picture.initial.cell(None)
    if mode == "marks":
        score = "" if cell.score is None else f"{cell.score:.3f}"
        return [_cell(cell, mode, ascii_only), Text(""), Text(""), Text(score)]
    return [_cell(cell, mode, ascii_only), *[Text("")] * (max(n_shown, 1) - 1)]


def _chosen(picture: Picture, most: int) -> tuple[list[tuple[str, Row]], int]:
    """Return the rows that have room, running ones first, and how many are left out."""
    rows = list(picture.methods.items())
    if len(rows) <= most:
        return rows, 0
    by_need = sorted(rows, key=lambda item: not _is_running(item[1]))
    kept = {label for label, _ in by_need[: max(most - 1, 1)]}
    return [item for item in rows if item[0] in kept], len(rows) - len(kept)


def _is_running(row: Row) -> bool:
    return any(cell.state == "running" for cell in row.cells.values())


def _cells(row: Row, shown: Sequence[int], mode: Mode, ascii_only: bool) -> list[Text]:
    cells = [_cell(row.cell(number), mode, ascii_only) for number in shown]
    if mode != "marks" or not cells:
        return cells or [Text("")]
    return [Text("").join(cells)]


def _cell(cell: Cell, mode: Mode, ascii_only: bool) -> Text:
    mark = MARKS[cell.state][ascii_only]
    if mode == "marks" or cell.state == "to come":
        return Text(mark, STYLES[cell.state])
    if cell.score is None:
        return Text(cell.state if mode == "words" else mark, STYLES[cell.state])
    cached = {"words": " cached", "scores": "="}[mode] if cell.state == "cached" else ""
    return Text(f"{cell.score:.3f}{cached}", STYLES[cell.state])


def _sums(picture: Picture, row: Row, mode: Mode) -> list[str]:
    """Return the totals sent, the last score, and the gain over the initial model."""
    score, initial = row.score, picture.initial.score
    is_sent = any(cell.sent is not None for cell in row.cells.values())
    texts = {
        "images": f"{row.images:,}" if is_sent else "",
        "bytes": size(row.n_bytes) if is_sent else "",
        "mAP50": "" if score is None else f"{score:.3f}",
        "gain": "" if score is None or initial is None else f"{score - initial:+.3f}",
    }
    return [texts[title] for title in _sums_of(mode)]
