"""`backhaul data`: data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from backhaul.config import DigitsData, FolderData
from backhaul.errors import InputError

data = typer.Typer(help="Look at data sets, and write the demo's.", no_args_is_help=True)


@data.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a data set.")],
    label_format: Annotated[
        Literal["auto", "yolo", "voc", "coco"], typer.Option("--format", help="Label format.")
    ] = "auto",
    names: Annotated[Path | None, typer.Option(help="File with one class name a line.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Report classes, boxes, sizes, bytes, and problems with file and line; nothing is changed.

    Ends with exit code 2 if a campaign could not start with this data set.

    [bold]Examples[/bold]

      backhaul data check ~/cars

      backhaul data check ~/cars --format voc --json > cars.json
    """
    from backhaul.datacheck import summarize
    from backhaul.formats import read

    if not folder.is_dir():
        raise InputError(f"{folder}: no folder there")
    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("reading images", total=None)
        report = read(
            FolderData(root=folder, format=label_format, names=names),
            lambda done, total: bars.update(bar, completed=done, total=total),
        )
    summary = summarize(report)
    typer.echo(summary.to_json() if as_json else summary.to_text())
    if summary.n_errors or not summary.n_images:
        raise typer.Exit(2)


@data.command()
def digits(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New folder to write.")],
    images: Annotated[int, typer.Option(help="Number of scenes.")] = 420,
    seed: Annotated[int, typer.Option(help="Seed of the scenes.")] = 0,
) -> None:
    """Write the demo's scenes of handwritten digits as a YOLO folder.

    [bold]Example[/bold]

      backhaul data digits /tmp/digits --images 100
    """
    from backhaul.digits import write_scenes

    write_scenes(folder, DigitsData(images=images, seed=seed))
    typer.echo(folder)
