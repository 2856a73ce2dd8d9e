"""`backhaul labels`: images that wait for labels, and where labels came from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backhaul.cli.options import RunName
from backhaul.cli.prefect import flows_at_hand
from backhaul.cli.runplace import find_stored
from backhaul.data.annotation import MIN_CONFIDENCE
from backhaul.errors import InputError
from backhaul.untrusted import one_line

if TYPE_CHECKING:
    import pandas as pd

    from backhaul.annotation.taking import Taken
    from backhaul.annotation.waiting import WaitingImage
    from backhaul.data.formats.report import Problem
    from backhaul.layout import RunFiles

labels = typer.Typer(
    help="See what waits for labels, and exchange it with annotators' tools.",
    no_args_is_help=True,
)
ToolName: TypeAlias = Literal["cvat", "x-anylabeling", "coco", "yolo"]
MinConfidence: TypeAlias = Annotated[
    float,
    typer.Option(min=0, max=1, metavar="X", help="Boxes of the model with less are left out."),
]
SHOWN_PROBLEMS = 20
_COSTS = {
    "method": "method",
    "batch": "batch",
    "images": "images",
    "boxes": "boxes",
    "seconds_per_box": "s/box",
    "shown": "shown",
    "accepted": "kept",
    "moved": "moved",
    "reclassified": "class",
    "added": "added",
    "removed": "removed",
    "agreement": "F1",
}
"""Titles of the columns that `status` prints."""
_SAVINGS = {
    "seed": "seed",
    "method": "method",
    "batch": "batch",
    "images": "images",
    "objects": "objects",
    "shown": "shown",
    "accepted": "kept",
    "accepted_of_objects": "of all",
    "saved": "saved",
}
"""Titles of the columns that `savings` prints."""


@labels.command()
def status(
    run: RunName,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what waits, what was labelled, how long it took, and what was changed.

    [bold]Examples[/bold]

      backhaul labels status hourly

      backhaul labels status s3://bucket/edge/runs/hourly --json
    """
    from backhaul.annotation.labour import cost_table, labour_table
    from backhaul.campaign.labelled import read_labelled

    files = find_stored(run)
    waiting = _waiting(files)
    costs = cost_table(labour_table(read_labelled(files).values()))
    if as_json:
        rows = [
            {k: None if _is_missing(v) else v for k, v in row.items()}
            for row in costs.to_dict("records")
        ]
        of_rounds = [{"method": m, "batch": b, "images": n} for (m, b), n in _counts(waiting)]
        typer.echo(json.dumps({"waiting": of_rounds, "labelled": rows}, indent=2, default=int))
        return
    for (method, batch), number in _counts(waiting):
        typer.echo(f"{method} batch {batch}: {number} images wait for labels")
    if not waiting:
        typer.echo("no image waits for labels")
    if len(costs):
        Console(highlight=False, soft_wrap=True).print(_table(costs, _COSTS))


