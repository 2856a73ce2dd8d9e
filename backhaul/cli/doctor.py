"""`backhaul doctor`: is all there that a campaign needs, and what is to be done?"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from backhaul.cli.options import Overrides, read_config
from backhaul.cli.prefect import flows_at_hand

if TYPE_CHECKING:
    from backhaul.health import Result

COLORS = {"ok": "green", "warning": "yellow", "failed": "red", "not asked": "dim"}
WIDTHS = (11, 17)
"""Columns of the status and of the name."""


def doctor(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[CONFIG]", help="A campaign, as YAML.", show_default=False),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Store to look at, in place of the config's: a folder, or s3://BUCKET/PREFIX.",
            show_default=False,
        ),
    ] = None,
    node_keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keys of a node, as lines AWS_ACCESS_KEY_ID=...: is what they may do enough?",
            show_default=False,
        ),
    ] = None,
    settings: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check versions, server, work pools, store, GPU, disk and clock, and say what to do.

    Ends with exit code 1 if a check failed; warnings do not count.

    [bold]Examples[/bold]

      backhaul doctor

      backhaul doctor configs/quickstart.yaml

      backhaul doctor --store s3://edge/campaigns --json

      backhaul doctor --store s3://edge/campaigns --node-keys cam-1.env
    """
    campaign = read_config(config, settings) if config else None
    with flows_at_hand():
        from backhaul.health import Status, examine
        from flows.server.checkup import all_checks
    checks = all_checks(campaign, store or (campaign.store if campaign else None), node_keys)
    results = []
    for result in examine(checks):
        results.append(result)
        if not as_json:
            _show(result)
    if as_json:
        typer.echo(_to_json(results))
    if any(result.answer.status == Status.FAILED for result in results):
        raise typer.Exit(1)


def _show(result: Result) -> None:
    status, name = result.answer.status, result.name
    console = Console(highlight=False, soft_wrap=True)
    line = Text(f"{status:{WIDTHS[0]}}", style=COLORS[status])
    console.print(line.append(f"{name:{WIDTHS[1]}}{result.answer.found}", style="default"))
    if result.answer.remedy:
        console.print(f"{'':{sum(WIDTHS)}}-> {result.answer.remedy}", markup=False)


def _to_json(results: Iterable[Result]) -> str:
    checks = [
        {"name": each.name, **asdict(each.answer), "seconds": round(each.seconds, 3)}
        for each in results
    ]
    return json.dumps(checks, indent=2)
