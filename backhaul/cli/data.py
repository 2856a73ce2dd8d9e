"""`backhaul data`: data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer
from rich.console import Console
from rich.progress import Progress

from backhaul.cli.options import ConfigFile, Overrides
from backhaul.data.images import ImageReader, Look, OnProgress, at_header, at_pixels
from backhaul.data.settings import DigitsData, FolderData, StreamData
from backhaul.errors import InputError
from backhaul.untrusted import user_path

if TYPE_CHECKING:
    from backhaul.data.formats import DataReport

data = typer.Typer(
    help="Look at data sets, convert them, and write the demo's.", no_args_is_help=True
)

FormatName: TypeAlias = Literal["yolo", "voc", "coco", "cvat", "kitti", "csv"]
FormatOrAuto: TypeAlias = Literal["auto", "yolo", "voc", "coco", "cvat", "kitti", "csv"]
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
    depth: Annotated[
        Literal["full", "headers"],
        typer.Option(
            help="full: decode all images, but those that were before; headers: believe them."
        ),
    ] = "full",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Report classes, boxes, sizes, copies, and problems with file and line; change nothing.

    Ends with exit code 2 if a campaign could not start with this data set.

    [bold]Examples[/bold]

      backhaul data check ~/cars

      backhaul data check ~/cars --depth headers

      backhaul data check ~/cars --format voc --json > cars.json

      backhaul data check s3://edge/cars
    """
    from backhaul.data.check import summarize

    summary = summarize(_report(folder, label_format, names, _LOOKS[depth]))
    text = f"{_decoder(depth)}\n{summary.to_text()}"
    typer.echo(summary.to_json() if as_json else text)
    if summary.n_errors or not summary.n_images:
        raise typer.Exit(2)


_LOOKS = {"full": at_pixels, "headers": at_header}


def _report(
    place: str, label_format: FormatOrAuto, names: Path | None, look: Look
) -> DataReport:
    """Return what is found in a folder or at an address."""
    from backhaul.cli.address import resolved
    from backhaul.data.memory import machine_memory
    from backhaul.data.source import read_anywhere

    is_address = "://" in place
    if not is_address and not user_path(place).is_dir():
        raise InputError(f"{place}: no folder there")
    root = resolved(place) if is_address else place
    found = FolderData(root=root, format=label_format, names=names)
    with machine_memory() as memory:
        with progress() as bar:
            images = bar("reading images")
            labels = bar("fetching labels") if is_address else images
            report = read_anywhere(found, images, labels, memory, look)
        if memory.trouble is not None:
            typer.echo(f"warning: {memory.trouble}", err=True)
    return report


def _decoder(depth: str) -> str:
    """Return with which decoder images were looked at, in the form of the summary's lines."""
    from backhaul.data.decoding import decoder

    if depth == "headers":
        return "decoder       none: sizes are as the headers of images say"
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


@data.command()
def stream(
    config: ConfigFile,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New folder to write.")],
    settings: Overrides = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the campaign; each has a stream of its own.")
    ] = 0,
) -> None:
    """Write the stream that a campaign would play as a YOLO folder, to look at.

    CONFIG is a campaign with `data.kind: stream`, or a file with its `data` alone.

    [bold]Examples[/bold]

      backhaul data stream configs/streams/digits.yaml /tmp/stream --seed 3

      backhaul data stream configs/streams/signs.yaml /tmp/signs --set data.of.root=~/signs
    """
    from backhaul.campaign.configfile import settle
    from backhaul.cli.address import resolved
    from backhaul.data.streams.writing import stream_recipe
    from backhaul.data.wholefolder import write_whole

    settled = settle(config, tuple(settings or ()))
    if wrong := [line for line in settled.wrong if line.startswith(f"{config}: data")]:
        raise InputError("\n".join(wrong))
    found = settled.config.data
    if not isinstance(found, StreamData):
        raise InputError(f"{config}: data.kind: expected stream, got {found.kind}")
    if isinstance(found.of, FolderData) and "://" in found.of.root:
        of = found.of.model_copy(update={"root": resolved(found.of.root)})
        found = found.model_copy(update={"of": of})
    write_whole(folder, stream_recipe(found, seed, "."))
    typer.echo(folder)


@data.command()
def view(
    place: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|RUN",
            help="Folder or address of a data set; or a run: its name, folder or address.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write, new or of an earlier view.", show_default="NAME-view"
        ),
    ] = None,
    label_format: Annotated[
        FormatOrAuto, typer.Option("--format", help="Label format of a data set.")
    ] = "auto",
    names: Names = None,
) -> None:
    """Write a page of thumbnails with boxes, to see whether labels are right.

    It opens from disk. Nothing is written into the data.

    [bold]Examples[/bold]

      backhaul data view ~/cars

      backhaul data view cars-first --out /tmp/cars
    """
    from backhaul.cli.viewplace import data_set_to_view, find_run_to_view
    from backhaul.report.gallery import view_folder, write_gallery

    viewed = find_run_to_view(place) or data_set_to_view(
        place, lambda: _report(place, label_format, names, _LOOKS["full"])
    )
    folder = view_folder(user_path(out or f"{viewed.name}-view"), viewed.kept_out_of)
    gallery = viewed.read()
    with progress() as bar:
        page = write_gallery(gallery, folder, viewed.fetch, bar("writing thumbnails"))
    problems = f", {gallery.n_problems} problems" if gallery.n_problems else ""
    typer.echo(f"{page}: {len(gallery.images)} images, {gallery.n_objects} objects{problems}")


@contextmanager
def progress() -> Iterator[Callable[[str], OnProgress]]:
    """Give a function that adds a bar on stderr, and returns what moves it."""
    with Progress(console=Console(stderr=True), transient=True) as bars:

        def add(what: str) -> OnProgress:
            bar = bars.add_task(what, total=None)
            return lambda done, total: bars.update(bar, completed=done, total=total)

        yield add
