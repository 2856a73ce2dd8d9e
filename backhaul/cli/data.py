"""`backhaul data`: data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer
from rich.console import Console
from rich.progress import Progress

from backhaul.data.images import ImageReader, OnProgress
from backhaul.data.settings import DigitsData, FolderData
from backhaul.errors import InputError

if TYPE_CHECKING:
    from backhaul.data.formats import DataReport

data = typer.Typer(
    help="Look at data sets, convert them, and write the demo's.", no_args_is_help=True
)

FormatName: TypeAlias = Literal["yolo", "voc", "coco", "kitti", "csv"]
FormatOrAuto: TypeAlias = Literal["auto", "yolo", "voc", "coco", "kitti", "csv"]
Names: TypeAlias = Annotated[Path | None, typer.Option(help="File with one class name a line.")]


@data.command()
def check(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER",
            help="Folder of a data set, or its address: s3://BUCKET/PREFIX or block://NAME/PREFIX.",
        ),
    ],
    label_format: Annotated[
        FormatOrAuto, typer.Option("--format", help="Label format.")
    ] = "auto",
    names: Names = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Report classes, boxes, sizes, bytes, and problems with file and line; nothing is changed.

    Ends with exit code 2 if a campaign could not start with this data set.

    [bold]Examples[/bold]

      backhaul data check ~/cars

      backhaul data check ~/cars --format voc --json > cars.json

      backhaul data check s3://edge/cars
    """
    from backhaul.data.check import summarize

    report = _report(folder, label_format, names)
    summary = summarize(report)
    typer.echo(summary.to_json() if as_json else f"{_decoder()}\n{summary.to_text()}")
    if summary.n_errors or not summary.n_images:
        raise typer.Exit(2)


def _report(place: str, label_format: FormatOrAuto, names: Path | None) -> DataReport:
    """Return what is found in a folder or at an address."""
    if "://" in place:
        from backhaul.cli.address import resolved
        from backhaul.data.remote import read_remote

        found = FolderData(root=resolved(place), format=label_format, names=names)
        with progress() as bar:
            return read_remote(found, bar("reading images"), bar("fetching labels"))
    from backhaul.data.formats import read

    if not Path(place).is_dir():
        raise InputError(f"{place}: no folder there")
    with progress() as bar:
        return read(
            FolderData(root=place, format=label_format, names=names),
            ImageReader(on_progress=bar("reading images")),
        )


def _decoder() -> str:
    """Return with which decoder images were looked at, in the form of the summary's lines."""
    from backhaul.data.decoding import decoder

    used = decoder()
    of_training = used == "OpenCV"
    missing = "that of training was not used: OpenCV is not installed"
    return f"decoder       {used}; {'as trainings use it' if of_training else missing}"


@data.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Folder of a data set.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="New or empty folder.")],
    to: Annotated[FormatName, typer.Option(help="Format to write.")],
    read_as: Annotated[
        FormatOrAuto, typer.Option("--from", help="Format of SOURCE; auto looks at it.")
    ] = "auto",
    names: Names = None,
    link: Annotated[
        bool,
        typer.Option("--link/--copy", help="Hard links of the images, or copies."),
    ] = False,
) -> None:
    """Write a data set in another format into a new folder; SOURCE is not changed.

    Ends with exit code 2, and nothing written, if labels are wrong; all that is wrong is named.

    [bold]Examples[/bold]

      backhaul data convert ~/cars ~/cars-coco --to coco

      backhaul data convert ~/kitti/training ~/cars --from kitti --to yolo --link
    """
    from backhaul.data.check import summarize
    from backhaul.data.formats import read
    from backhaul.data.formats.conversion import losses, require_target, write_whole
    from backhaul.data.formats.writing import copy_file, link_file

    if not source.is_dir():
        raise InputError(f"{source}: no folder there")
    require_target(target, source)
    with progress() as bar:
        report = read(
            FolderData(root=source, format=read_as, names=names),
            ImageReader(on_progress=bar("reading images")),
        )
    for problem in report.problems:
        typer.echo(str(problem), err=True)
    if report.errors:
        raise InputError(f"{source}: {len(report.errors)} errors, named above; nothing written")
    report.require_clean()
    for loss in losses(to, report.images):
        typer.echo(f"warning: {loss}", err=True)
    with progress() as bar:
        put = link_file if link else copy_file
        write_whole(target, to, report.images, put, bar("writing images"))
    summary = summarize(report)
    typer.echo(
        f"{target}: wrote {summary.n_images} images ({summary.n_empty} without objects, "
        f"{summary.n_unlabelled} unlabelled) and {summary.n_boxes} boxes of "
        f"{len(summary.classes)} classes as {to}"
    )


@data.command()
def digits(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New folder to write.")],
    images: Annotated[int, typer.Option(min=1, help="Number of scenes.")] = 420,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the scenes.")] = 0,
) -> None:
    """Write the demo's scenes of handwritten digits as a YOLO folder.

    [bold]Example[/bold]

      backhaul data digits /tmp/digits --images 100
    """
    from backhaul.data.digits import write_scenes

    write_scenes(folder, DigitsData(images=images, seed=seed))
    typer.echo(folder)


@contextmanager
def progress() -> Iterator[Callable[[str], OnProgress]]:
    """Give a function that adds a bar on stderr, and returns what moves it."""
    with Progress(console=Console(stderr=True), transient=True) as bars:

        def add(what: str) -> OnProgress:
            bar = bars.add_task(what, total=None)
            return lambda done, total: bars.update(bar, completed=done, total=total)

        yield add
