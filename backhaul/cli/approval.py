"""`backhaul models approve|reject`: decide of a version that waits for a person."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from backhaul.cli.person import user_name
from backhaul.cli.versions import Version

Reason = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", help="Why; it is kept.", show_default=False),
]


def approve_version(version: Version, reason: Reason) -> None:
    """Accept a version that awaits approval: later rounds and nodes go on with it.

    [bold]Examples[/bold]

      backhaul models approve runs/cars@3 --reason "sees the new bus stop"
      backhaul models approve s3://edge/a/runs/cars@candidate --reason "checked on 50 frames"
    """
    _answer(version, "approve", reason)


def reject_version(version: Version, reason: Reason) -> None:
    """Reject a version that awaits approval: later rounds start from the one before it.

    [bold]Example[/bold]

      backhaul models reject runs/cars@3 --reason "blind at night"
    """
    _answer(version, "reject", reason)


def _answer(version: str, decision: Literal["approve", "reject"], reason: str) -> None:
    from backhaul.cli.versionplace import find_version
    from backhaul.registry.decisions import answer

    files, number = find_version(version)
    entry = answer(files, number, decision, by=user_name(), reason=reason)
    typer.echo(f"{files.run.name}@{number}: {entry.kind} by {entry.by}: {entry.reason}")
    typer.echo("the next start of the run goes on from there, with `hourly` by its schedule")
