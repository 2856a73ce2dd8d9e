"""`backhaul fleet`: the nodes of an operator."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
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
from backhaul.cli.bundle import bundle
from backhaul.cli.enrolment import keys, rotate, token
from backhaul.cli.fleetset import set_settings
from backhaul.cli.rollout import roll_out

if TYPE_CHECKING:
    from backhaul.fleet.nodes import NodeView

fleet = typer.Typer(help="See how nodes are, change what they go by, and ask for frames.")
fleet.command("set")(set_settings)
fleet.command("rollout")(roll_out)
for _command in (token, rotate, keys, bundle):
    fleet.command()(_command)
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
    problems: Annotated[
        bool,
        typer.Option("--problems", help="Print only what is wrong, also by windows of a day."),
    ] = False,
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
    """See how nodes are, change what they go by, and ask for frames.

    [bold]Examples[/bold]

      backhaul fleet --store block://store --watch
      backhaul fleet --problems
      backhaul fleet --json
      backhaul fleet --prometheus /var/lib/node_exporter/backhaul.prom
      backhaul fleet want cam-1 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    """
    if context.invoked_subcommand is not None:
        return
    from backhaul.fleet.nodes import read_fleet
    from backhaul.fleet.prometheus import exposition
    from backhaul.fleet.versions import named_versions

    root = resolved(store)
    if problems:
        _print_problems(root, late)
        return
    nodes = read_fleet(root, time.time(), late * 60)
    versions = named_versions(root, nodes)
    if prometheus is not None:
        draft = prometheus.with_name(f".{prometheus.name}")
        draft.write_text(exposition(nodes, time.time()), encoding="utf-8")
        draft.replace(prometheus)
    elif as_json:
        told = [_to_json(view, versions.get(view.name)) for view in nodes]
        typer.echo(json.dumps(told, indent=1))
    elif watch:
        with Live(_table(nodes, versions), console=Console(), auto_refresh=False) as live:
            while True:
                time.sleep(WATCH_S)
                nodes = read_fleet(root, time.time(), late * 60)
                live.update(_table(nodes, named_versions(root, nodes)), refresh=True)
    else:
        Console(highlight=False, soft_wrap=True).print(_table(nodes, versions))


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


def _print_problems(root: str, late_min: float) -> None:
    from backhaul.fleet.watching import Watch, problems_now, watched

    watch = Watch(late_min=late_min)
    now_s = time.time()
    for each in problems_now(root, watch, *watched(root, watch, now_s), now_s):
        typer.echo(f"{each.subject}: {each.text}")


def _table(nodes: Sequence[NodeView], versions: Mapping[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for title in ("node", "heard", "agent", "model"):
        table.add_column(title, no_wrap=True)
    table.add_column("policy")
    for title in ("seen", "chosen", "sent", "waiting", "wire"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("to know")
    now_s = time.time()
    for view in nodes:
        table.add_row(*(Text(cell) for cell in _cells(view, versions.get(view.name), now_s)))
    if not nodes:
        table.add_row(Text("no node has told how it is"))
    return table


def _cells(view: NodeView, version: str | None, now_s: float) -> list[str]:
    status, problems = view.status, "; ".join(view.problems)
    heard = f"{max(now_s - view.told_s, 0):.0f} s"
    if status is None:
        return [view.name, heard, *([""] * 8), problems]
    totals = status.totals
    return [
        view.name,
        heard,
        status.agent,
        version or status.model[:12],
        ", ".join(status.policies),
        *(f"{totals.get(name, 0):,}" for name in ("seen", "chosen", "sent")),
        f"{status.waiting:,}",
        decimal(totals.get("up_bytes", 0)),
        problems,
    ]


def _to_json(view: NodeView, version: str | None) -> dict[str, object]:
    status = None if view.status is None else view.status.model_dump()
    told = {"name": view.name, "told_s": view.told_s, "status": status}
    return {**told, "version": version, "problems": view.problems}


@fleet.command()
def simulate(
    config: Annotated[
        Path, typer.Argument(metavar="FLEET.yaml", help="The fleet.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where the page goes.", show_default="fleets/NAME"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting that wins over the file, for example nodes=50. Repeatable.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Play many nodes with one's own frames in virtual time: a day in minutes.

    Agents and journals are those of real nodes; links and disks are not. Each policy is played
    with the same frames and links, and its value compared with the most that anybody could
    have brought home.

    [bold]Examples[/bold]

      backhaul fleet simulate configs/fleet.yaml --set frames=~/frames

      backhaul fleet simulate configs/fleet.yaml --set nodes=20 --set radio.kbit_s=16
    """
    from rich.progress import Progress

    from backhaul.node.fleetplay import play_fleet
    from backhaul.node.fleetsettings import FleetConfig
    from backhaul.node.replay import Looks
    from backhaul.report.fleetpage import fleet_finding, write_fleet_page
    from backhaul.settingsfile import fields_of, validated

    given = validated(config, FleetConfig, fields_of(config), "a fleet", tuple(settings or ()))
    folder = out or Path("fleets", given.name)
    folder.mkdir(parents=True, exist_ok=True)
    with Progress(console=Console(stderr=True)) as progress:
        looking = progress.add_task("looking")
        looks = Looks(given, lambda n, of: progress.update(looking, completed=n, total=of))
        tasks = {
            p.name: progress.add_task(p.name, total=given.hours + 1) for p in given.policies
        }
        outcomes = play_fleet(
            given, looks, lambda name, hour: progress.update(tasks[name], completed=hour)
        )
    finding = fleet_finding(given, outcomes)
    (folder / "fleet.csv").write_text(finding.table.to_csv(index=False), encoding="utf-8")
    page = write_fleet_page(given, outcomes, folder)
    Console(highlight=False, soft_wrap=True).print(_turned(finding.columns, finding.rows))
    typer.echo(f"page: {page}")


def _turned(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table with a column a policy, which fits into a terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(columns[0])
    for row in rows:
        table.add_column(Text(str(row[0])), justify="right")
    for place, title in enumerate(columns[1:], 1):
        cells = (f"{row[place]:,}" for row in rows)
        table.add_row(title, *(Text(cell) for cell in cells))
    return table
