"""`backhaul analyze`: what is known of a run."""

from __future__ import annotations

import typer

from backhaul.cli.analyze.confidence import classes, histogram, rolling
from backhaul.cli.analyze.over_batches import compare, curves, method
from backhaul.cli.analyze.regress import regression
from backhaul.cli.analyze_series import OptionalCount, batches, series

analyze = typer.Typer(
    help="Tables and charts of a run.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
analyze.command()(curves)
analyze.command()(method)
analyze.command()(compare)
analyze.command()(regression)
analyze.command()(classes)
analyze.command()(histogram)
analyze.command()(rolling)
analyze.command(cls=OptionalCount)(series)
analyze.command()(batches)
