"""`backhaul report`: the page of a run, made again."""

from __future__ import annotations

import typer

from backhaul.campaign.rundata import run_folders
from backhaul.cli.options import RunName
from backhaul.cli.prefect import flows_at_hand
from backhaul.cli.runplace import remote_pictures, run_at
from backhaul.report import write_report


def report(run: RunName) -> None:
    """Write report.html of a run again, from the files in its folder; of each seed as well.

    A run that goes on hour by hour has no page but the one that this makes.

    [bold]Examples[/bold]

      backhaul report quickstart

      backhaul report s3://bucket/edge/runs/quickstart
    """
    with run_at(run) as place:
        folder = place.folder
        if (folder / "state.json").exists():  # it goes on hour by hour, and is not kept whole
            with flows_at_hand():
                from backhaul.campaign.folder import gather_rounds
            gather_rounds(folder.as_posix())
        fetch = remote_pictures(folder)
        for part in dict.fromkeys((*run_folders(folder), folder)):  # that of all seeds at last
            page = write_report(part, fetch)
    typer.echo(place.address_of(page))
