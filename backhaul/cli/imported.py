"""What an import of another tool's settings ends with: new files, and what became of each."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backhaul.campaign.legacy.row import Row
from backhaul.errors import InputError

TITLES = {
    "mapped": "The same here",
    "changed": "Means something else here",
    "refused": "Cannot be honoured",
    "missing": "Was not given",
}


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, with its folders.

    Raises:
        InputError: If it is there, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def tell(rows: Sequence[Row], target: Path, beside: Iterable[Path] = ()) -> None:
    """Print what became of each setting, which files were written, and what to do next.

    Args:
        rows: The settings.
        target: The campaign that was written.
        beside: What was written beside it.
    """
    console = Console()
    for fate, title in TITLES.items():
        if alike := [row for row in rows if row.fate == fate]:
            console.print(_table(title, alike))
    for written in (*beside, target):
        console.print(f"written: {written}", markup=False, soft_wrap=True)
    console.print(
        f"next: backhaul validate {shlex.quote(str(target))}", markup=False, soft_wrap=True
    )


def _table(title: str, rows: Iterable[Row]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("parameter", "value", "here", "why"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, (row.key, row.value, row.here, row.why)))
    return table
