"""Show a finding, and write it: what every command of `backhaul analyze` ends with."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backhaul.campaign.finding import Finding

Format: TypeAlias = Annotated[
    Literal["table", "csv", "json"],
    typer.Option("--format", help="What to print: a table to read, or CSV or JSON for a pipe."),
]

ROWS_SHOWN = 60
PIPE_WIDTH = 160
NO_LIMIT = 10_000  # a line that is too long is broken by the terminal; no number is ever cut


def show(finding: Finding, files: Iterable[str], output: Format = "table") -> None:
    """Print a finding on stdout, and on stderr where its files lie.

    Args:
        finding: What to print.
        files: Where it was written.
        output: ``table`` to read, or ``csv`` (the table) or ``json`` (the finding) for a pipe.
    """
    match output:
        case "csv":
            sys.stdout.write(finding.table.to_csv(index=False))
        case "json":
            sys.stdout.write(f"{finding.model_dump_json(indent=1)}\n")
        case "table":
            _print_table(finding)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for file in files:
        shown = file.removeprefix(f"{Path.cwd().as_posix()}/")
        console.print(f"written: {shown}", markup=False)


def _print_table(finding: Finding) -> None:
    console = Console(highlight=False, width=NO_LIMIT)
    shown = finding.rows[:ROWS_SHOWN]
    words = [tuple(_cell(value) for value in row) for row in shown]
    table = _table(finding.columns, words)
    room = Console().width if console.is_terminal else PIPE_WIDTH
    if console.measure(table).maximum > room and len(shown) < len(finding.columns):
        first, *others = zip(finding.columns, *words, strict=True)
        table = _table(first, others)  # it fits on its side
    console.print(finding.title, markup=False, style="bold")
    console.print(table)
    if len(finding.rows) > len(shown):
        left = len(finding.rows) - len(shown)
        console.print(f"... and {left} more rows in the files", markup=False)
    if finding.note:
        console.print(finding.note, markup=False)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for i, name in enumerate(columns):
        table.add_column(Text(name), justify="right" if i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)
