"""`backhaul report`: what people look at of a run, made again."""

from __future__ import annotations

import typer

from backhaul.cli.options import RunName
from backhaul.cli.runplace import find_run


def report(run: RunName) -> None:
    """Write the folder of a run again, and of each seed: report.html, tables, lists, logs.

    All of it comes from the store; nothing of what is there is read. A folder that came without
    its store gets a new report.html, from its other files.

    [bold]Examples[/bold]

      backhaul report quickstart

      backhaul report s3://bucket/edge/runs/quickstart
    """
    typer.echo(find_run(run).make())
