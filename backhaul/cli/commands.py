"""All commands of `backhaul`, and what becomes of their errors."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from backhaul import __version__
from backhaul.cli.analyze import analyze
from backhaul.cli.data import data
from backhaul.cli.doctor import doctor
from backhaul.cli.export import export
from backhaul.cli.hourly import hourly
from backhaul.cli.import_cfg import import_cfg
from backhaul.cli.methods import methods
from backhaul.cli.plan import plan
from backhaul.cli.report import report
from backhaul.cli.run import run
from backhaul.cli.store import store
from backhaul.cli.validate import validate
from backhaul.errors import AwaitingLabelsError, InputError

WRONG_INPUT = 2

app = typer.Typer(
    name="backhaul",
    help="Finds out which images an edge camera should send home over a thin link.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"backhaul {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Finds out which images an edge camera should send home over a thin link."""


app.command()(run)
app.command()(hourly)
app.command()(plan)
app.command()(validate)
app.command()(methods)
app.command()(doctor)
app.command()(report)
app.command("import-cfg")(import_cfg)
app.command()(export)
app.add_typer(data, name="data")
app.add_typer(analyze, name="analyze")
app.add_typer(store, name="store")


def run_app() -> None:
    """Run the command that was given, and say in one line what is wrong with its input."""
    try:
        app()
    except AwaitingLabelsError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"waiting for labels: {error}", markup=False)
    except InputError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"error: {error}", markup=False
        )
        sys.exit(WRONG_INPUT)
