"""`backhaul select`: which images to send, by the predictions of any detector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backhaul.cli.data import progress
from backhaul.cli.options import find_code_beside
from backhaul.untrusted import one_line, user_path
from backhaul.yamltext import parse_yaml

if TYPE_CHECKING:
    from backhaul.predictions.chosen import Chosen
    from backhaul.predictions.selecting import Bars

SHOWN = 20
"""Rows of the table in the terminal; all are in the file."""


def select(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    predictions: Annotated[
        list[Path],
        typer.Argument(
            metavar="PREDICTIONS...",
            help="COCO results (JSON), a folder of Ultralytics' .txt with confidences, or JSON "
            "or Parquet of ours. Several are the checkpoints of an ensemble.",
            show_default=False,
        ),
    ],
    images: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The images.", show_default=False)
    ],
    method: Annotated[
        str,
        typer.Option(metavar="M", help="A sampling method: see backhaul methods."),
    ] = "diverse",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting of the method, for example gamma=1. Repeatable.",
            show_default=False,
        ),
    ] = None,
    most_bytes: Annotated[
        int | None, typer.Option("--bytes", help="Most bytes.", show_default=False)
    ] = None,
    count: Annotated[int | None, typer.Option(help="Most images.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    sent_before: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Images sent before, as a list or an earlier --out: they are left out, and "
            "methods that send what differs look for others.",
            show_default=False,
        ),
    ] = None,
    coco: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="COCO file of the images: which one an image_id of COCO results is.",
            show_default=False,
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File with one class name a line, for JSON that names classes.",
            show_default=False,
        ),
    ] = None,
    conf_thres: Annotated[
        float, typer.Option(help="Boxes of a checkpoint with no more confidence do not count.")
    ] = 0.1,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the whole selection: .csv, .json, or .txt with one path a line.",
            show_default=False,
        ),
    ] = None,
    copy_to: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Copy the images into a new folder.", show_default=False
        ),
    ] = None,
    view: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write a page of thumbnails with the predicted boxes.",
            show_default=False,
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Write all rows, with tabs, in place of a table.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Choose the images to send of a folder, by the predictions of any detector.

    No campaign is needed, and no detector: predictions are read from files of whatever
    program made them. Nothing in the folder is changed.

    [bold]Examples[/bold]

      backhaul select predictions.json --images frames --coco images.json --bytes 2000000

      backhaul select runs/detect/predict/labels --images frames --method iqr --count 50

      backhaul select e10.json e20.json --images frames --method vote-entropy --count 50

      backhaul select labels --images frames --count 9 --out 7.csv --sent-before 6.csv
    """
    from backhaul.predictions.method import method_of
    from backhaul.predictions.reading import Predictions
    from backhaul.predictions.selecting import Request, bandwidth_of, choose

    find_code_beside(Path())
    request = Request(
        Predictions(tuple(predictions), coco, names, conf_thres),
        images,
        method_of(parse_yaml(method) if method.startswith("{") else method, settings or ()),
        bandwidth_of(most_bytes, count),
        sent_before,
        seed,
    )
    targets = _Targets(out, copy_to, view)
    targets.require_apart(images)
    with progress() as bars:
        chosen = choose(request, bars)
        targets.write(chosen, bars)
    _tell(chosen, plain, as_json)


@dataclass(frozen=True)
class _Targets:
    """What is written, as far as it was asked for: a file, copies of the images, a page."""

    out: Path | None
    copy_to: Path | None
    view: Path | None

    def require_apart(self, images: Path) -> None:
        """Do nothing if all can be written, and none of it into the folder of the images."""
        from backhaul.data.formats.conversion import require_target
        from backhaul.predictions.writing import require_writable

        if self.out is not None:
            require_writable(self.out, images)
        if self.copy_to is not None:
            require_target(self.copy_to, images)
        if self.view is not None:
            from backhaul.report.gallery import view_folder

            view_folder(user_path(self.view), [images.as_posix()])

    def write(self, chosen: Chosen, bars: Bars) -> None:
        from backhaul.predictions.writing import copy_chosen, write_chosen

        if self.copy_to is not None:
            copy_chosen(self.copy_to, chosen, bars("copying images"))
        if self.view is not None:
            from backhaul.predictions.view import gallery_of
            from backhaul.report.gallery import write_gallery

            folder = user_path(self.view).resolve()
            write_gallery(gallery_of(chosen), folder, None, bars("writing thumbnails"))
        if self.out is not None:
            write_chosen(self.out, chosen)


def _tell(chosen: Chosen, plain: bool, as_json: bool) -> None:
    from backhaul.predictions.writing import to_json

    for note in chosen.notes:
        typer.echo(f"warning: {note}", err=True)
    if as_json:
        typer.echo(to_json(chosen))
    elif plain:
        typer.echo(chosen.table.to_csv(sep="\t", index=False).rstrip("\n"))
    else:
        _show(chosen)
    if not as_json:
        typer.echo(chosen.summary, err=plain)


def _show(chosen: Chosen) -> None:
    """Print the first rows as a table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("file", overflow="fold")
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("reason")
    rows = chosen.table.head(SHOWN)
    for rank, file, size, value, reason in zip(
        rows["rank"],
        rows["file"],
        rows["size_bytes"],
        rows["value"],
        rows["reason"],
        strict=True,
    ):
        number = "-" if math.isnan(value) else f"{value:.3g}"
        table.add_row(str(rank), Text(one_line(file)), f"{size:,}", number, Text(reason))
    console = Console()
    console.print(table)
    if (more := len(chosen.images) - SHOWN) > 0:
        console.print(f"and {more:,} more: --out FILE or --plain has all")
