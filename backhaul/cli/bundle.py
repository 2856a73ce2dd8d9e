"""`backhaul fleet bundle`: all that is known of a node, as one archive."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from backhaul.cli.address import resolved
from backhaul.errors import InputError


def bundle(
    node: Annotated[str, typer.Argument(help="Name of the node.", show_default=False)],
    store: Annotated[
        str,
        typer.Option(
            "--store",
            metavar="ADDRESS",
            help="The store that nodes send to: a folder, s3://BUCKET/PREFIX, or block://NAME.",
        ),
    ] = ".",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.tar.gz", help="A new file.", show_default="NODE-TIME.tar.gz"
        ),
    ] = None,
    ask: Annotated[
        bool,
        typer.Option(
            "--ask",
            help="Ask the node for what it alone knows: the last lines of its log, settings "
            "without secrets, journal, versions. It answers with up to 64 kB.",
        ),
    ] = False,
    wait: Annotated[
        float,
        typer.Option(
            metavar="MINUTES",
            min=0,
            max=10_080,
            help="Wait so long for its answer; it asks each status_s.",
        ),
    ] = 10.0,
) -> None:
    """Write what is known of a node into one archive: for whoever looks for a fault.

    Its status, the last summaries of windows, what is wanted of it and published for it, and
    what it answered last when it was asked. Secrets are in none of it.

    [bold]Examples[/bold]

      backhaul fleet bundle cam-1 --store s3://edge/site/a

      backhaul fleet bundle cam-1 --ask --wait 15 --out cam-1.tar.gz
    """
    from backhaul.fleet.bundle import archive, ask_report, files_of, has_told, wait_for_report

    now = datetime.now(UTC)
    path = out or Path(f"{node}-{now:%Y%m%dT%H%M%SZ}.tar.gz")
    if path.exists():
        raise InputError(f"{path}: is there already")
    if out is not None and not out.parent.is_dir():
        raise InputError(f"{out.parent}: is no folder")
    root = resolved(store)
    if not has_told(root, node):
        typer.echo(f"{node} has never told here how it is: is that its name?", err=True)
    if ask:
        question = ask_report(root, node)
        typer.echo(
            f"{node} is asked; it answers once it may send: waits up to {wait:g} minutes",
            err=True,
        )
        if not wait_for_report(root, node, question, wait * 60, time.sleep):
            typer.echo(
                f"{node} has not answered within {wait:g} minutes: its answer will be in a "
                "later bundle",
                err=True,
            )
    files = files_of(root, node)
    path.write_bytes(archive(node, files, now.timestamp()))
    typer.echo(f"{path}: {', '.join(_summary(files))}")


def _summary(files: dict[str, str]) -> list[str]:
    """Return the names of the files, those of a folder as their number."""
    folders = [name.partition("/")[0] for name in files if "/" in name]
    names = [name for name in files if "/" not in name]
    return [*names, *(f"{folders.count(each)} of {each}" for each in dict.fromkeys(folders))]
