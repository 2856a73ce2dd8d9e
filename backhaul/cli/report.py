"""`backhaul report`: the page of a run, made again."""

from __future__ import annotations

import typer

from backhaul.cli.options import RunName, find_run
from backhaul.report import write_report
from backhaul.rundata import run_folders


def report(run: RunName) -> None:
    """Write report.html of a run again, from the files in its folder; of each seed as well.

    [bold]Example[/bold]

      backhaul report quickstart
    """
    folder = find_run(run)
    for part in dict.fromkeys((*run_folders(folder), folder)):  # that of all seeds at last
        page = write_report(part)
    typer.echo(page)