def _counts(
    waiting: Sequence[WaitingImage],
) -> list[tuple[tuple[str, int | None], int]]:
    counts: dict[tuple[str, int | None], int] = {}
    for image in waiting:
        key = (image.method, image.batch)
        counts[key] = counts.get(key, 0) + 1
    return list(counts.items())


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _table(rows: pd.DataFrame, titles: Mapping[str, str]) -> Table:
    """Return a table of the columns in `titles`, which fits into a terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, title in titles.items():
        side: Literal["left", "right"] = "left" if name == "method" else "right"
        table.add_column(title, justify=side)
    for row in rows[list(titles)].to_dict("records"):
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    return table


def _cell(value: object) -> str:
    if _is_missing(value):
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


@labels.command()
def sync(run: RunName) -> None:
    """Take what annotators have finished in the labelling service, and send what waits there.

    `hourly` does the same at its start and end; the next hour goes on with the labels.

    [bold]Examples[/bold]

      LABEL_STUDIO_API_KEY=... backhaul labels sync hourly

      backhaul labels sync s3://bucket/edge/runs/hourly
    """
    from backhaul.campaign.runrecords import RunRecords
    from backhaul.data.annotation import annotation_in

    files = find_stored(run)
    settings = annotation_in(RunRecords(files).config)
    if settings is None:
        raise InputError(
            f"{run}: has no labelling service: expected data.annotation in its config, and an "
            "hour since"
        )
    with flows_at_hand():
        from prefect.settings import PREFECT_API_URL

        from flows.annotation import exchange, tell_labelled
    n_waiting = len(_waiting(files))
    taken, n_new = exchange(settings, files)
    if PREFECT_API_URL.value():
        tell_labelled(taken.images)
    _say(taken, (), n_waiting)
    typer.echo(f"{n_new} images were sent to be labelled")


@labels.command()
def export(
    run: RunName,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="New or empty folder to write.")
    ],
    to: Annotated[ToolName, typer.Option(help="Whose format.")],
    min_confidence: MinConfidence = MIN_CONFIDENCE,
) -> None:
    """Write images that wait for labels, with the boxes that the model saw, for a tool.

    Images are named by their ids, by which `import` knows them again: leave the names.

    [bold]Examples[/bold]

      backhaul labels export hourly /tmp/to-label --to cvat

      backhaul labels export hourly /tmp/to-label --to x-anylabeling --min-confidence 0.5
    """
    from backhaul.annotation.exchange.exported import note_export
    from backhaul.annotation.exchange.files import write_exchange

    files = find_stored(run)
    waiting = _waiting(files)
    if not waiting:
        raise InputError(f"{run}: no image waits for labels")
    write_exchange(folder, to, waiting, _class_names(files), min_confidence)
    note_export(files, waiting, min_confidence)
    typer.echo(f"{len(waiting)} images in {folder}")


@labels.command("import")
def take_in(
    run: RunName,
    place: Annotated[
        Path, typer.Argument(metavar="PLACE", help="File or folder that the tool wrote.")
    ],
    of: Annotated[ToolName, typer.Option("--from", help="Whose format.")],
    annotator: Annotated[
        str, typer.Option(metavar="NAME", help="Who gave the labels.", show_default=False)
    ] = "",
    min_confidence: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="X",
            help="Boxes with less were not exported.",
            show_default="as exported",
        ),
    ] = None,
    accept_unchanged: Annotated[
        bool,
        typer.Option(
            "--accept-unchanged", help="What came back as it was exported is finished, too."
        ),
    ] = False,
) -> None:
    """Take the labels that a tool wrote for images that wait; nothing is overwritten.

    An image is taken if all that was drawn in it is understood; others wait, and why is said.
    One that came back with the boxes that it was exported with waits too, as nobody may have
    looked at it, unless X-AnyLabeling has it as checked. The next hour goes on with the labels.

    [bold]Examples[/bold]

      backhaul labels import hourly annotations.xml --from cvat --annotator ann

      backhaul labels import hourly /tmp/to-label --from x-anylabeling

      backhaul labels import hourly /tmp/to-label --from yolo --accept-unchanged
    """
    from backhaul.annotation.exchange.exported import as_exported
    from backhaul.annotation.exchange.files import read_exchange
    from backhaul.annotation.exchange.unchanged import set_aside_unchanged
    from backhaul.annotation.taking import take

    files = find_stored(run)
    class_names = _class_names(files)
    waiting = as_exported(files, _waiting(files), min_confidence)
    found = read_exchange(place, of, waiting, class_names)
    n_unchanged = 0 if accept_unchanged else set_aside_unchanged(found, waiting)
    given = found.given(waiting, of, one_line(annotator))
    taken = take(files, given, len(class_names))
    _say(taken, found.problems, len(waiting))
    if n_unchanged:
        typer.echo(
            f"{n_unchanged} of them came back as they were exported; where nothing was to be "
            "changed, import again with --accept-unchanged"
        )


@labels.command()
def simulate(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    run: RunName,
    truth: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Labelled data set with the same images.")
    ],
    missed: Annotated[
        float, typer.Option(min=0, max=1, metavar="X", help="Share of objects overlooked.")
    ] = 0.0,
    wrong_class: Annotated[
        float, typer.Option(min=0, max=1, metavar="X", help="Share of classes mistaken.")
    ] = 0.0,
    jitter: Annotated[
        float,
        typer.Option(min=0, metavar="X", help="Spread of drawn corners, by the box's sides."),
    ] = 0.0,
    from_nothing: Annotated[
        bool, typer.Option("--from-nothing", help="Do not show the boxes of the model.")
    ] = False,
    min_confidence: MinConfidence = MIN_CONFIDENCE,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the errors.")] = 0,
) -> None:
    """Label images that wait by a simulated annotator, for tests and studies.

    Images are found in the data set by their content; others keep waiting.

    [bold]Examples[/bold]

      backhaul labels simulate hourly ~/bccd

      backhaul labels simulate hourly ~/bccd --missed 0.05 --wrong-class 0.02 --jitter 0.04
    """
    from backhaul.annotation.annotator import Annotator
    from backhaul.annotation.simulation import label_by_simulation, truth_of
    from backhaul.annotation.taking import take
    from backhaul.cli.data import progress
    from backhaul.data.images import at_header
    from backhaul.data.settings import FolderData
    from backhaul.data.source import read_anywhere

    files = find_stored(run)
    waiting, class_names = _waiting(files), _class_names(files)
    with progress() as bar:
        data = FolderData(root=truth)
        report = read_anywhere(data, bar("reading images"), bar("fetching"), look=at_header)
    known = truth_of(report.images, class_names)
    annotator = Annotator(missed=missed, wrong_class=wrong_class, jitter=jitter)
    given = [
        label_by_simulation(
            image,
            known[image.file.image_id],
            None if from_nothing else image.shown.above(min_confidence).boxes,
            annotator,
            len(class_names),
            seed,
        )
        for image in waiting
        if image.file.image_id in known
    ]
    _say(take(files, given, len(class_names)), (), len(waiting))


@labels.command()
def savings(
    run: RunName,
    draw: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="To draw a box: 7 by extreme clicking, 25.5 by dragging.",
            show_default="7",
        ),
    ] = None,
    min_confidence: MinConfidence = MIN_CONFIDENCE,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the annotator's errors.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Also write the table.", show_default=False),
    ] = None,
) -> None:
    """Say what the boxes of the model would have saved a simulated annotator, round by round.

    The images that each round sent are labelled with these boxes, and from nothing. A box that
    overlaps an object by IoU 0.7, and has its class, is left as it is.

    [bold]Examples[/bold]

      backhaul labels savings preannotation

      backhaul labels savings preannotation --draw 25.5 --out savings.csv
    """
    import pandas as pd

    from backhaul.annotation.annotator import Annotator, Seconds
    from backhaul.annotation.savings import savings_table
    from backhaul.campaign.runrecords import required_runs

    annotator = Annotator(seconds=Seconds() if draw is None else Seconds(draw=draw))
    runs = required_runs(find_stored(run))
    tables = (savings_table(each.files, annotator, min_confidence, seed) for each in runs)
    table = pd.concat(tables, ignore_index=True)
    if out is not None:
        out.write_text(table.to_csv(index=False), encoding="utf-8")
    Console(highlight=False, soft_wrap=True).print(_table(table, _SAVINGS))


def _waiting(files: RunFiles) -> list[WaitingImage]:
    from backhaul.annotation.waiting import waiting_images
    from backhaul.campaign.runrecords import RunRecords

    data = RunRecords(files).config.get("data")
    source = data.get("label_source") if isinstance(data, dict) else None
    if isinstance(source, str):
        with flows_at_hand():
            from flows.course import open_labels
        open_labels(files.root, source)
    return waiting_images(files)


def _class_names(files: RunFiles) -> tuple[str, ...]:
    from backhaul.campaign.runrecords import RunRecords

    return RunRecords(files).beginning.class_names


def _say(taken: Taken, problems: Sequence[Problem], n_waiting: int) -> None:
    """Print what was taken, what is wrong with the rest, and how many images still wait."""
    from backhaul.data.formats.report import worst_first

    every = worst_first([*problems, *taken.problems])
    for problem in every[:SHOWN_PROBLEMS]:
        typer.echo(str(problem), err=True)
    if len(every) > SHOWN_PROBLEMS:
        typer.echo(f"{len(every) - SHOWN_PROBLEMS} more problems", err=True)
    left = n_waiting - len(taken.images)
    typer.echo(f"labels of {len(taken.images)} images taken, {left} images still wait")
