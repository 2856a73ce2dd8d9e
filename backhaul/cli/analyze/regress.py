"""`backhaul analyze regression`: does a feature of what was sent go with a later gain?"""

from __future__ import annotations

from typing import Annotated

import typer

from backhaul.analysis.results import COMMON, By, Over
from backhaul.analysis.sample import MEANINGS, Feature
from backhaul.cli.analyze.inputs import TestSet
from backhaul.cli.analyze.show import Format, show
from backhaul.cli.runplace import find_run

FEATURES = "; ".join(f"{name}: {meaning}" for name, meaning in MEANINGS.items())


def regression(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Runs whose points are pooled, or one of seeds."),
    ],
    feature: Annotated[
        Feature, typer.Option(metavar="F", help=f"Of the images sent. {FEATURES}.")
    ],
    gain: Annotated[
        Over,
        typer.Option(help="Over the initial model, the control arm, or the batch before."),
    ],
    metric: Annotated[str, typer.Option(metavar="X", help="What gains.")] = "mAP50",
    test_set: TestSet = COMMON,
    by: Annotated[By, typer.Option(help="A point a method, or a method and batch.")] = "method",
    output: Format = "table",
) -> None:
    """Regress a later gain on a feature of what was sent.

    Prints slope, its 95 % interval, R2, p-value and number of points, and draws the points.

    [bold]Examples[/bold]

      backhaul analyze regression quickstart --feature mean_conf --gain initial

      backhaul analyze regression a b c --feature class_balance --gain control --by batch
    """
    from backhaul.analysis.regression import regression as regress

    places = [find_run(name) for name in runs]
    opened = [run for place in places for run in place.read().runs]
    finding = regress(opened, feature, gain, metric, test_set, by)
    show(finding, places[0].keep(finding), output)
