"""`backhaul store`: keep a store small."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from backhaul.cli.prefect import flows_at_hand
from backhaul.errors import InputError

if TYPE_CHECKING:
    from backhaul.storage.listing import Stored
    from backhaul.upkeep.prune import Leftovers

store = typer.Typer(no_args_is_help=True, help="Keep a store small.")


@store.callback()
def _group() -> None:
    """Keep a store small."""


@store.command()
def prune(
    address: Annotated[
        str,
        typer.Option(
            "--store",
            metavar="ADDRESS",
            help="The store: a folder, s3://BUCKET/PREFIX, or block://NAME.",
        ),
    ] = ".",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    min_age: Annotated[
        float,
        typer.Option(metavar="HOURS", min=0, help="What was written since then stays."),
    ] = 24.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with the address of every file.")
    ] = False,
) -> None:
    """Remove what no run in a store refers to any more, and no unfinished study may need.

    Runs and their files, data sets, the inbox and labels are not touched, but for checkpoints
    of runs with keep_checkpoints: ensemble. A campaign that is over computes nothing again
    afterwards. Nothing may run in the store meanwhile.

    [bold]Examples[/bold]

      backhaul store prune --dry-run

      backhaul store prune --store s3://edge/campaigns --yes --min-age 0
    """
    if as_json and not (dry_run or yes):
        raise InputError("--json: expected --dry-run or --yes as well, as it cannot ask")
    with flows_at_hand():
        from backhaul.storage.places import require_bucket
        from backhaul.upkeep.prune import find_leftovers, remove_leftovers
        from blocks.opening import resolve
    root = resolve(address)
    require_bucket(root)
    found = find_leftovers(root, min_age * 3600)
    if as_json:
        typer.echo(json.dumps(_to_json(found), indent=1))
    else:
        _show(found, min_age)
    if dry_run or not len(found):
        return
    if not yes:
        typer.confirm("Remove them?", abort=True)
    remove_leftovers(found)
    if not as_json:
        typer.echo("removed")


def _show(found: Leftovers, min_age: float) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"Store {found.root}")
    table.add_column("")
    for title in ("needed", "", "too young", "", "may go", ""):
        table.add_column(title, justify="right", no_wrap=True)
    for kind, files in found.files.items():
        parts = (found.kept.get(kind, ()), found.young.get(kind, ()), files)
        table.add_row(kind, *(cell for part in parts for cell in _cells(part)))
    console.print(table)
    if any(found.young.values()):
        console.print(f"Too young: written in the last {min_age:g} hours (--min-age).")
    if not len(found):
        console.print("Nothing may go.")


def _cells(files: Sequence[Stored]) -> tuple[str, str]:
    if not files:
        return "-", ""
    return f"{len(files):,}", decimal(sum(file.size_bytes for file in files))


def _to_json(found: Leftovers) -> dict[str, Any]:
    return {
        "store": found.root,
        "may_go": {
            kind: {
                "count": len(files),
                "bytes": sum(file.size_bytes for file in files),
                "files": [file.uri for file in files],
            }
            for kind, files in found.files.items()
        },
        "needed": {kind: _sum(files) for kind, files in found.kept.items()},
        "too_young": {kind: _sum(files) for kind, files in found.young.items()},
    }


def _sum(files: Sequence[Stored]) -> dict[str, int]:
    return {"count": len(files), "bytes": sum(file.size_bytes for file in files)}
