"""`backhaul export`: a run as the earlier tool would have written it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from backhaul.cli.options import RunName
from backhaul.cli.prefect import flows_at_hand
from backhaul.cli.runplace import find_stored
from backhaul.errors import InputError, MissingObjectError


def export(
    run: RunName,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="New or empty folder to write.")
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The campaign's config, where it has `training.trust`."
        ),
    ] = None,
) -> None:
    """Write lists, benchmarks, logs and checkpoints of a run as the earlier tool did.

    Of each checkpoint there are the weights alone (.pth), for torch.load, and the whole model
    (.pt), for Ultralytics. All is read from the store. A run of several seeds gets a folder a
    seed.

    [bold]Examples[/bold]

      backhaul export quickstart /tmp/quickstart

      backhaul export runs/cars/seed0 cars-0

      backhaul export s3://bucket/edge/runs/cars cars
    """
    with flows_at_hand():
        from backhaul.campaign.configfile import load_config
        from backhaul.campaign.export import export_run, require_empty
        from backhaul.campaign.runrecords import runs_of
    require_empty(folder)
    place = find_stored(run)
    trust = config is not None and load_config(config).training.trust
    with Progress(console=Console(stderr=True), transient=True) as bars:
        for files in (records.files for records in runs_of(place)):
            last = files.name.rpartition("/")[2]
            bar = bars.add_task(f"{last}: checkpoints", total=None)
            target = folder if files == place else folder / last
            try:
                export_run(files, target, partial(_show, bars, bar), trust=trust)
            except MissingObjectError as error:
                raise InputError(f"{error}; expected it in the store {files.root}") from None
    typer.echo(folder)


def _show(bars: Progress, bar: TaskID, done: int, total: int) -> None:
    bars.update(bar, completed=done, total=total)
