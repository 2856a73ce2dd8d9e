"""`backhaul report`: the page of a run, made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backhaul.errors import InputError
from backhaul.report import write_report


def report(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Folder of a run, or its name under runs/.")
    ],
) -> None:
    """Write report.html of a run again, from the files in its folder.

    [bold]Example[/bold]

      backhaul report quickstart
    """
    folder = next(
        (f for f in (Path(run), Path("runs") / run) if (f / "run.json").exists()), None
    )
    if folder is None:
        raise InputError(f"{run}: no run there: expected a folder with run.json, or its name")
    typer.echo(write_report(folder))
