"""`backhaul methods`: what can be put under `methods:`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from backhaul.sampling.catalogue import COLUMNS, entries, markdown


def methods(
    table_format: Annotated[
        Literal["table", "md"],
        typer.Option("--format", help="table: for reading here; md: Markdown, for a page."),
    ] = "table",
) -> None:
    """List the sampling methods with what they need, their source and parameters.

    [bold]Examples[/bold]

      backhaul methods

      backhaul methods --format md
    """
    if table_format == "md":
        typer.echo(markdown())
        return
    table = Table(*COLUMNS, "parameters", title="Sampling methods")
    for entry in entries():
        table.add_row(*entry.row, entry.parameters)
    Console().print(table)
