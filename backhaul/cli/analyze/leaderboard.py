"""`backhaul analyze leaderboard`: methods of several campaigns, the best first."""

from __future__ import annotations

from typing import Annotated

import typer

from backhaul.analysis.results import COMMON
from backhaul.cli.analyze.inputs import TestSet
from backhaul.cli.analyze.show import Format, show
from backhaul.cli.runplace import find_run


def leaderboard(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Campaigns, each with all of its seeds."),
    ],
    metric: Annotated[
        str,
        typer.Option(
            metavar="X",
            help="f1 (over all classes), f1_mean (mean over classes), mAP50, recall, ...",
        ),
    ] = "f1",
    baseline: Annotated[
        str, typer.Option(metavar="M", help="Label of the method to compare with.")
    ] = "true-random",
    test_set: TestSet = COMMON,
    output: Format = "table",
) -> None:
    """Rank methods by what their last models reach, beside the share of images they sent.

    With several campaigns, one a share or threshold, the chart shows the metric against the
    share. Gains are over the baseline with the same share, seed by seed.

    [bold]Examples[/bold]

      backhaul analyze leaderboard quickstart

      backhaul analyze leaderboard share-10 share-20 share-40 filters --metric f1_mean
    """
    from backhaul.analysis.leaderboard import leaderboard as rank

    places = [find_run(name) for name in runs]
    campaigns = [place.read() for place in places]
    by_seed = {c.name: dict(zip(c.seeds, c.runs, strict=True)) for c in campaigns}
    finding = rank(by_seed, metric, test_set, baseline)
    show(finding, places[0].keep(finding), output)
