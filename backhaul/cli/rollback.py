"""`backhaul models rollback`: all nodes have an earlier version of a run's model again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backhaul.cli.options import RunName

KeyFolder = Annotated[
    Path,
    typer.Option("--keys", metavar="FOLDER", help="Folder of `backhaul models keys`."),
]


def roll_back(
    run: RunName,
    key_folder: KeyFolder,
    to: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="VERSION", help="Go back to this one.", show_default="one back"
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="G",
            help="Group of nodes; none but publish.group, where the run's config has one.",
            show_default="publish.group of the run",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the registry.")] = "",
    days: Annotated[
        float,
        typer.Option(min=0.01, metavar="DAYS", help="What is published is good for so long."),
    ] = 7.0,
) -> None:
    """Let all nodes have an earlier version again, at once, and record that.

    Nodes take it when they ask next (updates.every_s). A probation that is under way ends, and
    what was accepted after the version to go back to is not published any more by itself. What
    was published without a registry goes back by `backhaul fleet rollout GROUP --back`.

    [bold]Examples[/bold]

      backhaul models rollback runs/cars --keys signing
      backhaul models rollback s3://edge/a/runs/cars --to 3 --reason "blind at night" --keys k
    """
    from backhaul.cli.publishing import order_of
    from backhaul.cli.versionplace import registry_of
    from backhaul.publication import byhand

    files = registry_of(run)
    order = order_of(files, key_folder, days, group, reason)
    release, taken_back = byhand.roll_back(order, to)
    for version in taken_back:
        typer.echo(f"{files.run.name}@{version}: taken back")
    typer.echo(
        f"{order.group}: {release.name} ({release.model.sha256[:12]}) again for all nodes, as "
        "soon as they ask"
    )
