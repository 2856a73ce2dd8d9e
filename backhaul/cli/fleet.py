"""`backhaul fleet`: the nodes of an operator."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.live import Live
from rich.table import Table
from rich.text import Text

from backhaul.cli.address import resolved

if TYPE_CHECKING:
    from backhaul.fleet.status import NodeView

fleet = typer.Typer(help="See how nodes are, and ask them for frames.")
Store = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="ADDRESS",
        help="The store that nodes send to: a folder, s3://BUCKET/PREFIX, or block://NAME.",
    ),
]
WATCH_S = 5.0


@fleet.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    store: Store = ".",
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every 5 s.")] = False,
    late: Annotated[
        float, typer.Option(metavar="MINUTES", min=0.1, help="Later than that is silent.")
    ] = 15.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    prometheus: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write metrics into FILE, for the textfile collector of Prometheus' node "
            "exporter.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """See how nodes are, and ask them for frames.

    [bold]Examples[/bold]

      backhaul fleet --store block://store --watch
      backhaul fleet --json
      backhaul fleet --prometheus /var/lib/node_exporter/backhaul.prom
      backhaul fleet want cam-1 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    """
    if context.invoked_subcommand is not None:
        return
    from backhaul.fleet.prometheus import exposition
    from backhaul.fleet.status import read_fleet

    root = resolved(store)
    nodes = read_fleet(root, time.time(), late * 60)
    if prometheus is not None:
        draft = prometheus.with_name(f".{prometheus.name}")
        draft.write_text(exposition(nodes, time.time()), encoding="utf-8")
        draft.replace(prometheus)
    elif as_json:
        typer.echo(json.dumps([_to_json(view) for view in nodes], indent=1))
    elif watch:
        with Live(_table(nodes), console=Console(), auto_refresh=False) as live:
            while True:
                time.sleep(WATCH_S)
                live.update(_table(read_fleet(root, time.time(), late * 60)), refresh=True)
    else:
        Console(highlight=False, soft_wrap=True).print(_table(nodes))


@fleet.command()
def want(
    node: Annotated[str, typer.Argument(help="The node.", show_default=False)],
    digests: Annotated[
        list[str],
        typer.Argument(metavar="DIGEST...", help="Frames, by digest.", show_default=False),
    ],
    store: Store = ".",
) -> None:
    """Ask a node for frames that it has seen and not sent; it sends them first.

    [bold]Examples[/bold]

      backhaul fleet want cam-1 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    """
    from backhaul.fleet.wants import want as ask

    wanted = ask(resolved(store), node, digests)
    typer.echo(f"{node}: {wanted} frames are wanted")


def _table(nodes: Sequence[NodeView]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("node", "heard", "agent", "model", "policy"):
        table.add_column(title)
    for title in ("seen", "chosen", "sent", "waiting", "wire"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("to know")
    now_s = time.time()
    for view in nodes:
        table.add_row(*(Text(cell) for cell in _cells(view, now_s)))
    if not nodes:
        table.add_row(Text("no node has told how it is"))
    return table


def _cells(view: NodeView, now_s: float) -> list[str]:
    status, problems = view.status, "; ".join(view.problems)
    heard = f"{max(now_s - view.told_s, 0):.0f} s ago"
    if status is None:
        return [view.name, heard, *([""] * 8), problems]
    totals = status.totals
    return [
        view.name,
        heard,
        status.agent,
        status.model[:12],
        ", ".join(status.policies),
        *(f"{totals.get(name, 0):,}" for name in ("seen", "chosen", "sent")),
        f"{status.waiting:,}",
        decimal(totals.get("up_bytes", 0)),
        problems,
    ]


def _to_json(view: NodeView) -> dict[str, object]:
    status = None if view.status is None else view.status.model_dump()
    return asdict(view) | {"status": status}
