"""`backhaul report`: the page of a run, made again."""

from __future__ import annotations

import typer

from backhaul.cli.options import RunName, find_run
from backhaul.report import write_report


def report(run: RunName) -> None:
    """Write report.html of a run again, from the files in its folder.

    [bold]Example[/bold]

      backhaul report quickstart
    """
    typer.echo(write_report(find_run(run)))
