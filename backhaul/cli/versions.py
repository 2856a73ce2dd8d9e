"""`backhaul models list|show|diff`: the versions of a run's model."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from backhaul.cli.options import RunName
from backhaul.errors import InputError

if TYPE_CHECKING:
    from backhaul.registry.cards import Card, Measure
    from backhaul.registry.log import Entry
    from backhaul.registry.overview import Registry

Version = Annotated[
    str,
    typer.Argument(
        metavar="RUN@VERSION",
        help="A version: RUN as elsewhere, and a number, champion, candidate or canary.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]


def list_versions(run: RunName, as_json: AsJson = False) -> None:
    """List the versions of a run's model, with what was decided of each.

    [bold]Examples[/bold]

      backhaul models list runs/cars
      backhaul models list s3://edge/a/runs/cars --json
    """
    from backhaul.cli.versionplace import registry_of
    from backhaul.registry.overview import read_registry

    registry = read_registry(registry_of(run))
    if as_json:
        typer.echo(json.dumps([_row(registry, card) for card in registry.cards.values()]))
        return
    if not registry.cards:
        typer.echo("no versions yet: a run makes them where its config has `publish`")
        return
    table = _table("version", "is", "made by", "mAP50", "gain", "decided by")
    for card in registry.cards.values():
        table.add_row(*_cells(registry, card))
    Console(highlight=False, soft_wrap=True).print(table)


def show_version(version: Version, as_json: AsJson = False) -> None:
    """Show the card of a version: data, lineage, metrics with intervals, decisions, files.

    [bold]Examples[/bold]

      backhaul models show runs/cars@3
      backhaul models show runs/cars@champion --json
    """
    from backhaul.cli.versionplace import find_version
    from backhaul.registry.cards import read_card
    from backhaul.registry.overview import read_registry

    files, number = find_version(version)
    card, registry = read_card(files, number), read_registry(files)
    if as_json:
        entries = [entry.model_dump(mode="json") for entry in registry.of(number)]
        typer.echo(json.dumps({**card.model_dump(mode="json"), "log": entries}, indent=1))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(f"{card.name}: {registry.state(number)}", style="bold"))
    for what, said in _facts(card):
        console.print(Text(f"  {what:<18} {said}"))
    for title, lines in (
        ("measured", [f"{name} {measured(m)}" for name, m in card.measures.items()]),
        ("rules", [f"{'ok  ' if r.passed else 'NOT '} {r.rule}: {r.text}" for r in card.rules]),
        ("log", [told(entry) for entry in registry.of(number)]),
    ):
        if lines:
            console.print(Text(title))
            for line in lines:
                console.print(Text(f"  {line}"))


def diff_versions(before: Version, after: Version) -> None:
    """Say what differs between two versions: data, code, settings, metrics by class.

    [bold]Examples[/bold]

      backhaul models diff runs/cars@2 runs/cars@3
      backhaul models diff runs/cars@champion runs/cars@candidate
    """
    from backhaul.cli.versionplace import find_version
    from backhaul.registry.cards import read_card
    from backhaul.registry.differences import COMPARED, differences, metric_differences

    cards = [read_card(*find_version(each)) for each in (before, after)]
    console = Console(highlight=False, soft_wrap=True)
    table = _table("what", *(card.name for card in cards))
    for what, was, now in differences(*cards):
        table.add_row(*(Text(_plain(value)) for value in (what, was, now)))
    console.print(table)
    metrics = _table("test set", "class", *COMPARED)
    for row in metric_differences(*cards).to_dict("records"):
        pairs = [(row[f"{name}_before"], row[f"{name}_after"]) for name in COMPARED]
        cells = [f"{_plain(was)} → {_plain(now)}" for was, now in pairs]
        metrics.add_row(*(Text(cell) for cell in (row["test_set"], row["class"], *cells)))
    console.print(metrics)


def mirror_versions(
    run: RunName,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="ADDRESS",
            envvar="MLFLOW_TRACKING_URI",
            help="Tracking URI of MLflow.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Copy the versions, aliases and figures of a run's models into an MLflow model registry.

    Ours decides; the copy is brought up to date each time. A run whose config has
    `publish.mlflow` does so by itself after each hour.

    [bold]Examples[/bold]

      backhaul models mirror runs/cars --to http://127.0.0.1:5000
    """
    from backhaul.cli.versionplace import registry_of
    from backhaul.registry.mirror import mirror, model_name, without_login

    if not to:
        raise InputError("--to: expected the tracking URI of MLflow, or MLFLOW_TRACKING_URI")
    files = registry_of(run)
    n_versions = mirror(files, to)
    where = without_login(to)
    typer.echo(f"{where}: {model_name(files.run.name)} has {n_versions} version(s)")


def measured(measure: Measure) -> str:
    """Return a figure with its interval, in words."""
    if measure.value is None:
        return "-"
    words = f"{measure.value:.3f}"
    if measure.low is not None and measure.high is not None:
        words += f" ({measure.low:.3f} to {measure.high:.3f})"
    return words if measure.n is None else f"{words}, n = {measure.n}"


def told(entry: Entry) -> str:
    """Return an entry of the log in one line."""
    by = f" by {entry.by}" if entry.by else ""
    reason = f": {entry.reason}" if entry.reason else ""
    return f"{_moment(entry.at_s)}  {entry.kind}{by}{reason}"


def _cells(registry: Registry, card: Card) -> list[Text]:
    verdict = registry.verdict(card.version)
    figures = [_plain(card.figure(name)) for name in ("mAP50", "gain")]
    decided = "" if verdict is None else f"{verdict.by}: {verdict.reason}"
    state = registry.state(card.version)
    cells = [str(card.version), state, card.made_by, *figures, decided]
    return [Text(cell) for cell in cells]


def _row(registry: Registry, card: Card) -> dict[str, Any]:
    verdict = registry.verdict(card.version)
    return {
        "version": card.version,
        "state": registry.state(card.version),
        "method": card.method,
        "batch": card.batch,
        "made_s": card.made_s,
        "measures": {name: each.model_dump() for name, each in card.measures.items()},
        "decided": None if verdict is None else verdict.model_dump(mode="json"),
    }


def _facts(card: Card) -> list[tuple[str, str]]:
    facts = [
        ("made by", card.made_by),
        ("made", _moment(card.made_s)),
        ("trained from", "nothing" if card.parent is None else f"version {card.parent}"),
        ("epoch", str(card.current.epoch)),
        ("sent for it", f"{card.images_sent:,} images, {card.bytes_sent:,} bytes"),
        ("weights", card.current.artifact.uri),
        ("SHA-256", card.current.artifact.sha256),
        ("config", card.config_digest or "-"),
        ("code", card.code.commit or "-"),
    ]
    if card.exported is not None:
        facts.append(("for nodes", card.exported.file.uri))
        facts.append(("its SHA-256", card.exported.file.sha256))
    return facts


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title)
    return table


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.3f}"
    return "-" if value is None else str(value)


def _moment(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M}"
